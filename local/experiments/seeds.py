"""The same training with several seeds: what it gives on average, how far that varies, and one network to keep.

    done = seeds.trained(
        Training(config=config, framework="torch", name="lite"),
        5,
        train=lambda config, folder: train.train(config, framework="torch", name="lite", folder=folder),
        report=tell,
    )
    done.rows, done.manifest              # a row a seed; the manifest of models/lite/, None where seeds are missing

Seeds SEED to SEED + N - 1 are trained one after another, each into a folder of its own under `.k2l/seeds/`. One that
is there, of the same parameters and the same code, is not trained again: ended at any moment, the same command goes on,
and a larger N adds to what is there. The same command in two terminals shares the seeds out between them. Whichever
finds all of them finished makes `models/<name>/` from the one with the lowest validation loss, never chosen on the
test images, and names all in the manifest under `seeds`, with the processor.

The caller must not hold `runs.lock(name)`: each seed has a lock of its own, and the model is locked while it is made.
"""

import dataclasses
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.core import workspace
from local.core.events import SeedBegun, SeedEnded
from local.core.hardware import processor
from local.experiments.train import Training, finished
from local.models.install import copy, install, recover
from local.runs import journal
from shared.core import manifest
from shared.core.errors import ConfigError, KernelError, ModelError
from shared.core.events import Report, silent
from shared.core.manifest import TrainingManifest
from shared.training.config import TrainConfig

Manifest = TrainingManifest
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """What came of all seeds: a row for each that is finished, and those that another command is training now.

    `manifest` is that of `models/<name>/`; None where not all seeds are finished, and nothing was installed.
    """

    rows: list[Row]
    elsewhere: list[int]
    manifest: Manifest | None


def trained(
    training: Training,
    count: int,
    *,
    train: Callable[[TrainConfig, Path], Manifest],
    keep: int | None = None,
    report: Report = silent,
) -> Seeds:
    """Trains `count` seeds, from the training's own on, those that are not there yet; installs the best of them.

    That is the one with the lowest validation loss, or seed `keep`, which was chosen on something else; ConfigError
    where that is none of them.

    `train` makes a model folder of a config at a place, over one that was interrupted there, and returns its manifest.
    Reports SeedBegun, SeedEnded and BackupMade.
    """
    seeds = range(training.config.seed, training.config.seed + count)
    if keep is not None and keep not in seeds:
        raise ConfigError(f"seed {keep} cannot be kept: it is none of {seeds.start} to {seeds.stop - 1}")
    plan = {seed: _Seed.of(training, seed) for seed in seeds}
    done: dict[int, Manifest] = {}
    for _ in range(2):  # again at the end: what another command had in hand may be finished by then
        for seed in seeds:
            if seed not in done and (stated := plan[seed].trained(train, report)):
                done[seed] = stated
                report(SeedEnded(row(stated)))
    elsewhere = [seed for seed in seeds if seed not in done]
    finished = [done[seed] for seed in seeds if seed in done]
    installed = None if elsewhere else _install(training.name, finished, plan, keep, report)
    return Seeds(rows=[row(stated) for stated in finished], elsewhere=elsewhere, manifest=installed)


def row(stated: Manifest) -> Row:
    """A seed as the manifest names it: shares are fractions of 1, the loss is in nats."""
    validation = stated.metrics["validation"]
    return {
        "seed": stated.parameters["seed"],
        "validation_loss": validation["loss"],
        "validation_accuracy": validation["accuracy"],
        "test_accuracy": stated.test_accuracy,
        **stated.training,
    }


def line(row: Row) -> str:
    """What a seed gave, for people."""
    return (
        f"seed {row['seed']}: test accuracy {row['test_accuracy']:.2%}, validation {row['validation_accuracy']:.2%} "
        f"(loss {row['validation_loss']:.4f}), {row['seconds']:.1f} s, {row['cpu_seconds']:.1f} cpu-s"
    )


def summary(rows: Sequence[Row]) -> str:
    """Mean and spread for people: "99.30 % ± 0.03 (mean ± standard deviation of 5 seeds)"."""
    mean, deviation = spread([row["test_accuracy"] for row in rows])
    if deviation is None:
        return f"{100 * mean:.2f} % (1 seed: its spread is not known)"
    return f"{100 * mean:.2f} % ± {100 * deviation:.2f} (mean ± standard deviation of {len(rows)} seeds)"


def spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; None for that of a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class _Seed:
    """One seed of a training, and where it lies: the folder's name holds the hash of parameters and code."""

    seed: int
    config: TrainConfig
    name: str
    folder: Path
    sha256: str

    @classmethod
    def of(cls, training: Training, seed: int) -> "_Seed":
        config = dataclasses.replace(training.config, seed=seed)
        sha256 = dataclasses.replace(training, config=config).sha256
        folder = workspace.state() / "seeds" / training.name / f"seed-{seed}-{sha256[:16]}"
        return cls(seed, config, training.name, folder, sha256)

    def finished(self) -> Manifest | None:
        """Its manifest, once it is trained to the end; ModelError where its files were changed since."""
        recover(self.folder.parent)
        return finished(self.folder, self.sha256)

    def trained(self, train: Callable[[TrainConfig, Path], Manifest], report: Report) -> Manifest | None:
        """Its manifest, trained now if it is not there; None where another command is at work on it.

        What `train` raises ends it all: the seeds behind one that was interrupted shall not begin.
        """
        with suppress(ModelError):  # of a folder that is being replaced just now; else it is told under the lock
            if stated := self.finished():
                return stated
        try:
            held = journal.lock(f"{self.name}.{self.folder.name}")
        except KernelError:
            return None
        with held:
            if stated := self.finished():  # by the command that held the lock until now
                return stated
            report(SeedBegun(self.seed))
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            return train(self.config, self.folder)


def _install(
    name: str,
    finished: Sequence[Manifest],
    plan: Mapping[int, _Seed],
    keep: int | None,
    report: Report,
) -> Manifest:
    """`models/<name>/` as a copy of seed `keep`, or of that with the lowest validation loss; all are in its manifest.

    Where it is that one already, what was exported since is kept.
    """
    best = min(
        finished,
        key=lambda stated: (stated.parameters["seed"] != keep, stated.metrics["validation"]["loss"]),
    )
    rows = [row(stated) for stated in finished]
    folder = workspace.models() / name
    with journal.lock(name):
        present = _readable(folder)
        if present is None or present.run_id != best.run_id:
            stage = workspace.state() / "trained" / str(best.run_id)
            shutil.rmtree(stage, ignore_errors=True)  # of a copy that was killed
            by_hand = "" if keep is None else "by hand"
            present = dataclasses.replace(best, seeds=rows, processor=processor(), kept=by_hand)
            try:
                copy(plan[best.parameters["seed"]].folder, stage)
                manifest.save(stage, present)
                install(stage, name, aside=workspace.state() / "replaced" / name, report=report)
            except BaseException:
                shutil.rmtree(stage, ignore_errors=True)
                raise
        elif present.seeds != rows:
            present = manifest.save(folder, dataclasses.replace(present, seeds=rows))
    return present


def _readable(folder: Path) -> Manifest | None:
    try:
        return manifest.read(folder)
    except ModelError:
        return None
