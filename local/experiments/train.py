"""Training on this machine: the same loop, the same outputs and the same manifest as a run on Kaggle leaves.

    manifest = train(config, framework="torch", name="lite")                # models/lite/
    manifest = train(config, framework="torch", name="lite", resume=True)   # what was interrupted, from there on
    waiting(config, framework="torch", name="lite")                         # whether anything was

Interrupted (Ctrl-C, SIGTERM), it leaves the best network so far. Whoever calls it holds `runs.lock(name)`.
"""

import importlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.core import installation, shared_code, workspace
from local.core.events import Stopping
from local.core.interruption import interrupted
from local.models import checkpoints
from local.models.install import install
from local.runs import journal
from shared.core import manifest
from shared.core.errors import ConfigError, one_of
from shared.core.events import EpochEnded, Event, Report, StepEnded, silent
from shared.core.files import full_disk_error
from shared.core.manifest import TrainingManifest
from shared.frameworks import FRAMEWORKS
from shared.training.config import TrainConfig
from shared.training.loop import StopTraining, Trained


@dataclass(frozen=True, kw_only=True)
class Training:
    """One network to be trained, as `models/<name>/`."""

    config: TrainConfig
    framework: str
    name: str

    @property
    def folder(self) -> Path:
        return workspace.models() / self.name

    @property
    def sha256(self) -> str:
        """What identifies it: the sha256 of the training code and its parameters."""
        return shared_code.training_sha256(self.config, framework=self.framework)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended a training after `epoch` of its `epochs`; a checkpoint has these, if there are any.

    `manifest` is that of the model folder that was left; None where nothing was replaced, since no further epoch had
    ended. It does not say `interrupted` where the training had come to its end.
    """

    def __init__(self, epoch: int, epochs: int, manifest: TrainingManifest | None) -> None:
        super().__init__(f"interrupted after epoch {epoch} of {epochs}")
        self.epoch, self.epochs, self.manifest = epoch, epochs, manifest


def train(
    config: TrainConfig,
    *,
    framework: str,
    name: str,
    data_dir: Path | None = None,
    folder: Path | None = None,
    resume: bool = False,
    report: Report = silent,
) -> TrainingManifest:
    """Trains and leaves `models/<name>/`; returns its manifest. The test set is read once, at the end.

    `folder` is left in place of `models/<name>/`; what was there is deleted. `resume` goes on with an interrupted
    training. `bundle_sha256` is that of the training code and its parameters, for here nothing is bundled. Reports what
    the training loop does, Stopping and BackupMade.

    Raises Interrupted, and ConfigError where there is nothing to resume, or a training that differs.
    """
    one_of("framework", framework, FRAMEWORKS)
    training = _identity(config, framework)
    place = checkpoints.place(name, folder)
    before = _resumable(place, name, training) if resume else None
    trainer = trainer_of(framework)

    from shared.data.datasets import load

    data = load(config.dataset, data_dir=data_dir)
    keeper = checkpoints.Keeper(place, training, trainer.save_state)
    snapshot = before.load(trainer.load_state) if before else None
    epoch = before.epoch if before else 0

    with interrupted() as asked:

        def follow(event: Event) -> None:
            if isinstance(event, EpochEnded):
                keeper.take(event.snapshot())
            report(event)
            if isinstance(event, StepEnded) and asked():
                report(Stopping())
                raise StopTraining

        try:
            trained = trainer.train(config, data, follow, snapshot)
            if trained.interrupted and len(trained.history) == epoch:
                raise Interrupted(epoch, config.epochs, None)
            if trained.interrupted:
                keeper.write()
            stated = _leave(
                trained, trainer, data, config=config, training=training, name=name, folder=folder, report=report
            )
        except StopTraining:
            raise Interrupted(0, config.epochs, None) from None
        except BaseException:
            keeper.write()  # no hours of training are lost to a full disk or memory, or to a second Ctrl-C
            raise
        if not trained.interrupted:
            keeper.remove()
        if asked():
            raise Interrupted(len(trained.history), config.epochs, stated)
    return stated


def waiting(
    config: TrainConfig, *, framework: str, name: str, folder: Path | None = None
) -> checkpoints.Checkpoint | None:
    """What an interrupted training of that name left; where it `differs` from this one, this cannot go on with it."""
    place = checkpoints.place(name, folder)
    return checkpoints.find(place, _identity(config, framework)) if place.exists() else None


def _identity(config: TrainConfig, framework: str) -> dict[str, Any]:
    """What decides everything about a training but the machine it runs on."""
    sha256 = shared_code.training_sha256(config, framework=framework)
    return {"framework": framework, "parameters": config.as_dict(), "bundle_sha256": sha256}


def finished(folder: Path, sha256: str) -> TrainingManifest | None:
    """The manifest of the training with that sha256, if the folder has it and it came to its end.

    Raises ModelError where files were changed since.
    """
    if not (folder / manifest.NAME).is_file():
        return None
    stated = manifest.read(folder)
    if stated.bundle_sha256 != sha256 or stated.interrupted:
        return None
    return manifest.verify(folder)


def _resumable(place: Path, name: str, training: dict[str, Any]) -> checkpoints.Checkpoint:
    found = checkpoints.find(place, training)
    if found is None:
        raise ConfigError(f"no interrupted training of {name!r} is there to resume: leave out --resume.")
    if found.differs:
        raise ConfigError(
            f"{name!r} cannot be resumed after epoch {found.epoch} of {found.epochs}: {', '.join(found.differs)}.\n"
            "Resume it as it was begun, or train it from the start."
        )
    return found


def trainer_of(framework: str) -> Any:
    """The training loop of a framework, a module; ConfigError with what to install where it cannot be imported."""
    try:
        return importlib.import_module(f"shared.training.train_{framework}")
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ConfigError(
            f"framework {framework!r} cannot train here without {package}: {installation.line(package)}"
        ) from None


def _leave(
    trained: Trained,
    trainer: Any,
    data: Any,
    *,
    config: TrainConfig,
    training: dict[str, Any],
    name: str,
    folder: Path | None,
    report: Report,
) -> TrainingManifest:
    """Gathers the model folder, and moves it to its place in one step. Returns its manifest."""
    from shared.training import results
    from shared.training.metrics import score

    logits = trainer.predict(trained.model, data.test_images, data.input)
    test = score(logits, data.test_labels)
    run_id = f"local-{journal.new_id()}"
    stage = workspace.state() / "trained" / run_id
    stage.mkdir(parents=True)
    try:
        with full_disk_error(stage / trainer.WEIGHTS):
            trainer.save_weights(trained.model, stage / trainer.WEIGHTS)
        stated = results.write(
            stage,
            config=config,
            identity={
                "name": name,
                "run_id": run_id,
                "bundle_sha256": training["bundle_sha256"],
                "source_commit": shared_code.commit("shared"),
            },
            framework=training["framework"],
            environment=results.environment(training["framework"], trained.accelerator),
            trained=trained,
            test=test,
            logits=logits,
            data=data,
            figures=results.draw(history=trained.history, data=data, logits=logits, test=test),
        )
        if folder is None:
            install(stage, name, aside=workspace.state() / "replaced" / name, report=report)
        else:
            before = stage.with_name(f"{run_id}-before")
            install(stage, name, at=folder, aside=before)
            shutil.rmtree(before, ignore_errors=True)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    return stated
