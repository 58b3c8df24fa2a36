"""One file to a signed URL: resumed behind what came, proven by its hash where the storage states one, whole or told.

    send(service, place, path, size, fresh=False, on_bytes=…)

The storage is Google's, or speaks as it does: a PUT with the bytes; 200 where all came, 308 and a `Range` where more
is to come; `Content-Range: bytes */SIZE` asks how much there is. What breaks off is taken up where the storage says
that it ended; what brings nothing new is tried a few times, with growing and jittered waits between.
"""

import base64
import hashlib
import logging
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from local.kaggle_api.client import Service
from local.kaggle_api.errors import FULL
from local.kaggle_api.http import service_words
from local.kaggle_api.models_api import UploadTarget
from local.runs.download import TRIES, USEFUL
from shared.core.errors import ServiceError

logger = logging.getLogger(__name__)
INCOMPLETE = 308
GONE = (404, 410)
_REACHED = re.compile(r"bytes=0-(\d{1,15})")


class GoneError(ServiceError):
    """The place for the file is not there any more, or holds something else: it has to begin anew."""


class Standing(NamedTuple):
    """How a file stands there: whole, or how many bytes are there, or what went wrong."""

    whole: bool = False
    reached: int | None = None
    trouble: str = ""


class Body:
    """A file from where it stands to its end, as `requests` sends one; `on_bytes` hears of each piece."""

    def __init__(self, file: IO[bytes], size: int, on_bytes: Callable[[int], None]) -> None:
        self.file, self.size, self.on_bytes = file, size, on_bytes

    def __len__(self) -> int:
        """The whole file's: `requests` takes off where it stands."""
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(1 << 16), b"")

    def tell(self) -> int:
        """As a file's."""
        return self.file.tell()

    def seek(self, *place: int) -> int:
        """As a file's."""
        return self.file.seek(*place)

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        piece = self.file.read(size)
        self.on_bytes(self.file.tell())
        return piece


def send(
    service: Service,
    place: UploadTarget,
    path: Path,
    size: int,
    *,
    fresh: bool,
    on_bytes: Callable[[int], None] = lambda done: None,
) -> None:
    """Brings a file to its place, whole. `fresh`: the place was just made; `on_bytes` is told how much of it is there.

    Raises GoneError where the place has expired, ServiceError where the file did not come whole.
    """
    reached: int | None = 0 if fresh else None  # None: it has to be asked
    best, fruitless = 0, 0
    while True:
        try:
            answer = _ask(service, place, size) if reached is None else _put(service, place, path, reached, on_bytes)
        except ServiceError as error:
            standing = Standing(trouble=str(error))
        else:
            standing = _read(answer, path, size)
        if standing.whole:
            return
        reached = standing.reached
        fruitless = 0 if (reached or 0) - best >= USEFUL else fruitless + 1
        best = max(best, reached or 0)
        if fruitless == 2 * TRIES:  # each other one only asks
            trouble = standing.trouble or "the storage takes no more of it"
            raise ServiceError(f"{path} did not arrive whole: {trouble}.\nThe same command goes on.")
        _wait(path, standing, fruitless)


def _wait(path: Path, standing: Standing, fruitless: int) -> None:
    """Says how it stands, and waits the longer the more went wrong in a row."""
    if not standing.trouble:
        return logger.info("%s: resumes after %d bytes", path.name, standing.reached)
    logger.info("%s: %s", path.name, standing.trouble)
    return time.sleep(random.uniform(0.5, 1) * 2 ** (fruitless // 2 - 1))


def _put(service: Service, place: UploadTarget, path: Path, start: int, on_bytes: Callable[[int], None]) -> Any:
    """Sends what comes behind the first `start` bytes."""
    size = path.stat().st_size
    headers = {"Content-Type": "application/octet-stream"}
    if start:
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    with path.open("rb") as file:
        file.seek(start)
        return service.upload(place.url, Body(file, size, on_bytes) if size else b"", headers)


def _ask(service: Service, place: UploadTarget, size: int) -> Any:
    """Sends nothing, to be told how much is there."""
    return service.upload(place.url, b"", {"Content-Range": f"bytes */{size}"})


def _read(answer: Any, path: Path, size: int) -> Standing:
    """What an answer says of the file; GoneError where it has to begin anew."""
    if answer.status_code in (200, 201):
        if _falsified(answer, path):
            raise GoneError(f"what arrived of {path} has other bytes. The same command sends it anew.")
        return Standing(whole=True)
    if answer.status_code == INCOMPLETE:
        found = _REACHED.fullmatch(answer.headers.get("Range", ""))
        reached = int(found[1]) + 1 if found else 0
        unending = 0 < size <= reached
        return Standing(trouble="the storage does not end it") if unending else Standing(reached=reached)
    if answer.status_code in GONE:
        raise GoneError(f"the place for {path} has expired. The same command begins it anew.")
    if answer.status_code == FULL:
        raise ServiceError(f"{path} did not arrive: {service_words(answer)} The same command goes on.")
    return Standing(trouble=f"the storage answered HTTP {answer.status_code}")


def _falsified(answer: Any, path: Path) -> bool:
    """Whether the MD5 that the storage states is another than the file's."""
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        return False
    stated = said.get("md5Hash") if isinstance(said, dict) else None
    if not isinstance(stated, str):
        return False
    with path.open("rb") as file:
        return stated != base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()
