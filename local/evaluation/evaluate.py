"""How good model files are on a data set's test or validation images, on this machine's processor.

    result = evaluate(models.find("compact-torch"), data.load("mnist"))
    result.row()                          # what `k2l evaluate --json` prints

    results = evaluate_all([(model, images), (other, images)])
    pairs = agreements(results)           # {(0, 1): Pair}

Every runtime gets the same raw images. Nothing here writes or prints; `local.evaluation.report` keeps what was found,
`local.evaluation.ensemble` lets several answer as one.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.evaluation.significance import Pair, compare, standard_error
from local.evaluation.test_time_augmentation import Viewed
from local.models import registry
from local.runtimes import loading
from shared.core.errors import ModelError, one_of
from shared.core.events import Report, each, silent, within
from shared.data.datasets import DataSet
from shared.training.metrics import Scores, score

BATCH = 32  # images a forward pass: what lies between the layers still fits a core's cache
SPLITS = ("test", "validation")

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def part(data: DataSet, which: str) -> tuple[Images, Labels]:
    """Images and labels [n] of the test split, or of the validation split that no training learns from."""
    if which == "test":
        return data.test_images, data.test_labels
    _, held_out = data.split()
    return data.train_images[held_out], data.train_labels[held_out]


@dataclass(frozen=True, kw_only=True)
class Answers(ABC):
    """Logits float32 [n, classes] of the images of a split, scored; `seconds` is the wall time of all forward passes.

    The classes are those of the data set. Of a model that knows one more, for what is none of them, `rejected` is the
    share that it would take for that: there is no such image in the data set.

    Whose they are, an `Evaluation` says, or a `local.evaluation.ensemble.Committee`.
    """

    runtime: str
    data: DataSet
    images: Images
    labels: Labels
    split: str
    scores: Scores
    logits: NDArray[np.float32]
    seconds: float
    rejected: float | None = None

    @property
    @abstractmethod
    def name(self) -> str:
        """The model's."""

    @property
    @abstractmethod
    def file(self) -> str:
        """Where it lies."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """The size of that file."""

    @property
    @abstractmethod
    def label(self) -> str:
        """Short, for a chart."""

    @property
    def standard_error(self) -> float:
        """The binomial one of the accuracy, a fraction of 1."""
        return standard_error(self.scores.accuracy, len(self.logits))

    def row(self) -> dict[str, Any]:
        """The figures as plain numbers; shares are fractions of 1, the loss is in nats, `bytes` is the file's size."""
        return {
            "model": self.name,
            "file": self.file,
            "runtime": self.runtime,
            "dataset": self.data.name,
            "images": len(self.logits),
            "accuracy": self.scores.accuracy,
            "precision_macro": self.scores.precision_macro,
            "recall_macro": self.scores.recall_macro,
            "f1_macro": self.scores.f1_macro,
            "loss": self.scores.loss,
            "ece": self.scores.ece,
            "bytes": self.bytes,
            "seconds": self.seconds,
            "standard_error": self.standard_error,
            "split": self.split,
            **({} if self.rejected is None else {"rejected": self.rejected}),
        }


@dataclass(frozen=True, kw_only=True)
class Evaluation(Answers):
    """One model file on the images of one data set's split."""

    model: registry.Model

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def file(self) -> str:
        return str(self.model.file)

    @property
    def bytes(self) -> int:
        return self.model.file.stat().st_size

    @property
    def label(self) -> str:
        """Model and file, short: "compact-torch/model.onnx"."""
        return f"{self.model.name}/{self.model.file.name}"


def evaluate(
    model: registry.Model, data: DataSet, *, split: str = "test", threads: int = 1, batch: int = BATCH
) -> Evaluation:
    """Runs the images of the data set's split through the model and scores the logits."""
    return evaluate_all([(model, data)], split=split, threads=threads, batch=batch)[0]


