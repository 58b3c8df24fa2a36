"""Several architectures trained one after another with one recipe, and what came of each.

    network = trained(train.Training(config=config, framework="torch", name="lite-torch"))
    network.row()                         # what `k2l compare --json` prints
    draw([network, other], folder)        # curves.png, parameters.png

Each ends in `models/<name>/` as `k2l train` leaves it, before the next begins. One that is there already, with the
same parameters and the same training code, is not trained again.
"""

import statistics
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.core.events import Resumed
from local.core.outputs import gathered
from local.evaluation import comparison_plots, significance
from local.experiments import train
from local.runs import journal
from shared.core.errors import ModelError
from shared.core.events import Report, silent
from shared.core.manifest import TrainingManifest
from shared.training import plots
from shared.training.results import read_history


@dataclass(frozen=True, kw_only=True)
class Network:
    """A trained network: its manifest, its epochs, and whether it was trained just now."""

    folder: Path
    manifest: TrainingManifest
    history: list[dict[str, float]]
    trained_now: bool

    @property
    def test_images(self) -> int:
        """How many images the test accuracy was measured on."""
        return len(_whole_numbers(self.folder / "labels.npy"))

    @property
    def test_accuracy(self) -> float:
        return self.manifest.test_accuracy

    def row(self) -> dict[str, Any]:
        """What `k2l compare --json` prints: shares are fractions of 1, times are seconds on `accelerator`.

        `epochs` counts those that were run; early stopping may make them fewer than asked for. `seconds_epoch` is
        their median, without the first where there are more: Keras builds its graph in it.
        """
        facts, seconds = self.manifest, [epoch["seconds"] for epoch in self.history]
        return {
            "name": facts.name,
            "architecture": facts.architecture,
            "framework": facts.framework,
            "dataset": facts.dataset,
            "recipe": facts.parameters["recipe"],
            "seed": facts.parameters["seed"],
            "epochs": len(self.history),
            "trainable_parameters": facts.trainable_parameters,
            "test_images": self.test_images,
            "test_accuracy": self.test_accuracy,
            "standard_error": significance.standard_error(self.test_accuracy, self.test_images),
            "validation_accuracy": facts.metrics["validation"]["accuracy"],
            "seconds_training": sum(seconds),
            "seconds_epoch": statistics.median(seconds[1:] or seconds),
            "accelerator": facts.environment["accelerator"],
            "trained_now": self.trained_now,
        }


def trained(
    training: train.Training,
    *,
    data_dir: Path | None = None,
    again: bool = False,
    report: Report = silent,
) -> Network:
    """The network in `models/<name>/`, trained unless it is there; `again`: trained in any case, from the start.

    One whose training was interrupted is trained from there on. Reports Resumed, and what `local.experiments.train`
    does. Raises KernelError where another command is at work on a model of that name, and
    `local.experiments.train.Interrupted`.
    """
    with journal.lock(training.name):
        stated = None if again else train.finished(training.folder, training.sha256)
        trained_now = stated is None
        if stated is None:
            found = None if again else train.waiting(training.config, framework=training.framework, name=training.name)
            resume = found is not None and not found.differs
            if found and resume:
                report(Resumed(found.epoch, found.epochs))
            stated = train.train(
                training.config,
                framework=training.framework,
                name=training.name,
                data_dir=data_dir,
                resume=resume,
                report=report,
            )
    history = read_history(training.folder / "history.csv")
    return Network(folder=training.folder, manifest=stated, history=history, trained_now=trained_now)


def differences(networks: Sequence[Network]) -> dict[tuple[int, int], significance.Pair]:
    """Every two that were tested on the same images, by their places, from the answers they left behind."""
    answers = [_whole_numbers(one.folder / "predictions.npy") for one in networks]
    labels = [_whole_numbers(one.folder / "labels.npy") for one in networks]
    return {
        (i, j): significance.compare_answers(answers[i], answers[j], labels[i])
        for i, j in combinations(range(len(networks)), 2)
        if np.array_equal(labels[i], labels[j])
    }


def draw(networks: Sequence[Network], folder: Path) -> list[Path]:
    """Writes `curves.png`, validation accuracy over epochs, and `parameters.png`, test accuracy against parameters."""
    points = [
        comparison_plots.Point(
            label=row["name"],
            accuracy=row["test_accuracy"],
            error=row["standard_error"],
            parameters=row["trainable_parameters"],
        )
        for row in (one.row() for one in networks)
    ]
    histories = {one.manifest.name: one.history for one in networks}
    what = f"accuracy on {', '.join(dict.fromkeys(one.manifest.dataset for one in networks))} (%)"
    curves = comparison_plots.learning_curves(histories, title=f"Validation {what}")
    by_parameters = comparison_plots.accuracy_by_parameters(points, title=f"Test {what}")
    with gathered(folder) as stage:
        plots.save(curves, stage / "curves.png")
        plots.save(by_parameters, stage / "parameters.png")
    return [folder / "curves.png", folder / "parameters.png"]


def _whole_numbers(path: Path) -> NDArray[np.int64]:
    """What a run left as its answers or the truth; ModelError where that is anything but a row of whole numbers."""
    try:
        # As large as it says, or not at all; and no pickle, for the run may have been anybody's.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iu":
            raise ValueError("it is something else")
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        why = str(error).partition("\n")[0][:160]
        raise ModelError(f"{path} is no row of whole numbers ({why}). Pull or train the model again.") from None
    return np.asarray(array, np.int64)
