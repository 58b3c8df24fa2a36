"""What the two training loops share: the rows of the history, when they end, and what comes out.

    trained = train(config, data, report)                # of shared.training.train_torch or train_keras
    trained = train(config, data, resume=snapshot)       # as if it had never been interrupted

Framework-free: a `model` here is a torch module or a Keras model, and nothing looks inside it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.core.errors import DivergedError
from shared.core.events import StepEnded
from shared.data.datasets import DataSet
from shared.networks.architectures import Architecture, architecture
from shared.training.config import TrainConfig
from shared.training.metrics import Scores, score

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network ready to predict, its history (a row an epoch), and its scores on the validation images.

    `accelerator` is the GPU's name, or "CPU, 2 threads"; `precision` is float32 or bfloat16.
    `seconds` are those of the clock, `cpu_seconds` what this process took of all processors together.
    `interrupted` is {epoch, of} where it was ended after so many epochs: the network is then that of the best of them.
    """

    model: Any
    history: list[Row]
    validation: Scores
    accelerator: str
    precision: str
    seconds: float
    cpu_seconds: float
    interrupted: dict[str, int] | None = None


class StopTraining(Exception):
    """A `report` raises it to interrupt a training: `train` returns the best so far; else it is raised."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A training at the end of an epoch, and all it takes to go on from there as if nothing had been.

    `state` is the framework's: weights, averaged weights, those of the best epoch, optimizer, place in the schedule,
    random generators. Its `save_state` and `load_state` put it into a file.
    """

    history: list[Row]
    seconds: float
    cpu_seconds: float
    state: Any


class Stopwatch:
    """Seconds since it was made: of the clock, and of all processors together as this process kept them busy.

    Those of a training that is gone on with are added.
    """

    def __init__(self, earlier: Snapshot | None = None) -> None:
        self.clock = time.perf_counter() - (earlier.seconds if earlier else 0)
        self.cpu = time.process_time() - (earlier.cpu_seconds if earlier else 0)

    def read(self) -> dict[str, float]:
        """`seconds` and `cpu_seconds`, as a history and a manifest name them."""
        return {"seconds": time.perf_counter() - self.clock, "cpu_seconds": time.process_time() - self.cpu}


def network_for(config: TrainConfig, data: DataSet) -> Architecture:
    """The network that is trained: for pictures as the data set has them, and its classes.

    Raises ConfigError where the pictures are too small for it.
    """
    return architecture(config.architecture, data.input, len(data.classes))


def epoch_row(progress: StepEnded, checked: Scores, *, learning_rate: float, began: Stopwatch) -> Row:
    """One line of the history, the same from both frameworks.

    `progress` is that of the epoch's end: its loss (cross-entropy in nats, without smoothing) and accuracy are of the
    training images as trained: augmented, with dropout. `learning_rate` is the one at the end, `began` runs since the
    beginning.
    """
    loss, accuracy = progress.running()
    return {
        "epoch": progress.epoch,
        "train_loss": loss,
        "train_accuracy": accuracy,
        "validation_loss": checked.loss,
        "validation_accuracy": checked.accuracy,
        "learning_rate": learning_rate,
        **began.read(),
    }


def check(logits: NDArray[np.float32], labels: NDArray[np.int64], epoch: int) -> Scores:
    """The scores of an epoch's validation logits [n, classes]; DivergedError where the training did."""
    if not np.isfinite(logits).all():
        raise DivergedError(f"the training diverged in epoch {epoch}: the logits are not finite. Lower learning_rate.")
    return score(logits, labels)


def best_epoch(history: list[Row]) -> int:
    """The number of the epoch with the lowest validation loss, the first of several; 0 where there is none."""
    return min(history, key=lambda row: row["validation_loss"])["epoch"] if history else 0


def epochs_to_come(config: TrainConfig, history: list[Row]) -> Iterator[int]:
    """The numbers of the epochs that are still to be run; `history` grows meanwhile, and may end them early."""
    while len(history) < config.epochs:
        if config.patience and len(history) - best_epoch(history) >= config.patience:
            return
        yield len(history) + 1
