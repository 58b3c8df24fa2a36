"""How good a model file is on the test images of a data set, on this machine's processor.

    result = evaluate(models.find("compact-torch"), data.load("mnist"))
    result.row()                          # what `k2l evaluate --json` prints
    save(result, data, folder)            # predictions, labels and pictures, for the model's folder

Every runtime gets the same raw images. `evaluate` writes nothing; nothing here prints.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local import models, runtimes
from shared.data import DataSet
from shared.errors import ModelError
from shared.metrics import Scores, score


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One model file on one data set's test images; `seconds` is the wall time of all forward passes."""

    model: models.Model
    runtime: str
    dataset: str
    scores: Scores
    logits: NDArray[np.float32]
    seconds: float

    def row(self) -> dict[str, Any]:
        """The figures as plain numbers; shares are fractions of 1, the loss is in nats, `bytes` is the file's size."""
        return {
            "model": self.model.name,
            "file": str(self.model.file),
            "runtime": self.runtime,
            "dataset": self.dataset,
            "images": len(self.logits),
            "accuracy": self.scores.accuracy,
            "precision_macro": self.scores.precision_macro,
            "recall_macro": self.scores.recall_macro,
            "f1_macro": self.scores.f1_macro,
            "loss": self.scores.loss,
            "ece": self.scores.ece,
            "bytes": self.model.file.stat().st_size,
            "seconds": self.seconds,
        }


def evaluate(model: models.Model, data: DataSet, *, threads: int = 1, batch: int = 256) -> Evaluation:
    """Runs the data set's test images through the model and scores the logits."""
    runtime = models.open_runtime(model, threads=threads)
    if runtime.classes < len(data.classes):
        raise ModelError(
            f"{model.file} tells {runtime.classes} classes apart, {data.name} has {len(data.classes)}: "
            "evaluate it on the data set it was trained on."
        )
    logits, seconds = run(runtime, data.test_images, batch=batch)
    return Evaluation(
        model=model,
        runtime=runtime.name,
        dataset=data.name,
        scores=score(logits, data.test_labels),
        logits=logits,
        seconds=seconds,
    )


def run(runtime: runtimes.Runtime, images_nhw: NDArray[np.uint8], *, batch: int) -> tuple[NDArray[np.float32], float]:
    """Logits float32 [n, classes] of images uint8 [n, 28, 28], `batch` at a time, and the seconds it took."""
    start = time.perf_counter()
    parts = [runtime.logits(images_nhw[i : i + batch]) for i in range(0, len(images_nhw), batch)]
    return np.concatenate(parts), time.perf_counter() - start


def save(result: Evaluation, data: DataSet, folder: Path) -> list[str]:
    """Writes predictions.npy, labels.npy and the pictures of a result into a folder; returns the files' names."""
    from shared import plots

    images, labels = data.test_images, data.test_labels
    np.save(folder / "predictions.npy", result.logits.argmax(1).astype(np.int64))
    np.save(folder / "labels.npy", labels)
    shown = slice(0, 32)
    figures = {
        "confusion.png": plots.confusion(result.scores.confusion, data.classes),
        "samples.png": plots.samples(images[shown], labels[shown], result.logits[shown].argmax(1), data.classes),
        "misclassified.png": plots.misclassified(images, labels, result.logits, data.classes),
    }
    for name, figure in figures.items():
        plots.save(figure, folder / name)
    return ["predictions.npy", "labels.npy", *figures]