def evaluate_all(
    chosen: Sequence[tuple[registry.Model, DataSet]],
    *,
    split: str = "test",
    threads: int = 1,
    batch: int = BATCH,
    views: bool = False,
    report: Report = silent,
) -> list[Evaluation]:
    """Each model on the images of its data set's split. Reports Progress over all of them.

    With `views` each answers by the mean over several views of an image (`local.evaluation.test_time_augmentation`),
    and its `runtime` says so. All are opened before the first is run. Raises ModelError for one that cannot be, and for
    one that tells another number of classes apart than its data set has; ConfigError for a split that does not exist.
    """
    one_of("split", split, SPLITS)
    seen: Callable[[loading.Runtime], loading.Runtime] = Viewed if views else lambda runtime: runtime
    opened = [(model, seen(registry.open_runtime(model, threads=threads)), data) for model, data in chosen]
    _check_classes(opened)
    shown = {data.name: part(data, split) for _, data in chosen}
    count = sum(len(shown[data.name][1]) for _, data in chosen)
    results: list[Evaluation] = []
    for model, runtime, data in opened:
        images, labels = shown[data.name]
        before = sum(len(result.logits) for result in results)
        share = within(report, before / count, (before + len(images)) / count)
        logits, seconds = run(runtime, images, batch=batch, report=share)
        known = logits[:, : len(data.classes)]
        results.append(
            Evaluation(
                model=model,
                runtime=runtime.name,
                data=data,
                images=images,
                labels=labels,
                split=split,
                scores=score(known, labels),
                logits=known,
                rejected=rejected(logits, len(data.classes)),
                seconds=seconds,
            )
        )
    return results


def rejected(logits_nk: NDArray[np.float32], classes: int) -> float | None:
    """The share for which the class beyond those of the data set, for none of them, is the likeliest; None without."""
    return None if logits_nk.shape[1] == classes else float((logits_nk.argmax(axis=1) == classes).mean())


def run(
    runtime: loading.Runtime,
    images: NDArray[np.uint8],
    *,
    batch: int,
    report: Report = silent,
) -> tuple[NDArray[np.float32], float]:
    """Logits float32 [n, classes] of images uint8, `batch` at a time, and the seconds it took."""
    logits = np.empty((len(images), runtime.classes), np.float32)
    start = time.perf_counter()
    for i in each(range(0, len(images), batch), report):
        logits[i : i + batch] = runtime.logits(images[i : i + batch])
    return logits, time.perf_counter() - start


def agreements(results: Sequence[Evaluation]) -> dict[tuple[int, int], Pair]:
    """Every two that saw the same images, by their places in `results`."""
    numbered = list(enumerate(results))
    return {
        (i, j): compare(one.logits, other.logits, one.labels)
        for (i, one), (j, other) in combinations(numbered, 2)
        if one.data.name == other.data.name
    }


def rows(results: Sequence[Evaluation], pairs: dict[tuple[int, int], Pair]) -> list[dict[str, Any]]:
    """A row for each, as `row()` and `agreement`: {file of another one on the same data set: how far they agree}.

    `only_this` and `only_other` count the images that one alone got right, `p_value` is McNemar's.
    """
    table: list[dict[str, Any]] = [result.row() | {"agreement": {}} for result in results]
    for (i, j), pair in pairs.items():
        table[i]["agreement"][table[j]["file"]] = as_seen(pair, pair.only_first, pair.only_second)
        table[j]["agreement"][table[i]["file"]] = as_seen(pair, pair.only_second, pair.only_first)
    return table


def as_seen(pair: Pair, only_this: int, only_other: int) -> dict[str, Any]:
    """A pair from the side of one of the two, as `rows` has it."""
    return {
        "equal": pair.equal,
        "largest_difference": pair.largest_difference,
        "only_this": only_this,
        "only_other": only_other,
        "p_value": pair.p_value,
    }


def _check_classes(opened: Sequence[tuple[registry.Model, loading.Runtime, DataSet]]) -> None:
    """ModelError where two models that are to be compared do not fit each other, or one not its data set."""
    first: dict[str, tuple[registry.Model, int]] = {}
    for model, runtime, data in opened:
        other, classes = first.setdefault(data.name, (model, runtime.classes))
        if runtime.classes != classes:
            raise ModelError(
                f"{model.file} tells {runtime.classes} classes apart and {other.file} {classes}: "
                f"they cannot be compared ({data.name} has {len(data.classes)})."
            )
    for model, runtime, data in opened:
        if runtime.spec != data.input:
            raise ModelError(
                f"{model.file} takes {runtime.spec} pictures, {data.name} has {data.input} ones: "
                "evaluate it on the data set it was trained on."
            )
        if runtime.classes - len(data.classes) not in (0, 1):  # one more is for what is none of them
            raise ModelError(
                f"{model.file} tells {runtime.classes} classes apart, {data.name} has {len(data.classes)}: "
                "evaluate it on the data set it was trained on."
            )
