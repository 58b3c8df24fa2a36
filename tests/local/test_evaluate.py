import json
import shutil

import numpy as np
import pytest

from local import evaluate, models, runtimes
from shared.errors import ModelError
from shared.metrics import score

FIELDS = [
    "model", "file", "runtime", "dataset", "images", "accuracy", "precision_macro", "recall_macro", "f1_macro",
    "loss", "ece", "bytes", "seconds",
]  # fmt: skip


@pytest.fixture
def named(home, small_model):
    shutil.copytree(small_model, home / "models" / "small")
    return "small"


def test_the_scores_are_those_of_the_logits_over_all_test_images(named, digits):
    result = evaluate.evaluate(models.find(named), digits, batch=100)
    logits = runtimes.load(result.model.file).logits(digits.test_images)
    assert np.allclose(result.logits, logits, atol=1e-5)
    assert result.scores.accuracy == score(logits, digits.test_labels).accuracy
    row = result.row()
    assert list(row) == FIELDS
    assert (row["model"], row["runtime"], row["dataset"]) == ("small", "onnxruntime", "digits")
    assert row["images"] == len(digits.test_images) and row["bytes"] == result.model.file.stat().st_size
    assert 0 <= row["accuracy"] <= 1 and row["seconds"] > 0


def test_every_runtime_scores_the_same(named, digits):
    one, other = (evaluate.evaluate(models.find(f"small/model.{kind}"), digits).row() for kind in ("onnx", "pth"))
    assert one["accuracy"] == other["accuracy"] and one["loss"] == pytest.approx(other["loss"], abs=1e-4)


def test_a_model_with_too_few_classes_is_refused(named, digits, monkeypatch):
    class Two:
        name, classes = "onnxruntime", 2

    monkeypatch.setattr(models, "open_runtime", lambda model, threads: Two())
    with pytest.raises(ModelError, match="tells 2 classes apart, digits has 10"):
        evaluate.evaluate(models.find(named), digits)


def test_the_verb_prints_one_object_a_model(named, k2l):
    done = k2l("evaluate", "small", "small/model.pth", "--json", "--batch", "500")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["runtime"] for row in rows] == ["onnxruntime", "torch"]
    assert all(list(row) == FIELDS and row["dataset"] == "digits" for row in rows)
    assert rows[0]["accuracy"] == rows[1]["accuracy"]


def test_the_verb_prints_a_table_for_people(named, k2l):
    done = k2l("evaluate", "small", "--dataset", "digits", "--threads", "1")
    assert "accuracy %" in done.stdout and "model.onnx" in done.stdout and "360" in done.stdout


def test_the_verb_says_what_is_wrong_in_a_line(named, k2l):
    for arguments in (
        ["nothing"],
        ["small", "--dataset", "nonsense"],
        ["small", "--data-dir", "/nowhere", "--dataset", "mnist"],
    ):
        done = k2l("evaluate", *arguments, check=False)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) <= 2
