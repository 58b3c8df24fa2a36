"""The events that work on this machine reports, beside those of `shared.core.events`.

`scripts.steps.progress` has the words for each. A new kind needs a class here and its words there.
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
    """The work continues, but the user may not want what comes of it."""

    text: str


@dataclass(frozen=True)
class Kept(Event):
    """A new model has taken a place; the model that was there is in this folder now."""

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
    """A run has another status there now, by the service's own name."""

    state: str


@dataclass(frozen=True)
class LogWritten(Event):
    """A run has written this piece of its log, which need not be whole lines."""

    text: str


@dataclass(frozen=True)
class LogLost(Event):
    """The live log of a run cannot be had for now."""

    why: str


@dataclass(frozen=True)
class FileArrived(Event):
    """A file of a run has arrived here, or a file that is published has arrived there; it is complete and checked."""

    name: str
    bytes: int
