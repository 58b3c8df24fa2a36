"""Pull: every file of a run, checked byte for byte against the manifest it wrote last, then moved in as one.

    run, left_out = pull(service, run, on_file=…)

Nothing is trusted: the manifest must be this run's and this bundle's; names that leave the folder, more than
`max_bytes` in all, and hashes that differ are refused; files that the manifest does not name are left out and reported.
Until everything is there and right, it lies in the run's own folder, never under `models/`.
"""

import base64
import hashlib
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from local import paths
from local.install import install
from local.kernels.client import OutputFile, Service
from local.kernels.runs import Run
from shared import manifest
from shared.errors import KernelError, ModelError, ServiceError, plain

MAX_BYTES = 2_000_000_000
LARGEST_MANIFEST, LARGEST_NOTEBOOK = 10_000_000, 100_000_000
AT_ONCE = 8
CHUNK = 1 << 14  # bytes; what is lost of a transfer that breaks
TRIES = 4
EXECUTED = "__notebook__.ipynb"  # made by the service, so the run's manifest cannot name it
OURS = (manifest.NAME, "run.log", "notebook.ipynb")  # put there by us, whatever the run left
EXPIRED = "the service refuses its own link to it"

Facts = dict[str, Any]  # what a manifest states of a file: its bytes and sha256, None where nobody stated them
UNPROVEN: Facts = {"bytes": None, "sha256": None}


def pull(
    service: Service,
    run: Run,
    *,
    again: bool = False,
    max_bytes: int = MAX_BYTES,
    on_file: Callable[[str, int], None] = lambda name, size: None,
) -> tuple[Run, list[str]]:
    """Brings a complete run home to `models/<name>/`; returns the run and the names that were left out.

    `on_file` is told each file that has come, with its bytes. A model of that name that is there already is kept in
    the run's folder; one of this very run that is whole is left as it is, unless `again`. Raises KernelError where
    the proof fails; `models/` is then as it was.
    """
    if not again and _is_home(run):
        return run.record(state="pulled"), []
    files, log = service.outputs(run.slug, run.version)
    urls = {file.name: file for file in files}
    run.stage.mkdir(parents=True, exist_ok=True)
    stated = _manifest(service, run, urls, max_bytes)["files"]
    wanted = {name: facts for name, facts in stated.items() if not _matches(run.stage / name, facts)}
    _check_offer(stated, urls, max_bytes)
    _fetch_all(service, run, urls, wanted, on_file)
    manifest.verify(run.stage)
    run.keep_log(log)
    _vouch_for_extras(service, run, urls)
    _drop_strays(run.stage)
    install(run.stage, run.name, aside=run.folder / "replaced")
    return run.record(state="pulled"), sorted(set(urls) - set(stated) - {manifest.NAME, EXECUTED})


def stated_by(service: Service, run: Run) -> dict[str, Any]:
    """What a complete run states of itself: its manifest, checked as `pull` checks it.

    Nothing else is fetched, and nothing installed. Raises KernelError where it left none, or another run's.
    """
    files, log = service.outputs(run.slug, run.version)
    run.stage.mkdir(parents=True, exist_ok=True)
    run.keep_log(log)
    return _manifest(service, run, {file.name: file for file in files}, LARGEST_MANIFEST)


def _is_home(run: Run) -> bool:
    """True where this run was installed already, and only the journal does not know yet."""
    try:
        return bool(manifest.verify(paths.models() / run.name)["run_id"] == run.run_id)
    except ModelError:
        return False


def _manifest(service: Service, run: Run, urls: dict[str, OutputFile], max_bytes: int) -> dict[str, Any]:
    """The run's own manifest, fetched anew, and checked to be of this run and this bundle."""
    if manifest.NAME not in urls:
        there = plain(", ".join(sorted(urls))) or "nothing"
        raise KernelError(f"{run.title} left no {manifest.NAME}: it did not come to its end. It left: {there}.")
    path = run.stage / manifest.NAME
    stated = _parsed(service, run, urls[manifest.NAME], path, min(max_bytes, LARGEST_MANIFEST))
    for key in ("run_id", "bundle_sha256", "name"):
        if stated[key] != getattr(run, key):
            path.unlink()
            raise KernelError(
                f"the {manifest.NAME} of {run.title} has {key} {plain(repr(stated[key]))}, not {getattr(run, key)!r}: "
                "it is another run's answer.\nNothing was installed. Train anew: the same command with --again."
            )
    return stated


def _parsed(service: Service, run: Run, file: OutputFile, path: Path, max_bytes: int) -> dict[str, Any]:
    """The manifest, fetched a second time where the first could have been cut short unnoticed."""
    trouble = ""
    for _ in range(2):
        _fetch_unproven(service, run, file, path, max_bytes)
        try:
            return manifest.parse(path.read_bytes(), f"the {manifest.NAME} of {run.title}")
        except ModelError as error:
            path.unlink()
            trouble = str(error)
    raise KernelError(trouble)


def _matches(path: Path, facts: Facts) -> bool:
    return path.is_file() and path.stat().st_size == facts["bytes"] and manifest.sha256(path) == facts["sha256"]


