"""One user's kernels, as `pushing` and `methods` see them: finding, paging, times, logs."""

import base64
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from local.kernels.emulator import rules
from local.kernels.emulator.faults import Fault
from local.kernels.emulator.kernel import Kernel, Version
from local.kernels.emulator.mounts import Mounts
from local.kernels.emulator.rules import Refusal
from local.kernels.emulator.signing import Signer
from local.kernels.emulator.store import Store

PAGE, LONGEST_PAGE = 20, 200
Item = TypeVar("Item")
Struck = dict[str, Fault]  # the faults that strike a call, by kind


@dataclass(frozen=True)
class Redirect:
    """An answer that is elsewhere: path and query of a signed URL."""

    location: str


class Service:
    """What the methods work on. `base` is the server's own URL, known once it listens."""

    def __init__(
        self,
        state: Path,
        *,
        username: str,
        key: str,
        secret: str,
        data_dir: Path | None = None,
        base: str = "",
    ) -> None:
        self.store = Store(state)
        self.mounts = Mounts(self.store.state, data_dir)
        self.signer = Signer(secret)
        self.username, self.key, self.base = username, key, base
        self.saving = threading.Lock()

    def find(self, owner: str | None, slug: str | None, permission: str = "kernels.get") -> Kernel:
        """The kernel, or the refusal for one that does not exist."""
        kernel = self.store.kernel(owner or self.username, slug or "")
        if kernel is None:
            raise rules.denied(permission)
        return kernel

    def find_version(self, owner: str | None, slug: str | None, number: int | None) -> Version:
        """The version, the current one for None, or the refusal for one that does not exist."""
        version = self.find(owner, slug).version(number)
        if version is None:
            raise Refusal(404, f"Version {number} of '{owner}/{slug}' was not found")
        return version

    def url_of(self, version: Version, file_name: str) -> str:
        """A signed URL for an output, path and query alone."""
        return self.signer.sign(f"{version.name}/{file_name}")


def stored_log(version: Version) -> str:
    """The log as the service stores it: a JSON array as a string."""
    return "[" + "\n,".join(version.records()) + "\n]"


def moment(seconds: float) -> datetime:
    """A time for the SDK, which writes a Z behind naive ones."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def duration(seconds: float) -> str:
    """A duration as JSON; the SDK's own writer loses whole days."""
    return f"{seconds:.3f}s"


def page(items: Sequence[Item], size: int | None, token: str | None) -> tuple[Sequence[Item], str | None]:
    """One page, and the token of the next (None: the last). Refusal: a token that is not ours."""
    try:
        start = int(base64.urlsafe_b64decode(token).decode()) if token else 0
    except ValueError:
        raise Refusal(400, "The page token is not valid") from None
    end = start + min(size or PAGE, LONGEST_PAGE)
    return items[start:end], base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
