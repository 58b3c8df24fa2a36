"""One training, timed until its validation accuracy reaches a target: as a contestant of `local.experiments.race`.

    figures = train_to(0.99, config, framework="torch")

For a fresh process, whose whole work is `answer`: the number of threads holds until it ends. Imports, reading the data
and a warm-up are not timed. The warm-up makes two steps of the same training on a few images: at the first one PyTorch
imports half of itself. It goes through the same code for every network and recipe, and leaves no network behind.
"""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from local.core.interruption import end_with_parent
from local.experiments.train import trainer_of
from shared.core.errors import UserError
from shared.core.events import EpochEnded, Event, StepEnded
from shared.training.config import TrainConfig
from shared.training.loop import StopTraining, Stopwatch

WARM_UP_STEPS = 2


def train_to(
    target: float,
    config: TrainConfig,
    *,
    framework: str,
    threads: int | None = None,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Trains until an epoch's validation accuracy (0..1) is at least `target`, or `config.epochs` are over.

    Gives `reached`, `epochs`, `seconds` and `cpu_seconds` to that epoch's end without the checks,
    `validation_accuracy` there, `test_accuracy` (read once), `others`: how many processors other programs kept busy
    meanwhile, and the `accelerator`. Raises what `shared.training.train_torch.train` raises, and DataError.
    """
    import psutil

    from shared.data.datasets import load
    from shared.training.metrics import score

    data = load(config.dataset, data_dir=data_dir)
    trainer = trainer_of(framework)
    if threads is not None:
        _use_threads(framework, threads)
    few = slice(config.batch_size * WARM_UP_STEPS)
    small = replace(data, train_images=data.train_images[few], train_labels=data.train_labels[few])
    trainer.train(replace(config, epochs=1), small)

    psutil.cpu_percent()  # counts from here
    clock = Clock(target, config.epochs, framework=framework)
    trained = trainer.train(config, data, clock.report)
    others = psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1) - clock.own_processors()

    test = score(trainer.predict(trained.model, data.test_images, data.input), data.test_labels)
    return {
        "reached": clock.reached,
        "epochs": clock.epochs_taken,
        **clock.spent,
        "validation_accuracy": clock.accuracy,
        "test_accuracy": test.accuracy,
        "others": max(0.0, others),
        "accelerator": trained.accelerator,
    }


def answer() -> None:
    """Reads from stdin what to train, a JSON object, and writes to stdout what came of it, in a line.

    That is what `train_to` gives, or `error`: what the user can mend.
    """
    order = sys.stdin.read()
    if not order:  # who started this was interrupted before it could say what for
        return
    end_with_parent()
    try:
        with redirect_stdout(sys.stderr):
            reply = _follow(**json.loads(order))
    except UserError as error:
        reply = {"error": str(error)}
    sys.stdout.write(json.dumps(reply) + "\n")


def _follow(target: float, config: dict[str, Any], data_dir: str | None, **options: Any) -> dict[str, Any]:
    return train_to(target, TrainConfig(**config), data_dir=Path(data_dir) if data_dir else None, **options)


class Clock:
    """Follows a training through its events: its seconds without the checks, and whether it is to be ended."""

    def __init__(self, target: float, epochs: int, *, framework: str) -> None:
        self.target, self.epochs, self.framework = target, epochs, framework
        self.watch = Stopwatch()
        self.checks = {"seconds": 0.0, "cpu_seconds": 0.0}
        self.spent: dict[str, float] = {}
        self.reached, self.epochs_taken, self.accuracy = False, 0, 0.0

    def report(self, event: Event) -> None:
        """Reads the clock after the last step of an epoch, and again after the check that follows it."""
        if isinstance(event, StepEnded) and event.images == event.images_per_epoch:
            _settle(self.framework)
            self.spent = {name: now - self.checks[name] for name, now in self.watch.read().items()}
        elif isinstance(event, EpochEnded):
            self._epoch(event.row)

    def _epoch(self, row: dict[str, Any]) -> None:
        """Takes in the check that has come between; ends a training that has reached the target, if it would go on."""
        self.checks = {name: now - self.spent[name] for name, now in self.watch.read().items()}
        self.epochs_taken, self.accuracy = row["epoch"], row["validation_accuracy"]
        self.reached = self.accuracy >= self.target
        if self.reached and self.epochs_taken < self.epochs:
            raise StopTraining

    def own_processors(self) -> float:
        """How many processors this process has kept busy since the clock began."""
        now = self.watch.read()
        return now["cpu_seconds"] / now["seconds"]


def _use_threads(framework: str, threads: int) -> None:
    if framework == "torch":
        import torch

        torch.set_num_threads(threads)
    else:
        from shared.frameworks.start_keras import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)


def _settle(framework: str) -> None:
    """Returns when a GPU has done what it was told; a processor has."""
    if framework == "torch":
        import torch

        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()
    else:
        from shared.frameworks.start_keras import tensorflow

        tensorflow.test.experimental.sync_devices()
