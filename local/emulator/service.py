"""One user's kernels and models, as the methods see them: finding, refusing, paging, signed URLs, logs."""

import base64
import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from local.emulator.faults import Fault
from local.emulator.sessions.mounts import Mounts
from local.emulator.storage.blobs import Blobs
from local.emulator.storage.kernel_store import KernelStore
from local.emulator.storage.kernels import Kernel, Version
from local.emulator.storage.model_store import ModelStore

PAGE, LONGEST_PAGE = 20, 200
LONGEST_MESSAGE = 500  # characters; it may quote what was asked
URL_LIFETIME = 3600.0  # seconds
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    416: "OUT_OF_RANGE",
    501: "UNIMPLEMENTED",
    507: "RESOURCE_EXHAUSTED",
}
Item = TypeVar("Item")
Struck = dict[str, Fault]  # the faults that strike a call, by kind


class Refusal(Exception):
    """An HTTP error of the service; `bare` ones have no body at all."""

    def __init__(self, code: int, message: str, *, bare: bool = False) -> None:
        super().__init__(message)
        self.message = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"
        self.code, self.bare = code, bare

    def body(self) -> dict[str, Any]:
        """The service's error body."""
        status = STATUS_NAMES.get(self.code, "INTERNAL")
        return {"error": {"code": self.code, "message": self.message, "status": status}}


def denied(permission: str = "kernels.get") -> Refusal:
    """The answer for what is somebody else's, and for what does not exist: the service does not tell which."""
    return Refusal(403, f"Permission '{permission}' was denied")


def version_number(label: str | None) -> int | None:
    """`v2` is 2, nothing is None (the current version); all else, a bare `2` too, is a 404."""
    if not label:
        return None
    match = re.fullmatch(r"v([1-9]\d{0,8})", label, re.ASCII)
    if match is None:
        raise Refusal(404, f"Version label '{label}' was not found")
    return int(match[1])


@dataclass(frozen=True)
class Redirect:
    """An answer that is elsewhere: path and query of a signed URL."""

    location: str


class Signer:
    """Signs outputs' names: whoever holds such a URL may fetch that file until it expires, and needs no key.

        signer.sign("owner/slug/3/model.pth")   -> "/storage/owner/slug/3/model.pth?expires=…&signature=…"
        signer.accepts(name, expires, signature)

    The secret is the state folder's, so that URLs outlive a restart of the server.
    """

    def __init__(self, secret: str, lifetime: float = URL_LIFETIME) -> None:
        self.secret = secret.encode()
        self.lifetime = lifetime

    def sign(self, name: str) -> str:
        """Path and query of the URL for a file's name."""
        expires = str(int(time.time() + self.lifetime))
        query = urlencode({"expires": expires, "signature": self._signature(name, expires)})
        return f"/storage/{quote(name)}?{query}"

    def accepts(self, name: str, expires: str, signature: str) -> bool:
        genuine = hmac.compare_digest(self._signature(name, expires).encode(), signature.encode())
        return genuine and float(expires) >= time.time()

    def _signature(self, name: str, expires: str) -> str:
        return hmac.new(self.secret, f"{name}\n{expires}".encode(), hashlib.sha256).hexdigest()


class EmulatorService:
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
        self.store = KernelStore(state)
        self.mounts = Mounts(self.store.state, data_dir)
        self.signer = Signer(secret)
        self.models = ModelStore(self.store.state)
        self.blobs = Blobs(self.store.state / "blobs", secret)
        self.username, self.key, self.base = username, key, base
        self.saving = threading.Lock()

    def is_key(self, text: str) -> bool:
        """Whether it is the key; how long that takes does not tell how much of it is right."""
        return hmac.compare_digest(text.encode(errors="replace"), self.key.encode())

    def find(self, owner: str | None, slug: str | None, permission: str = "kernels.get") -> Kernel:
        """The kernel, or the refusal for one that does not exist."""
        kernel = self.store.kernel(owner or self.username, slug or "")
        if kernel is None:
            raise denied(permission)
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


@dataclass(frozen=True)
class RpcMethod:
    """A method: what its request is parsed as, and what answers it."""

    request: Any
    answer: Callable[[EmulatorService, Any, Struck], Any]
    asks_for_key: bool = True


def stored_log(version: Version, struck: Struck) -> str:
    """The log as the service stores it: a JSON array as a string; "" where it is said not to be stored yet."""
    log = "[" + "\n,".join(version.records()) + "\n]"
    if "empty_log" in struck:
        return ""
    # Within the last record: the ones before are complete.
    return log[: (log.rfind("\n,") + len(log)) // 2] if "cut_log" in struck else log


def moment(seconds: float) -> datetime:
    """A time for the SDK, which writes a Z behind naive ones."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def duration(seconds: float) -> str:
    """A duration as JSON; the SDK's own writer loses full days."""
    return f"{seconds:.3f}s"


def page(items: Sequence[Item], size: int | None, token: str | None) -> tuple[Sequence[Item], str | None]:
    """One page, and the token of the next (None: the last). Refusal: a token that is not ours, or no size."""
    try:
        start = int(base64.urlsafe_b64decode(token).decode()) if token else 0
    except ValueError:
        start = -1
    if start < 0:
        raise Refusal(400, "The page token is not valid")
    if size is not None and size < 0:
        raise Refusal(400, "The page size is not valid")
    end = start + min(size or PAGE, LONGEST_PAGE)
    return items[start:end], base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
