"""The two commands that `side_by_side` measures, where each is measured, and what is found out about it."""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.local import trips
from tests.local.emulated import Emulated

REFERENCE = "{owner}/" + trips.SLUG


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one measurement happens: all below `folder`, with an emulator of its own."""

    folder: Path
    emulator: Emulated

    @property
    def home(self) -> Path:
        """HOME; whatever a client keeps of its own may lie there."""
        return self.folder / "home"

    @property
    def world(self) -> Path:
        """K2L_HOME, which holds the journal and the emulator's disk too."""
        return self.folder / "world"

    @property
    def target(self) -> Path:
        """Where the files of the run are wanted."""
        return self.world / "models" / trips.NAME

    @property
    def submission(self) -> Path:
        """What `kaggle kernels push` sends."""
        return self.folder / "submission"

    def found(self) -> dict[str, bytes]:
        """What lies in the target, by name."""
        return {
            path.relative_to(self.target).as_posix(): path.read_bytes()
            for path in self.target.rglob("*")
            if path.is_file()
        }

    def elsewhere(self) -> set[Path]:
        """The files that lie where no client has any business."""
        theirs = (self.home, self.world / ".k2l", self.target)
        return {path for path in self.folder.rglob("*") if path.is_file() and not set(theirs) & set(path.parents)}

    def versions(self) -> dict[str, int]:
        """How many versions the service has of each kernel."""
        return {kernel.slug: len(kernel.versions()) for kernel in self.emulator.store.kernels()}


@dataclass(frozen=True, kw_only=True)
class Client:
    """A command: its steps by name, its environment, how it tells a state, and where it leaves a log."""

    program: tuple[str, ...]
    steps: dict[str, tuple[str, ...]]
    environment: Callable[[Place], dict[str, str]]
    state: re.Pattern[str]
    log: Callable[["Outcome"], str]


@dataclass(kw_only=True)
class Outcome:
    """What became of the steps: each exit code (None: it was still busy), what was printed, and what is where."""

    codes: list[int | None] = field(default_factory=list)
    printed: str = ""
    before: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    found: dict[str, bytes] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)


CLIENTS = {
    "kaggle": Client(
        program=(str(Path(sys.executable).with_name("kaggle")), "kernels"),
        steps={
            "push": ("push", "-p", "{submission}", "--accelerator", "NvidiaTeslaT4"),
            "status": ("status", REFERENCE),
            "output": ("output", REFERENCE, "-p", "{target}", "-o"),
            "output where newer": ("output", REFERENCE, "-p", "{target}"),
            "logs": ("logs", REFERENCE),
        },
        environment=lambda place: place.emulator.environment(place.home),
        state=re.compile(r'has status "KernelWorkerStatus\.(\w+)"'),
        log=lambda outcome: outcome.printed,
    ),
    "k2l": Client(
        program=(sys.executable, "-m", "scripts"),
        steps={
            "push": ("push", "--remote", "emulator", "--dataset", "digits", "--slug", trips.SLUG, "--name", trips.NAME),
            "status": ("watch", "--json"),
            "output": ("pull",),
            "output where newer": ("pull",),
            "logs": ("pull",),
        },
        environment=lambda place: {
            "PATH": os.environ["PATH"],
            "HOME": str(place.home),
            "K2L_HOME": str(place.world),
        },
        state=re.compile(r'"state": "(\w+)"'),
        log=lambda outcome: outcome.found.get("run.log", b"").decode(),
    ),
}
