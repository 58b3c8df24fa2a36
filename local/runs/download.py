"""One file from a signed URL: resumed by range, proven by its hash, never larger than stated, whole or not there.

    fetch(service, run, file, path, File(bytes=7, sha256="…"))
    fetch(service, run, file, path, UNPROVEN, max_bytes=1_000_000)      nobody stated what it should be

A transfer that breaks, stalls, or comes at a trickle is taken up where it ended; one with wrong bytes begins anew. What
brings nothing new is tried a few times, with growing and jittered waits between.
"""

import base64
import hashlib
import logging
import random
import re
import time
from pathlib import Path
from typing import Any

from urllib3.exceptions import HTTPError

from local.kaggle_api import http
from local.kaggle_api.client import OutputFile, Service
from local.runs.journal import Run
from shared.core import files, manifest
from shared.core.errors import KernelError, ServiceError, plain
from shared.core.manifest import File

logger = logging.getLogger(__name__)

MAX_BYTES = 2_000_000_000
CHUNK = 1 << 18  # bytes asked of the connection at once; it gives what is there
FRUIT, TRIES = 1 << 16, 5  # bytes that make a try worth while; tries in a row that are not
TRICKLE, WINDOW = 1000, 30.0  # fewer bytes a second over so many seconds are a connection to be made anew
EXPIRED = "the service refuses its own link to it"
WRONG = "its bytes are not those"

UNPROVEN = None  # in place of what a manifest says of a file, where none does


def fetch(
    service: Service, run: Run, file: OutputFile, path: Path, proof: File | None, *, max_bytes: int = MAX_BYTES
) -> None:
    """Brings one file of a run to `path`, whole and with the hash stated, or raises ServiceError and leaves what came.

    KernelError where the service has no such file any more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part, fruitless = part_of(run, path), 0
    part.parent.mkdir(parents=True, exist_ok=True)
    limit = max_bytes if proof is None else proof.bytes
    while True:
        had = _size(part)
        trouble = _transfer(service, file.url, part, limit, proven=proof is not None)
        if not trouble and proof is not None and not matches(part, proof):
            trouble = f"{WRONG} the manifest vouches for"
        if not trouble:
            part.replace(path)
            return
        logger.info("%s did not come whole: %s", plain(file.name), trouble)
        if trouble.startswith(WRONG):
            part.unlink(missing_ok=True)
        fruitless = 0 if _size(part) - had >= FRUIT else fruitless + 1
        if fruitless == TRIES:
            raise ServiceError(
                f"{plain(file.name)} of {run.title} did not come whole: {trouble}.\n"
                f"Nothing was installed; the same command goes on, or k2l pull {run.run_id}."
            )
        if trouble == EXPIRED:
            file = _signed_anew(service, run, file.name)
        elif fruitless:
            time.sleep(random.uniform(0.5, 1) * 2 ** (fruitless - 2))


def fetch_anew(service: Service, run: Run, file: OutputFile, path: Path, max_bytes: int) -> None:
    """A file whose hash nobody stated, from its first byte, since a part of it could be of another version."""
    for stale in (path, part_of(run, path)):
        stale.unlink(missing_ok=True)
    fetch(service, run, file, path, UNPROVEN, max_bytes=max_bytes)


def matches(path: Path, proof: File) -> bool:
    """Whether a file is there with the bytes that are stated of it."""
    return path.is_file() and path.stat().st_size == proof.bytes and manifest.sha256(path) == proof.sha256


def part_of(run: Run, path: Path) -> Path:
    """Where a file gathers until it is whole: apart, for a file of any name may stand beside it."""
    return run.parts / path.relative_to(run.folder)


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _transfer(service: Service, url: str, part: Path, limit: int, *, proven: bool) -> str:
    """Adds to `part` what it lacks; "" if the transfer ended well, else what went wrong."""
    start = _size(part)
    if start:
        logger.info("%s: goes on behind %d bytes", part.name, start)
    try:
        with service.download(url, start=start) as answer:
            if answer.status_code == 416 and start:  # nothing is left to come
                return ""
            if answer.status_code in (401, 403):
                return EXPIRED
            if answer.status_code not in (200, 206):
                return f"the service answered HTTP {answer.status_code}"
            trouble = _write(answer, part, start if answer.status_code == 206 else 0, limit)
            # Where the run states a hash, that is asked, which proves more.
            return trouble or ("" if proven else _falsified(answer, part))
    except ServiceError as error:
        return str(error)


def _write(answer: Any, part: Path, start: int, limit: int) -> str:
    """Writes what comes behind the first `start` bytes; "" if that was all of it, else what went wrong."""
    received, counted, began = 0, 0, time.monotonic()
    mode = "ab" if start else "wb"
    with files.room_for(part), open(part, mode, opener=files.unfollowed) as file:
        try:
            # Not `iter_content`: it waits until a piece is full, which a trickle puts off for ever.
            while chunk := answer.raw.read1(CHUNK):
                received += len(chunk)
                if start + received > limit:
                    return f"it is larger than {limit:,} bytes"
                file.write(chunk)
                if time.monotonic() - began > WINDOW:
                    if received - counted < TRICKLE * WINDOW:
                        return f"it came at less than {TRICKLE:,} bytes a second"
                    began, counted = time.monotonic(), received
        except HTTPError as error:
            return f"the connection broke ({http.cause(error)})"
    return _shortfall(answer, received)


def _shortfall(answer: Any, received: int) -> str:
    """What a whole answer lacks of the length it declared; servers that close early are not always noticed before."""
    declared = re.fullmatch(r"[0-9]{1,18}", answer.headers.get("Content-Length", ""))
    # Packed on the way, its length is not that of the bytes.
    if declared and "Content-Encoding" not in answer.headers and received < int(declared[0]):
        return f"only {received:,} of {int(declared[0]):,} bytes came"
    return ""


def _falsified(answer: Any, part: Path) -> str:
    """What differs from the MD5 that the storage states of the whole file."""
    stated = http.stated_md5(answer)
    if not stated:
        return ""
    with part.open("rb") as file:
        came = hashlib.file_digest(file, "md5").digest()
    return "" if stated == base64.b64encode(came).decode() else f"{WRONG} the storage sent"


def _signed_anew(service: Service, run: Run, name: str) -> OutputFile:
    """The file with a fresh signature on its URL."""
    files, _ = service.outputs(run.slug, run.version)
    for file in files:
        if file.name == name:
            return file
    raise KernelError(f"{run.title} has no file {name!r} any more.")
