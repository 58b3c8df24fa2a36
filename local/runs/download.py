"""One file from a signed URL: resumed by range, verified by its hash, never larger than expected, complete or absent.

    fetch(service, run, file, path, File(bytes=7, sha256="…"))
    fetch(service, run, file, path, UNPROVEN, max_bytes=1_000_000)      its size and hash are unknown

A transfer that breaks, stalls or is very slow is resumed where it ended; one with wrong bytes starts again. If no new
bytes arrive it is retried a few times, with growing and jittered waits.
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
CHUNK = 1 << 18  # bytes requested from the connection at once; it gives what has arrived
USEFUL, TRIES = 1 << 16, 5  # bytes that make a try useful; useless tries in a row before it fails
TRICKLE, WINDOW = 1000, 30.0  # after so many seconds at fewer bytes a second, a new connection
EXPIRED = "the service refuses its own link to the file"
WRONG = "its bytes differ from those"

UNPROVEN = None  # instead of a manifest's entry, if there is none


def fetch(
    service: Service, run: Run, file: OutputFile, path: Path, proof: File | None, *, max_bytes: int = MAX_BYTES
) -> None:
    """Downloads one file of a run to `path`, complete and verified, or raises ServiceError and leaves what arrived.

    KernelError if the service does not have the file any more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part, failed_tries = part_of(run, path), 0
    part.parent.mkdir(parents=True, exist_ok=True)
    limit = max_bytes if proof is None else proof.bytes
    while True:
        had = _size(part)
        trouble = _transfer(service, file.url, part, limit, proven=proof is not None)
        if not trouble and proof is not None and not matches(part, proof):
            trouble = f"{WRONG} of the manifest"
        if not trouble:
            part.replace(path)
            return
        logger.info("%s did not arrive complete: %s", plain(file.name), trouble)
        if trouble.startswith(WRONG):
            part.unlink(missing_ok=True)
        failed_tries = 0 if _size(part) - had >= USEFUL else failed_tries + 1
        if failed_tries == TRIES:
            raise ServiceError(
                f"{plain(file.name)} of {run.title} did not arrive complete: {trouble}.\n"
                f"Nothing was installed; run the same command again to resume, or k2l pull {run.run_id}."
            )
        if trouble == EXPIRED:
            file = _signed_again(service, run, file.name)
        elif failed_tries:
            time.sleep(random.uniform(0.5, 1) * 2 ** (failed_tries - 2))


def fetch_again(service: Service, run: Run, file: OutputFile, path: Path, max_bytes: int) -> None:
    """A file of unknown hash, from its first byte, since a part of it could be from another version."""
    for stale in (path, part_of(run, path)):
        stale.unlink(missing_ok=True)
    fetch(service, run, file, path, UNPROVEN, max_bytes=max_bytes)


def matches(path: Path, proof: File) -> bool:
    """Whether the file exists and has the size and hash of the manifest."""
    return path.is_file() and path.stat().st_size == proof.bytes and manifest.sha256(path) == proof.sha256


def part_of(run: Run, path: Path) -> Path:
    """Where a file is until it is complete: in another folder, since a run's files may have any name."""
    return run.parts / path.relative_to(run.folder)


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _transfer(service: Service, url: str, part: Path, limit: int, *, proven: bool) -> str:
    """Adds to `part` what is missing; "" if the transfer succeeded, else what went wrong."""
    start = _size(part)
    if start:
        logger.info("%s: resumes after %d bytes", part.name, start)
    try:
        with service.download(url, start=start) as answer:
            if answer.status_code == 416 and start:  # nothing is missing
                return ""
            if answer.status_code in (401, 403):
                return EXPIRED
            if answer.status_code not in (200, 206):
                return f"the service answered HTTP {answer.status_code}"
            trouble = _write(answer, part, start if answer.status_code == 206 else 0, limit)
            # If the manifest has a hash, that is checked instead, which proves more.
            return trouble or ("" if proven else _md5_difference(answer, part))
    except ServiceError as error:
        return str(error)


def _write(answer: Any, part: Path, start: int, limit: int) -> str:
    """Writes what follows the first `start` bytes; "" if that was everything, else what went wrong."""
    received, counted, began = 0, 0, time.monotonic()
    mode = "ab" if start else "wb"
    with files.full_disk_error(part), open(part, mode, opener=files.no_follow) as file:
        try:
            # Not `iter_content`: it waits until a piece is full, which a slow connection delays for ever.
            while chunk := answer.raw.read1(CHUNK):
                received += len(chunk)
                if start + received > limit:
                    return f"it is larger than {limit:,} bytes"
                file.write(chunk)
                if time.monotonic() - began > WINDOW:
                    if received - counted < TRICKLE * WINDOW:
                        return f"it arrived at less than {TRICKLE:,} bytes a second"
                    began, counted = time.monotonic(), received
        except HTTPError as error:
            return f"the connection broke ({http.cause(error)})"
    return _missing_bytes(answer, received)


def _missing_bytes(answer: Any, received: int) -> str:
    """What is missing of the declared length; a server that closes early is not always detected before."""
    declared = re.fullmatch(r"[0-9]{1,18}", answer.headers.get("Content-Length", ""))
    # A compressed answer's length is not that of the bytes.
    if declared and "Content-Encoding" not in answer.headers and received < int(declared[0]):
        return f"only {received:,} of {int(declared[0]):,} bytes arrived"
    return ""


def _md5_difference(answer: Any, part: Path) -> str:
    """The difference from the MD5 that the storage gives for the complete file, or ""."""
    expected = http.storage_md5(answer)
    if not expected:
        return ""
    with part.open("rb") as file:
        received = hashlib.file_digest(file, "md5").digest()
    return "" if expected == base64.b64encode(received).decode() else f"{WRONG} of the storage"


def _signed_again(service: Service, run: Run, name: str) -> OutputFile:
    """The file with a new signature in its URL."""
    files, _ = service.outputs(run.slug, run.version)
    for file in files:
        if file.name == name:
            return file
    raise KernelError(f"{run.title} has no file {name!r} any more.")
