"""How well a network did, from its logits and the true labels: the same figures for every framework.

    scores = score(logits, labels)      # float [n, k], int [n]
    scores.accuracy, scores.f1_macro, scores.as_dict()

All shares are fractions in 0..1. A class that is never predicted has precision 0, one that never occurs has
recall 0, and both count in the macro averages, as in scikit-learn with `zero_division=0` over all k labels.
Runs no network and draws nothing.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

ECE_BINS = 15

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One network on one set of images.

    `loss` is the mean cross-entropy in nats; `ece` the expected calibration error of the confidence.
    `per_class` holds {label, precision, recall, f1, support} for each class; `confusion` counts, true class
    down, predicted across.
    """

    accuracy: float
    precision_macro: float
    recall_macro: float
    f1_macro: float
    loss: float
    ece: float
    per_class: list[dict[str, float]]
    confusion: list[list[int]]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and dictionaries, as `metrics.json` holds them."""
        return asdict(self)


def score(logits: Floats, labels: Integers, *, classes: int | None = None) -> Scores:
    """All scores of logits float [n, k] against labels int [n] in 0..k-1.

    Raises ValueError for shapes that do not fit, labels out of range, and logits that are not finite.
    """
    _check(logits, labels)
    counts = confusion_matrix(labels, logits.argmax(axis=1), classes=logits.shape[1])
    per_class = _per_class(counts)
    return Scores(
        accuracy=float(np.trace(counts) / len(labels)),
        precision_macro=float(np.mean([row["precision"] for row in per_class])),
        recall_macro=float(np.mean([row["recall"] for row in per_class])),
        f1_macro=float(np.mean([row["f1"] for row in per_class])),
        loss=cross_entropy(logits, labels),
        ece=expected_calibration_error(logits, labels),
        per_class=per_class,
        confusion=counts.tolist(),
    )


def log_softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """The logarithms of `softmax(logits)`, exact where the probabilities themselves would underflow to 0."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), dtype=np.float64)


def softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Probabilities [n, k] of logits [n, k]; every row sums to 1."""
    return np.exp(log_softmax(logits))


def cross_entropy(logits: Floats, labels: Integers) -> float:
    """Mean cross-entropy in nats of logits [n, k] against labels [n]."""
    return float(-log_softmax(logits)[np.arange(len(labels)), labels].mean())


def surest_mistakes(logits: Floats, labels: Integers) -> npt.NDArray[np.int64]:
    """Indices of the images that logits [n, k] misread, the one that was read with the highest confidence first."""
    wrong = np.flatnonzero(logits.argmax(axis=1) != labels)
    confidence = softmax(logits[wrong]).max(axis=1)
    return np.asarray(wrong[np.argsort(-confidence, kind="stable")], np.int64)


def confusion_matrix(labels: Integers, predictions: Integers, *, classes: int) -> npt.NDArray[np.int64]:
    """Counts [k, k]: the true class down, the predicted one across."""
    pairs = labels.astype(np.int64) * classes + predictions
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def expected_calibration_error(logits: Floats, labels: Integers, *, bins: int = ECE_BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence, weighted by their images.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", with their 15 bins, open below, closed above.
    """
    probabilities = softmax(logits)
    confidence = probabilities.max(axis=1)
    correct = logits.argmax(axis=1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    # |sum of confidences - number correct| of a bin, over n, is its gap times its share of the images.
    gaps = np.bincount(bin_of, weights=confidence - correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def _per_class(counts: npt.NDArray[np.int64]) -> list[dict[str, float]]:
    """Precision, recall, F1 and support of each class of a confusion matrix."""
    hits, predicted, support = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    precision, recall = _share(hits, predicted), _share(hits, support)
    f1 = _share(2 * hits, predicted + support)
    return [
        {
            "label": label,
            "precision": float(precision[label]),
            "recall": float(recall[label]),
            "f1": float(f1[label]),
            "support": int(support[label]),
        }
        for label in range(len(counts))
    ]


def _share(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """part / whole, and 0 where the whole is empty."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _check(logits: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"expected logits [n, k] and labels [n], n > 0, got {list(logits.shape)} and {list(labels.shape)}"
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, the logits know 0 to {logits.shape[1] - 1}"
        )
    if not np.isfinite(logits).all():
        raise ValueError("logits hold NaN or infinity: the training diverged, or the weights are damaged")
