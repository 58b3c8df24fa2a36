"""Downloads the IDX files from the mirrors that torchvision 0.29 uses, and checks each against its MD5.

    why = download("mnist", Path("data/mnist"))      # "" once all four files exist, else the reason

Fails within 15 seconds if the network does not work, at whatever stage: the time allowed grows only with the bytes that
arrive. A file appears under its name complete and checked, or not at all; existing files are not downloaded again. It
does not look for copies on this machine: `shared.data.datasets` does that first.
"""

import hashlib
import http.client
import queue
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from shared.core import files
from shared.core.errors import DataError, DiskFullError, plain
from shared.core.home import ANOTHER
from shared.data.registry import DATASETS

Progress = Callable[[str, int, int], None]  # file name, bytes so far, bytes in all

PATIENCE = 10.0  # seconds of waiting in all …
SLOWEST = 20_000  # … and one more for each so many bytes received
SILENCE = 4.5  # seconds until a mirror answers, and between two pieces
LARGEST = 1 << 26  # bytes of one file

FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


class Budget:
    """How long it may still take: PATIENCE, and more for every byte received."""

    def __init__(self) -> None:
        self._end = time.monotonic() + PATIENCE

    def received(self, count: int) -> None:
        self._end += count / SLOWEST

    def left(self) -> float:
        """Seconds; raises TimeoutError if none are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no answer, or a too slow one, in {PATIENCE:.0f} s")
        return left


def download(name: str, folder: Path, *, progress: Progress | None = None) -> str:
    """Saves the four gzipped IDX files in `folder`. Returns "", or the reason of a failure in a few words.

    Raises DataError if the folder cannot be written.
    """
    if not DATASETS[name].mirrors:
        return "no mirror of it is known"
    budget = Budget()
    for file, md5 in zip(FILES, DATASETS[name].md5, strict=True):
        if (folder / file).is_file():
            continue
        content, why = _from_any_mirror(name, file, md5, budget, progress)
        if why:
            return why
        _install(folder / file, content)
    return ""


def _from_any_mirror(name: str, file: str, md5: str, budget: Budget, progress: Progress | None) -> tuple[bytes, str]:
    """The file's bytes and "", or no bytes and the first mirror's error."""
    why = ""
    for mirror in DATASETS[name].mirrors:
        host = urllib.parse.urlsplit(mirror).hostname
        try:
            content = fetched(mirror + file, budget, progress)
        except (OSError, http.client.HTTPException) as error:
            reason = plain(str(getattr(error, "reason", None) or error))
            why = why or f"could not be downloaded ({host}: {reason})"
            continue
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == md5:
            return content, ""
        why = why or f"could not be downloaded ({host} sent a {file} with a wrong checksum)"
    return b"", why


def fetched(url: str, budget: Budget, progress: Progress | None) -> bytes:
    """The bytes at an address. Raises OSError or HTTPException."""
    pieces = bytearray()
    with _opened(url, min(SILENCE, budget.left())) as response:
        total = int(response.headers.get("Content-Length") or 0)
        while piece := response.read1(1 << 16):
            pieces += piece
            budget.received(len(piece))
            if len(pieces) > LARGEST:
                raise OSError(f"it sends more than {LARGEST >> 20} MiB")
            if progress:
                progress(url.rpartition("/")[2], len(pieces), total)
            budget.left()
    if len(pieces) < total:
        raise OSError(f"the connection broke after {len(pieces):,} of {total:,} bytes")
    return bytes(pieces)


def _opened(url: str, timeout: float) -> http.client.HTTPResponse:
    """An open response, requested in a thread, since looking up a name has no time-out."""
    answers: queue.SimpleQueue[http.client.HTTPResponse | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(url, timeout=timeout))
        except (OSError, ValueError, http.client.HTTPException) as error:  # a ValueError: not an address
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError(f"no answer in {timeout:.0f} s") from None
    if isinstance(answer, urllib.error.HTTPError):
        answer.close()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _install(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, content)
    except DiskFullError:
        raise
    except OSError as error:
        why = error.strerror or error
        raise DataError(f"{path} cannot be written: {why}. Make room. {ANOTHER}") from error
