"""Checkpoints: what a training on this machine goes on from after Ctrl-C, `kill -9` or a power cut.

    keeper = Keeper(place(name), training, trainer.save_state)
    keeper.take(event.snapshot())                          # at an epoch's end; written down now and then
    keeper.remove()                                        # the model is complete: there is nothing to resume

    found = find(place(name), training)                    # what an interrupted training left, if there is anything
    found.differs                                          # why it cannot be gone on with, or nothing
    trainer.train(config, data, resume=found.load(trainer.load_state))

One folder a model under `.k2l/checkpoints/`: a file of the framework's state, and `checkpoint.json`, written last, that
names it with its hash. Ended at any moment, the one before is still whole. `training` is the framework, the parameters
and the training's sha256. Knows no framework: how a state becomes a file is the trainer's business.
"""

import dataclasses
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from local.core import workspace
from shared.core import files, manifest
from shared.core.errors import ModelError
from shared.training.loop import Snapshot

NAME = "checkpoint.json"
SCHEMA = 1
EVERY = 5.0  # seconds of training between two that are written, at least
COST = 0.02  # the share of the time that writing may take, where a state is large or the disk slow


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A training as it stood after `epoch` of its `epochs`; `facts` is what `checkpoint.json` says.

    `differs` says, for people, what is not the same in the training that asks; nothing where it can go on.
    """

    folder: Path
    facts: dict[str, Any]
    differs: list[str]

    @property
    def epoch(self) -> int:
        """How many epochs are behind it."""
        return len(self.facts["history"])

    @property
    def epochs(self) -> int:
        """How many there are to be."""
        return int(self.facts["training"]["parameters"]["epochs"])

    def load(self, load_state: Callable[[BinaryIO], Any]) -> Snapshot:
        """What the training goes on from. Raises ModelError where the file is missing or not the one written."""
        ((name, stated),) = self.facts["files"].items()
        path = self.folder / name
        if not path.is_file() or manifest.sha256(path) != stated["sha256"]:
            raise ModelError(f"{path} is missing or damaged: nothing can be resumed from it. Train from the start.")
        with path.open("rb") as file:
            state = load_state(file)
        return Snapshot(state=state, **{key: self.facts[key] for key in ("history", "seconds", "cpu_seconds")})


def place(name: str, folder: Path | None = None) -> Path:
    """Where the checkpoint of `models/<name>/` lies, or of a model folder elsewhere that is trained under that name."""
    return workspace.state() / "checkpoints" / (name if folder is None else f"{name}.{folder.name}")


def find(folder: Path, training: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint in that folder, held against `training`; None where there is none, or one of another k2l."""
    facts = read(folder)
    return (
        None
        if facts is None
        else Checkpoint(folder=folder, facts=facts, differs=_differences(facts["training"], training))
    )


def read(folder: Path) -> dict[str, Any] | None:
    """What `checkpoint.json` in that folder says; None where there is none, or one of another k2l."""
    try:
        facts = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and facts.get("schema") == SCHEMA else None


def _differences(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """What is not the same in two trainings, for people."""
    told, asked = ({"framework": one["framework"], **one["parameters"]} for one in (theirs, ours))
    names = [name for name in dict.fromkeys([*told, *asked]) if told.get(name) != asked.get(name)]
    if not names and theirs["bundle_sha256"] != ours["bundle_sha256"]:
        return ["the training code in shared/ was changed since"]
    return [f"{name} was {told.get(name)} and is {asked.get(name)}" for name in names]


class Keeper:
    """Holds the latest snapshot of a training, and writes one down every few seconds."""

    def __init__(self, folder: Path, training: dict[str, Any], save_state: Callable[[Any, BinaryIO], None]) -> None:
        self.folder, self.training, self.save_state = folder, training, save_state
        self.unwritten: Snapshot | None = None
        self.due = time.monotonic() + EVERY

    def take(self, snapshot: Snapshot) -> None:
        """An epoch has ended."""
        self.unwritten = snapshot
        if time.monotonic() >= self.due:
            self.write()

    def write(self) -> None:
        """Writes the latest snapshot, unless that is done; it takes the place of the one before in one step."""
        if (snapshot := self.unwritten) is None:
            return
        began = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"state-{secrets.token_hex(4)}"
        with files.fresh(path) as part, part.open("xb") as file:
            self.save_state(snapshot.state, file)
            file.flush()
            os.fsync(file.fileno())
        facts = {
            "schema": SCHEMA,
            "training": self.training,
            "history": snapshot.history,
            "seconds": snapshot.seconds,
            "cpu_seconds": snapshot.cpu_seconds,
            "files": {path.name: dataclasses.asdict(manifest.describe(self.folder, [path.name])[path.name])},
            "created_at": manifest.now(),
        }
        manifest.write_json(self.folder / NAME, facts)
        self.unwritten = None
        files.drop_parts(self.folder)
        for other in self.folder.iterdir():
            if other.name not in (path.name, NAME):
                other.unlink()
        ended = time.monotonic()
        self.due = ended + max(EVERY, (ended - began) / COST)

    def remove(self) -> None:
        """The training has come to its end."""
        shutil.rmtree(self.folder, ignore_errors=True)
