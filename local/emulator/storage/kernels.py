"""One kernel and one version of it, read from their folders. `store` writes them and says where they lie."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.emulator.sessions.folders import plain_files

ENDED = frozenset({"COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED"})
NOTEBOOK = "__notebook__.ipynb"


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def number_of(*names: object) -> int:
    """A stable positive number for a name, as the service numbers its kernels and sessions."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, names)).encode()).digest()[:4], "big") >> 1


@dataclass(frozen=True)
class Version:
    """One version of a kernel, and its session."""

    folder: Path

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def name(self) -> str:
        """`owner/slug/3`."""
        return "/".join(self.folder.parts[-3:])

    @property
    def session_id(self) -> int:
        return number_of(self.name)

    @property
    def push(self) -> dict[str, Any]:
        value: dict[str, Any] = read_json(self.folder / "push.json")
        return value

    @property
    def working(self) -> Path:
        return self.folder / "kaggle" / "working"

    def status(self) -> dict[str, Any]:
        """The status as last written; see `KernelStore.status` for one that notices dead processes."""
        value: dict[str, Any] = read_json(self.folder / "status.json")
        return value

    def records(self) -> list[str]:
        """The complete records of the log so far, each a JSON object as text."""
        log = self.folder / "log.jsonl"
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        # What follows the last line break is half a record of a process that was killed.
        return text.split("\n")[:-1]

    def outputs(self) -> dict[str, Path]:
        """Output name, with `/` between folders, to file: the working folder and the executed notebook."""
        names = sorted(plain_files(self.working), key=lambda name: name.split("/"))
        found = {name: self.working / name for name in names}
        if (executed := self.output(NOTEBOOK)) is not None:
            found[NOTEBOOK] = executed
        return found

    def output(self, name: str) -> Path | None:
        """The file of one output, found without a look at all others; None where there is none of that name."""
        place = self.folder if name == NOTEBOOK else self.working
        path = place / name
        try:
            # If any part of the path is a link, the file is not where its name says.
            plain = path.is_file() and path.resolve() == self.folder.resolve() / path.relative_to(self.folder)
        except (OSError, ValueError):  # too long, or no path at all
            return None
        return path if plain else None


@dataclass(frozen=True)
class Kernel:
    """One kernel: what it is called and which version is current."""

    folder: Path

    @property
    def owner(self) -> str:
        return self.folder.parent.name

    @property
    def slug(self) -> str:
        return self.folder.name

    @property
    def id(self) -> int:
        return number_of(self.owner, self.slug)

    @property
    def about(self) -> dict[str, Any]:
        """`title`, `current` (version number), `saved_at`, and the latest push's fields under `push`."""
        value: dict[str, Any] = read_json(self.folder / "kernel.json")
        return value

    def version(self, number: int | None = None) -> Version | None:
        """A version by number; None asks for the current one. None where there is no such version."""
        version = Version(self.folder / str(number if number is not None else self.about["current"]))
        return version if version in self.versions() else None

    def versions(self) -> list[Version]:
        """All versions, the first one first."""
        return [Version(self.folder / str(number)) for number in range(1, self.about["current"] + 1)]
