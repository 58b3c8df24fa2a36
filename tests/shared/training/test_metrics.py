import json

import numpy as np
import pytest
from sklearn import metrics as sk

from shared.training.metrics import expected_calibration_error, score, softmax

K = 10


def drawn(n: int, *, seed: int = 0, strength: float = 2.0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, K, n)
    logits = random.normal(0, 1.5, (n, K)).astype(np.float32)
    logits[np.arange(n), labels] += strength
    return logits, labels


def test_all_scores_agree_with_scikit_learn():
    logits, labels = drawn(2000)
    scores, read = score(logits, labels), logits.argmax(1)
    precision, recall, f1, support = sk.precision_recall_fscore_support(labels, read, labels=range(K))
    assert scores.accuracy == pytest.approx(sk.accuracy_score(labels, read))
    assert scores.precision_macro == pytest.approx(precision.mean())
    assert scores.recall_macro == pytest.approx(recall.mean())
    assert scores.f1_macro == pytest.approx(f1.mean())
    assert scores.loss == pytest.approx(sk.log_loss(labels, softmax(logits), labels=range(K)))
    assert scores.confusion == sk.confusion_matrix(labels, read, labels=range(K)).tolist()
    for label, row in enumerate(scores.per_class):
        values = (row["label"], row["precision"], row["recall"], row["f1"], row["support"])
        assert values == pytest.approx((label, precision[label], recall[label], f1[label], support[label]))


def test_classes_never_seen_or_never_read_count_as_zero_as_in_scikit_learn():
    logits, labels = drawn(50)
    labels[labels == 3] = 4  # no 3 among the images ...
    logits[:, 7] = -100  # ... and no 7 among the answers
    scores, read = score(logits, labels), logits.argmax(1)
    for ours, theirs in [
        (scores.precision_macro, sk.precision_score),
        (scores.recall_macro, sk.recall_score),
        (scores.f1_macro, sk.f1_score),
    ]:
        assert ours == pytest.approx(theirs(labels, read, labels=range(K), average="macro", zero_division=0))
    assert scores.per_class[3]["recall"] == 0 and scores.per_class[3]["support"] == 0
    assert scores.per_class[7]["precision"] == 0


def test_rows_of_the_confusion_matrix_are_the_true_classes():
    logits = np.zeros((1, K), np.float32)
    logits[0, 9] = 1
    assert score(logits, np.array([4])).confusion[4][9] == 1


def test_softmax_and_loss_survive_huge_logits():
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    assert softmax(logits).tolist() == [[1, 0], [0, 1]]
    assert score(logits, np.array([0, 1])).loss == 0
    assert score(logits, np.array([1, 0])).loss == pytest.approx(2e4)


def test_calibration_error_is_that_of_guo_written_out_bin_by_bin():
    logits, labels = drawn(3000, seed=3)
    probabilities = softmax(logits)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    expected = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(logits, labels) == pytest.approx(expected)


def test_calibration_error_of_the_certain():
    logits = np.full((4, K), -50.0)
    logits[:, 2] = 50
    assert expected_calibration_error(logits, np.full(4, 2)) == pytest.approx(0)
    assert expected_calibration_error(logits, np.array([2, 2, 2, 5])) == pytest.approx(0.25)


def test_scores_are_plain_enough_for_json():
    scores = score(*drawn(100))
    assert json.loads(json.dumps(scores.as_dict()))["accuracy"] == scores.accuracy


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((3, K)), np.zeros(2, int), "expected logits"),
        (np.zeros((0, K)), np.zeros(0, int), "expected logits"),
        (np.zeros((2, K)), np.array([0, 10]), "labels run from 0 to 10"),
        (np.full((2, K), np.nan), np.zeros(2, int), "NaN"),
    ],
)
def test_what_cannot_be_scored_is_refused(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        score(logits, labels)
