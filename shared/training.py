"""What the two training loops share: the row of history an epoch leaves, early stopping, and what comes out.

Framework-free: a `model` here is a torch module or a Keras model, and nothing looks inside it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import ConfigError
from shared.metrics import Scores, score

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network ready to predict, its history (a row an epoch), and its scores on the validation images."""

    model: Any
    history: list[Row]
    validation: Scores
    precision: str
    seconds: float


def epoch_row(epoch: int, *, loss: float, accuracy: float, checked: Scores, learning_rate: float, began: float) -> Row:
    """One line of the history, the same from both frameworks.

    `loss` (the cross-entropy in nats, without smoothing) and `accuracy` are of the training images as trained:
    augmented, with dropout. `learning_rate` is the one at the epoch's end, `began` its `time.perf_counter()`.
    """
    return {
        "epoch": epoch,
        "train_loss": loss,
        "train_accuracy": accuracy,
        "validation_loss": checked.loss,
        "validation_accuracy": checked.accuracy,
        "learning_rate": learning_rate,
        "seconds": time.perf_counter() - began,
    }


def check(logits: NDArray[np.float32], labels: NDArray[np.int64], epoch: int) -> Scores:
    """The scores of an epoch's validation logits [n, classes]; ConfigError where the training diverged."""
    if not np.isfinite(logits).all():
        raise ConfigError(f"the training diverged in epoch {epoch}: the logits are not finite. Lower learning_rate.")
    return score(logits, labels)


@dataclass
class Best:
    """The epoch with the lowest validation loss so far: its scores and weights, for early stopping."""

    scores: Scores | None = None
    weights: Any = None
    epochs_since: int = 0

    def update(self, scores: Scores) -> bool:
        """Takes in one epoch; True where it is the best yet, and its weights are to be kept."""
        self.epochs_since += 1
        if self.scores is not None and scores.loss >= self.scores.loss:
            return False
        self.scores, self.epochs_since = scores, 0
        return True


def takes_gpu(wanted: str, trouble: Callable[[], str]) -> bool:
    """Whether device `auto`, `cpu` or `cuda` means the GPU; `trouble` says why it cannot be used, or "".

    It is not asked where the CPU is wanted. Raises ConfigError where `cuda` cannot be had, with the reason.
    """
    reason = "" if wanted == "cpu" else trouble()
    if wanted == "cuda" and reason:
        raise ConfigError(f"device 'cuda' cannot be used: {reason}. Use device 'cpu', or another accelerator.")
    return wanted != "cpu" and not reason


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself, as Linux tells it; elsewhere, float32 is never wrong."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
