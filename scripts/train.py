"""`k2l train`: the same training, on this machine, with progress, interruption and resumption."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.steps import options, training_options
from scripts.steps.progress import tell
from scripts.steps.training import followed
from scripts.terminal.edge import Ended, run
from scripts.terminal.output import Json, emit, say, show
from scripts.terminal.verbs import again

if TYPE_CHECKING:
    from local.experiments.train import Interrupted, Training
    from local.models.checkpoints import Checkpoint
    from shared.core.manifest import TrainingManifest
    from shared.training.config import TrainConfig


# The next commands for a network, by its data set; {0} is its name.
OTHERWISE = ("next: k2l evaluate {0} --all", "make it smaller: k2l quantize {0}")
READS = ("next: k2l predict PICTURE --model {0}", OTHERWISE[1])
DIGITS_ALONE = (*READS, "For photographs leave out --model: the zoo's camera, made for them, reads them better.")
NEXT = {"mnist": DIGITS_ALONE, "digits": DIGITS_ALONE, "camera": READS}


@training_options.trained()
def train(
    wanted: training_options.Requested,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Train this many, from --seed on; save the best on the validation images."),
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=0, help="With --seeds: save this seed, chosen on something else.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the interrupted training.")] = False,
    data_dir: options.DataDir = None,
    json: Json = False,
) -> None:
    """Train on this machine.

    Leaves models/NAME with its manifest, as a pull does. Ctrl-C saves the best epoch so far; --resume continues from
    the last one, after a crash too. --seeds gives mean and spread, and trains no finished seed again.

    Example: k2l train --architecture lite --epochs 15 --name lite
    """
    from local.experiments.train import Training
    from local.runs import journal
    from shared.core.errors import one_of
    from shared.frameworks import FRAMEWORKS

    one_of("framework", wanted.framework, FRAMEWORKS)
    config = wanted.config(data_dir=data_dir)
    training = Training(config=config, framework=wanted.framework, name=wanted.model(config))
    if keep is not None and seeds is None:
        raise typer.BadParameter("it needs --seeds", param_hint="--keep")
    if seeds is not None:
        found = several(training, seeds, keep=keep, data_dir=data_dir)
    else:
        with journal.lock(training.name):
            found = single(training, resume=resume, data_dir=data_dir)
    if found is None:
        return
    if json:
        emit([found.as_dict()])
    else:
        show_all(found, training.folder)


def show_all(found: "TrainingManifest", folder: Path) -> None:
    """The result, and the next commands."""
    import numpy as np

    accuracy, count = found.test_accuracy, len(np.load(folder / "labels.npy", mmap_mode="r"))
    show(f"test accuracy {accuracy:.2%} of {found.dataset} ({count:,} images); everything is in {folder}")
    for line in NEXT.get(found.dataset, OTHERWISE):
        say(line.format(folder.name))


def single(training: "Training", *, resume: bool, data_dir: Path | None) -> "TrainingManifest":
    """One network in models/NAME: its manifest. Raises Ended with a message."""
    from local.experiments.train import Interrupted

    found = waiting(training)
    if found:
        tell_found(found, resume=resume)
    replaced = training.folder.exists()
    try:
        return watched(training.config, training, resume=resume, data_dir=data_dir)
    except Interrupted as end:
        raise Ended(interrupted(end, training.folder, replaced=replaced)) from None
    except KeyboardInterrupt:  # before it started, or a second one
        found = waiting(training)
        if found is None or found.differs:
            raise
        kept = f"the first {found.epoch} of {found.epochs} epochs are kept"
        raise Ended(f"interrupted: nothing is half-written, {kept}.\nResume with: {again('--resume')}") from None


def several(training: "Training", count: int, *, keep: int | None, data_dir: Path | None) -> "TrainingManifest | None":
    """So many seeds, the best or seed `keep` in models/NAME: its manifest, or None if other commands train some."""
    from local.experiments import seeds

    def one(config: "TrainConfig", folder: Path) -> "TrainingManifest":
        found = waiting(training, config=config, folder=folder)
        resume = found is not None and not found.differs
        if found:
            tell_found(found, resume=resume)
        return watched(config, training, resume=resume, folder=folder, data_dir=data_dir)

    try:
        done = seeds.trained(training, count, train=one, keep=keep, report=tell)
    except KeyboardInterrupt:
        raise Ended(f"interrupted: every complete epoch is saved.\nResume with: {again()}") from None
    if done.rows:
        say(f"test accuracy {seeds.summary(done.rows)}")
    if done.elsewhere:
        say(f"another command trains seed {', '.join(map(str, done.elsewhere))}, and will make {training.folder}")
    return done.manifest


def watched(config: "TrainConfig", training: "Training", **options: Any) -> "TrainingManifest":
    """A training with its epochs on stderr; its manifest."""
    from local.experiments.train import train

    with followed() as report:
        return train(config, framework=training.framework, name=training.name, report=report, **options)


def waiting(
    training: "Training", *, config: "TrainConfig | None" = None, folder: Path | None = None
) -> "Checkpoint | None":
    """What an interrupted training left."""
    from local.experiments import train

    return train.waiting(config or training.config, framework=training.framework, name=training.name, folder=folder)


def tell_found(found: "Checkpoint", *, resume: bool) -> None:
    """Reports what happens to an existing interrupted training."""
    place = f"after epoch {found.epoch} of {found.epochs}"
    if not resume and found.differs:
        say(f"NOTE: a training that was interrupted {place} is replaced by this one: {', '.join(found.differs)}.")
    elif not resume:
        say(f"NOTE: this training was interrupted {place}, and starts again. To resume it: {again('--resume')}")
    elif not found.differs:  # else it is refused
        say(f"resuming {place}")


def interrupted(end: "Interrupted", folder: Path, *, replaced: bool) -> str:
    """What an interrupted training left, and how to resume."""
    go_on = f"Resume with: {again('--resume')}"
    if not end.epoch:
        there = f"{folder} is unchanged" if replaced else "no files are left"
        return f"interrupted before the first epoch had ended: {there}.\nNothing to resume: run the same command again."
    if end.manifest is None:
        return f"interrupted before another epoch had ended: the first {end.epoch} of {end.epochs} are kept.\n{go_on}"
    if not end.manifest.interrupted:
        return f"interrupted when the training had ended: {folder} is complete."
    best = f"validation accuracy {end.manifest.metrics['validation']['accuracy']:.2%}"
    return f"interrupted after epoch {end.epoch} of {end.epochs}: {folder} has the best one ({best}).\n{go_on}"


if __name__ == "__main__":
    run(train)
