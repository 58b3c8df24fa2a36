"""`k2l train`: the same training, on this machine, to be watched, interrupted and gone on with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.steps import options
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


# What one does with a network next, by what it was trained on; {0} is its name.
OTHERWISE = ("next: k2l evaluate {0} --all", "make it smaller: k2l quantize {0}")
READS = ("next: k2l predict PICTURE --model {0}", OTHERWISE[1])
DIGITS_ALONE = (*READS, "For photographs leave out --model: the zoo's camera, made for them, reads them better.")
NEXT = {"mnist": DIGITS_ALONE, "digits": DIGITS_ALONE, "camera": READS}


@options.trained()
def train(
    wanted: options.Requested,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Train this many, from --seed on; keep the best on the validation images."),
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=0, help="With --seeds: keep this seed, chosen on something else.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training that was interrupted.")] = False,
    data_dir: options.DataDir = None,
    json: Json = False,
) -> None:
    """Train on this machine.

    Leaves models/NAME with its manifest, as a pull does. Ctrl-C keeps the best epoch so far; --resume goes on from the
    last one, after a crash too. --seeds gives mean and spread, and trains no finished seed again.

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
    """What came of it, and what can be done with it now."""
    import numpy as np

    accuracy, count = found.test_accuracy, len(np.load(folder / "labels.npy", mmap_mode="r"))
    show(f"test accuracy {accuracy:.2%} of {found.dataset} ({count:,} images); everything is in {folder}")
    for line in NEXT.get(found.dataset, OTHERWISE):
        say(line.format(folder.name))


def single(training: "Training", *, resume: bool, data_dir: Path | None) -> "TrainingManifest":
    """One network in models/NAME: its manifest. Raises Ended, with what there is to say."""
    from local.experiments.train import Interrupted

    found = waiting(training)
    if found:
        tell_found(found, resume=resume)
    replaced = training.folder.exists()
    try:
        return watched(training.config, training, resume=resume, data_dir=data_dir)
    except Interrupted as end:
        raise Ended(interrupted(end, training.folder, replaced=replaced)) from None
    except KeyboardInterrupt:  # before it began, or a second one
        found = waiting(training)
        if found is None or found.differs:
            raise
        kept = f"the first {found.epoch} of {found.epochs} epochs are kept"
        raise Ended(f"interrupted: nothing is half-written, {kept}.\nGo on with: {again('--resume')}") from None


def several(training: "Training", count: int, *, keep: int | None, data_dir: Path | None) -> "TrainingManifest | None":
    """So many seeds, the best or seed `keep` in models/NAME: its manifest, or None where other commands train some."""
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
        raise Ended(f"interrupted: every epoch that ended is kept.\nGo on with: {again()}") from None
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
    """What becomes of an interrupted training that is there."""
    place = f"after epoch {found.epoch} of {found.epochs}"
    if not resume and found.differs:
        say(f"NOTE: a training that was interrupted {place} makes way for this one: {', '.join(found.differs)}.")
    elif not resume:
        say(f"NOTE: this training was interrupted {place}, and starts anew. To go on with it: {again('--resume')}")
    elif not found.differs:  # else it is refused
        say(f"going on {place}")


def interrupted(end: "Interrupted", folder: Path, *, replaced: bool) -> str:
    """What was left by an interrupted training, and how to go on."""
    go_on = f"Go on with: {again('--resume')}"
    if not end.epoch:
        there = f"{folder} is as it was" if replaced else "nothing is left behind"
        return f"interrupted before the first epoch had ended: {there}.\nNothing to resume: run the same command again."
    if end.manifest is None:
        return f"interrupted before another epoch had ended: the first {end.epoch} of {end.epochs} are kept.\n{go_on}"
    if not end.manifest.interrupted:
        return f"interrupted when the training had ended: {folder} is whole."
    best = f"validation accuracy {end.manifest.metrics['validation']['accuracy']:.2%}"
    return f"interrupted after epoch {end.epoch} of {end.epochs}: {folder} has the best one ({best}).\n{go_on}"


if __name__ == "__main__":
    run(train)
