"""How good model files are on the test images of a data set, on this machine's processor.

    result = evaluate(models.find("compact-torch"), data.load("mnist"))
    result.row()                          # what `k2l evaluate --json` prints

    results = evaluate_all([(model, images), (other, images)])
    pairs = agreements(results)           # {(0, 1): Pair}

Every runtime gets the same raw images. Nothing here writes or prints; `local.evidence` keeps what was found.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local import models, runtimes
from local.agreement import Pair, compare, standard_error
from shared.data import DataSet
from shared.errors import ModelError
from shared.metrics import Scores, score

BATCH = 32  # images a forward pass: what lies between the layers still fits a core's cache


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One model file on one data set's test images; `seconds` is the wall time of all forward passes."""

    model: models.Model
    runtime: str
    data: DataSet
    scores: Scores
    logits: NDArray[np.float32]
    seconds: float

    @property
    def label(self) -> str:
        """Model and file, short: "compact-torch/model.onnx"."""
        return f"{self.model.name}/{self.model.file.name}"

    @property
    def standard_error(self) -> float:
        """The binomial one of the accuracy, a fraction of 1."""
        return standard_error(self.scores.accuracy, len(self.logits))

    def row(self) -> dict[str, Any]:
        """The figures as plain numbers; shares are fractions of 1, the loss is in nats, `bytes` is the file's size."""
        return {
            "model": self.model.name,
            "file": str(self.model.file),
            "runtime": self.runtime,
            "dataset": self.data.name,
            "images": len(self.logits),
            "accuracy": self.scores.accuracy,
            "precision_macro": self.scores.precision_macro,
            "recall_macro": self.scores.recall_macro,
            "f1_macro": self.scores.f1_macro,
            "loss": self.scores.loss,
            "ece": self.scores.ece,
            "bytes": self.model.file.stat().st_size,
            "seconds": self.seconds,
            "standard_error": self.standard_error,
        }


def evaluate(model: models.Model, data: DataSet, *, threads: int = 1, batch: int = BATCH) -> Evaluation:
    """Runs the data set's test images through the model and scores the logits."""
    return evaluate_all([(model, data)], threads=threads, batch=batch)[0]


def evaluate_all(
    chosen: Sequence[tuple[models.Model, DataSet]],
    *,
    threads: int = 1,
    batch: int = BATCH,
    on_step: Callable[[float], None] = lambda done: None,
) -> list[Evaluation]:
    """Each model on its data set's test images; `on_step` is told the share of them all that is done, 0 to 1.

    All are opened before the first is run. Raises ModelError for one that cannot be, and for one that tells another
    number of classes apart than its data set has.
    """
    opened = [(model, models.open_runtime(model, threads=threads), data) for model, data in chosen]
    _check_classes(opened)
    images = sum(len(data.test_images) for _, data in chosen)
    results: list[Evaluation] = []
    for model, runtime, data in opened:
        before = sum(len(result.logits) for result in results)
        tell = partial(_tell, on_step, before, images)
        logits, seconds = run(runtime, data.test_images, batch=batch, on_batch=tell)
        scores = score(logits, data.test_labels)
        results.append(
            Evaluation(model=model, runtime=runtime.name, data=data, scores=scores, logits=logits, seconds=seconds)
        )
    return results


def run(
    runtime: runtimes.Runtime,
    images_nhw: NDArray[np.uint8],
    *,
    batch: int,
    on_batch: Callable[[int], None] = lambda images: None,
) -> tuple[NDArray[np.float32], float]:
    """Logits float32 [n, classes] of images uint8 [n, 28, 28], `batch` at a time, and the seconds it took."""
    logits = np.empty((len(images_nhw), runtime.classes), np.float32)
    start = time.perf_counter()
    for i in range(0, len(images_nhw), batch):
        logits[i : i + batch] = runtime.logits(images_nhw[i : i + batch])
        on_batch(min(i + batch, len(images_nhw)))
    return logits, time.perf_counter() - start


def _tell(on_step: Callable[[float], None], before: int, images: int, done: int) -> None:
    on_step((before + done) / images)


def agreements(results: Sequence[Evaluation]) -> dict[tuple[int, int], Pair]:
    """Every two that saw the same images, by their places in `results`."""
    numbered = list(enumerate(results))
    return {
        (i, j): compare(one.logits, other.logits, one.data.test_labels)
        for (i, one), (j, other) in combinations(numbered, 2)
        if one.data.name == other.data.name
    }


def rows(results: Sequence[Evaluation], pairs: dict[tuple[int, int], Pair]) -> list[dict[str, Any]]:
    """A row for each, as `row()` and `agreement`: {file of another one on the same data set: how far they agree}.

    `only_this` and `only_other` count the images that one alone got right, `p_value` is McNemar's.
    """
    table: list[dict[str, Any]] = [result.row() | {"agreement": {}} for result in results]
    for (i, j), pair in pairs.items():
        alike = {"equal": pair.equal, "largest_difference": pair.largest_difference}
        one, other = pair.only_first, pair.only_second
        for this, that, counts in ((i, j, (one, other)), (j, i, (other, one))):
            alone = dict(zip(("only_this", "only_other"), counts, strict=True))
            table[this]["agreement"][table[that]["file"]] = alike | alone | {"p_value": pair.p_value}
    return table


def _check_classes(opened: Sequence[tuple[models.Model, runtimes.Runtime, DataSet]]) -> None:
    """ModelError where two models that are to be compared do not fit each other, or one not its data set."""
    first: dict[str, tuple[models.Model, int]] = {}
    for model, runtime, data in opened:
        other, classes = first.setdefault(data.name, (model, runtime.classes))
        if runtime.classes != classes:
            raise ModelError(
                f"{model.file} tells {runtime.classes} classes apart and {other.file} {classes}: "
                f"they cannot be compared ({data.name} has {len(data.classes)})."
            )
    for model, runtime, data in opened:
        if runtime.classes != len(data.classes):
            raise ModelError(
                f"{model.file} tells {runtime.classes} classes apart, {data.name} has {len(data.classes)}: "
                "evaluate it on the data set it was trained on."
            )
