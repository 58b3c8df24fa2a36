"""The events of work on this machine, in addition to those of `shared.core.events`.

`scripts.steps.progress` has the message for each. A new kind needs a class here and its message there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.core.events import Event


@dataclass(frozen=True)
class Message(Event):
    """What is done now, or waited for, in words. It may have several lines."""

    text: str


@dataclass(frozen=True)
class Warned(Event):
    """The work continues, but the user may not want the result."""

    text: str


@dataclass(frozen=True)
class BackupMade(Event):
    """A new model has replaced an older one, which is in this folder now."""

    folder: Path


@dataclass(frozen=True)
class Stopping(Event):
    """A training was interrupted, and ends in a few seconds."""


@dataclass(frozen=True)
class Resumed(Event):
    """An interrupted training resumes after `epoch` of its `epochs`."""

    epoch: int
    epochs: int


@dataclass(frozen=True)
class SeedBegun(Event):
    """One of several seeds is trained now."""

    seed: int


@dataclass(frozen=True)
class SeedEnded(Event):
    """One of several seeds is trained: its row, as the manifest has it."""

    row: dict[str, Any]


@dataclass(frozen=True)
class TrialEnded(Event):
    """A trial of a sweep has ended: its row, as the study has it."""

    row: dict[str, Any]


@dataclass(frozen=True)
class StatusChanged(Event):
    """A run has a new status, by the service's own name."""

    state: str


@dataclass(frozen=True)
class LogWritten(Event):
    """A run has written this piece of its log, which may end within a line."""

    text: str


@dataclass(frozen=True)
class LogLost(Event):
    """The live log of a run is not available for now."""

    why: str


@dataclass(frozen=True)
class FileArrived(Event):
    """A file of a run has arrived here, or a file that is published has arrived there; it is complete and checked."""

    name: str
    bytes: int
