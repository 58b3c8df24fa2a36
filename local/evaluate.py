"""How good a model file is on the test images of a data set, on this machine's processor.

    result = evaluate(models.find("compact-torch"), data.load("mnist"))
    result.row()                          # what `k2l evaluate --json` prints

Every runtime gets the same raw images. Nothing here writes or prints.
"""

import time
from dataclasses import dataclass
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
