"""Uploads one file to a signed URL: resumes behind the bytes that arrived, and checks the hash that the storage states.

    send(service, session, path, size, fresh=False, report=…)

The storage is Google's, or speaks as it does: a PUT with the bytes; 200 where all arrived, 308 and a `Range` where
some are missing; `Content-Range: bytes */SIZE` asks how many arrived. An upload that breaks off is resumed there. Tries
that bring nothing new are few, with growing and jittered waits between them.
"""

import base64
import hashlib
import io
import logging
import random
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

from local.kaggle_api.client import Service
from local.kaggle_api.errors import FULL
from local.kaggle_api.http import service_words
from local.kaggle_api.models_api import UploadSession
from local.runs.download import TRIES, USEFUL
from shared.core.errors import ServiceError
from shared.core.events import Progress, Report, silent

logger = logging.getLogger(__name__)
INCOMPLETE = 308
GONE = (404, 410)
_RANGE = re.compile(r"bytes=0-(\d{1,15})")


class GoneError(ServiceError):
    """The upload session has expired, or holds other bytes: the file has to be sent from its beginning."""


class UploadState(NamedTuple):
    """What one request brought: the whole file, or so many bytes (None: the storage has to be asked), or a failure."""

    whole: bool = False
    reached: int | None = None
    failure: str = ""


class _Reported(io.FileIO):
    """A file, never an empty one, that reports how much of it was read."""

    def __init__(self, path: Path, size: int, start: int, report: Report) -> None:
        super().__init__(path)
        self.seek(start)
        self.size, self.report = size, report

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file's."""
        piece = super().read(size) or b""
        self.report(Progress(self.tell() / self.size))
        return piece


def send(
    service: Service,
    session: UploadSession,
    path: Path,
    size: int,
    *,
    fresh: bool,
    report: Report = silent,
) -> None:
    """Uploads the whole file. `fresh`: the session was just started; `report` gets the share that was sent.

    Raises GoneError where the session has expired, ServiceError where the file did not arrive whole.
    """
    now, best, fruitless = UploadState(reached=0 if fresh else None), 0, 0
    while True:
        try:
            answer = _put(service, session, path, size, now.reached, report)
        except ServiceError as error:
            now = UploadState(failure=str(error))
        else:
            now = _read(answer, path, size)
        if now.whole:
            return
        fruitless = 0 if (now.reached or 0) - best >= USEFUL else fruitless + 1
        best = max(best, now.reached or 0)
        if fruitless == 2 * TRIES:  # every second one only asks
            failure = now.failure or "the storage takes no more of it"
            raise ServiceError(f"{path} did not arrive whole: {failure}.\nThe same command resumes it.")
        logger.info("%s: %s", path.name, now.failure or f"resumed behind {now.reached} bytes")
        if now.failure:
            time.sleep(random.uniform(0.5, 1) * 2 ** (fruitless // 2 - 1))


def _put(service: Service, session: UploadSession, path: Path, size: int, start: int | None, report: Report) -> Any:
    """Sends the bytes from `start` to the end; without a start it sends nothing, and asks how many arrived."""
    if start is None:
        return service.upload(session.url, b"", {"Content-Range": f"bytes */{size}"})
    headers = {"Content-Type": "application/octet-stream"}
    if start:
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    if not size:
        return service.upload(session.url, b"", headers)
    with _Reported(path, size, start, report) as file:
        return service.upload(session.url, file, headers)


def _read(answer: Any, path: Path, size: int) -> UploadState:
    """What an answer says; GoneError where the file has to be sent from its beginning."""
    if answer.status_code in (200, 201):
        if _differs(answer, path):
            raise GoneError(f"other bytes than those of {path} arrived. The same command sends it again.")
        return UploadState(whole=True)
    if answer.status_code == INCOMPLETE:
        found = _RANGE.fullmatch(answer.headers.get("Range", ""))
        reached = int(found[1]) + 1 if found else 0
        unending = 0 < size <= reached
        return UploadState(failure="the storage does not finish it") if unending else UploadState(reached=reached)
    if answer.status_code in GONE:
        raise GoneError(f"the upload of {path} has expired. The same command starts it again.")
    if answer.status_code == FULL:
        raise ServiceError(f"{path} did not arrive: {service_words(answer)} The same command resumes it.")
    return UploadState(failure=f"the storage answered HTTP {answer.status_code}")


def _differs(answer: Any, path: Path) -> bool:
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