def _check_offer(stated: dict[str, Facts], urls: dict[str, OutputFile], max_bytes: int) -> None:
    missing = sorted(set(stated) - set(urls))
    if missing:
        raise KernelError(
            f"the manifest names {plain(', '.join(missing))}, but the service has no such file. Pull again later."
        )
    total = sum(facts["bytes"] for facts in stated.values())
    if total > max_bytes:
        raise KernelError(f"the run left {total:,} bytes, more than the {max_bytes:,} allowed. Raise --max-bytes.")
    files = {*stated, *OURS}
    coming = {f"{name}.part" for name in files}
    taken = files | coming
    for name in stated:
        above = {folder.as_posix() for folder in PurePosixPath(name).parents}
        if name in coming or not above.isdisjoint(taken):
            raise KernelError(f"the manifest names {name!r}, in whose way another file is. Nothing was installed.")


def _fetch_all(
    service: Service,
    run: Run,
    urls: dict[str, OutputFile],
    wanted: dict[str, Facts],
    on_file: Callable[[str, int], None],
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {name: pool.submit(_fetch, service, run, urls[name], run.stage / name, wanted[name]) for name in wanted}
        try:
            for name, job in jobs.items():
                job.result()
                on_file(name, wanted[name]["bytes"])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _vouch_for_extras(service: Service, run: Run, urls: dict[str, OutputFile]) -> None:
    """The log and the executed notebook come from the service, not from the run: they are vouched for from here on."""
    run.log.touch()
    shutil.copyfile(run.log, run.stage / "run.log")
    extras = ["run.log"]
    if EXECUTED in urls:
        # Good to have, and never worth a model: without it everything that is vouched for is here.
        with suppress(ServiceError):
            _fetch_unproven(service, run, urls[EXECUTED], run.stage / "notebook.ipynb", LARGEST_NOTEBOOK)
            extras.append("notebook.ipynb")
    manifest.add_files(run.stage, extras)


def _drop_strays(stage: Path) -> None:
    """What broken transfers and earlier pulls left: only what the manifest names is installed."""
    known = {manifest.NAME, *manifest.read(stage)["files"]}
    for path in list(stage.rglob("*")):
        if not path.is_dir() and path.relative_to(stage).as_posix() not in known:
            path.unlink()


def _fetch_unproven(service: Service, run: Run, file: OutputFile, path: Path, max_bytes: int) -> None:
    """A file whose hash nobody stated: from its first byte, since a part of it could be of another version."""
    for stale in (path, _part(path)):
        stale.unlink(missing_ok=True)
    _fetch(service, run, file, path, UNPROVEN, max_bytes=max_bytes)


def _fetch(
    service: Service, run: Run, file: OutputFile, path: Path, facts: Facts, *, max_bytes: int = MAX_BYTES
) -> None:
    """One file, into `.part` first, going on from what a broken transfer left; refused with a wrong hash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part, trouble = _part(path), ""
    for _ in range(TRIES):
        trouble = _transfer(service, file.url, part, max_bytes if facts["bytes"] is None else facts["bytes"])
        if trouble == EXPIRED:
            file = _again(service, run, file.name)
            continue
        if not trouble and (facts["bytes"] is None or _matches(part, facts)):
            part.replace(path)
            return
        if not trouble:
            trouble = "its bytes are not those the manifest vouches for"
            part.unlink(missing_ok=True)
    raise ServiceError(
        f"{file.name} of {run.title} did not come whole: {trouble}.\n"
        f"Nothing was installed; the same command goes on, or k2l pull {run.run_id}."
    )


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _transfer(service: Service, url: str, part: Path, limit: int) -> str:
    """Adds to `part` what it lacks; "" if the transfer ended well, else what went wrong."""
    start = part.stat().st_size if part.is_file() else 0
    try:
        with service.download(url, start=start) as answer:
            if answer.status_code == 416 and start:  # nothing is left to come
                return ""
            if answer.status_code in (401, 403):
                return EXPIRED
            if answer.status_code not in (200, 206):
                return f"the service answered HTTP {answer.status_code}"
            return _write(answer, part, "ab" if answer.status_code == 206 else "wb", limit)
    except ServiceError as error:
        return str(error)


def _write(answer: Any, part: Path, mode: str, limit: int) -> str:
    import requests

    declared = re.fullmatch(r"[0-9]{1,18}", answer.headers.get("Content-Length", ""))
    received, digest = 0, hashlib.md5(usedforsecurity=False)
    with part.open(mode) as file:
        try:
            for chunk in answer.iter_content(CHUNK):
                received += len(chunk)
                if file.tell() + len(chunk) > limit:
                    return f"it is larger than {limit:,} bytes"
                file.write(chunk)
                digest.update(chunk)
        except requests.RequestException as error:
            return f"the connection broke ({type(error).__name__})"
    packed = "Content-Encoding" in answer.headers  # its length is then not that of the bytes
    if not packed and declared and received < int(declared[0]):
        return f"only {received:,} of {int(declared[0]):,} bytes came"
    stated = re.search(r"md5=([\w+/=]+)", answer.headers.get("x-goog-hash", ""))
    if stated and mode == "wb" and not packed and stated[1] != base64.b64encode(digest.digest()).decode():
        part.unlink()
        return "its bytes are not those the storage sent"
    return ""


def _again(service: Service, run: Run, name: str) -> OutputFile:
    """The file with a fresh signature on its URL."""
    files, _ = service.outputs(run.slug, run.version)
    for file in files:
        if file.name == name:
            return file
    raise KernelError(f"{run.title} has no file {name!r} any more.")
