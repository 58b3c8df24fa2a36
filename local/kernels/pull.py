"""Pull: every file of a run, checked byte for byte against the manifest it wrote last, then moved in in one step.

    run, left_out = pull(service, run, on_file=…)

Nothing is trusted: the manifest must be this run's and this bundle's; names that leave the folder, files larger than
`max_bytes`, and hashes that differ are refused; files that the manifest does not name are left out and reported.
Until everything is there and right, it lies in the run's own folder, never under `models/`.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local.install import install
from local.kernels.client import OutputFile, Service
from local.kernels.runs import Run
from shared import manifest
from shared.errors import KernelError, ModelError, ServiceError

MAX_BYTES = 2_000_000_000
AT_ONCE = 8
CHUNK = 1 << 18
TRIES = 4
EXECUTED = "__notebook__.ipynb"  # made by the service, so the run's manifest cannot name it


def pull(
    service: Service,
    run: Run,
    *,
    max_bytes: int = MAX_BYTES,
    on_file: Callable[[str, int], None] = lambda name, size: None,
) -> tuple[Run, list[str]]:
    """Brings a complete run home to `models/<name>/`; returns the run and the names that were left out.

    `on_file` is told each file that has come, with its bytes. A model of that name that is there already is moved
    to the run's folder as `replaced`. Raises ModelError or KernelError where the proof fails; `models/` is then
    as it was.
    """
    files, log = service.outputs(run.slug, run.version)
    urls = {file.name: file for file in files}
    run.stage.mkdir(parents=True, exist_ok=True)
    stated = _manifest(service, run, urls, max_bytes)
    wanted = {name: facts for name, facts in stated["files"].items() if name not in _held(run.stage, stated["files"])}
    _check_offer(wanted, urls, max_bytes)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {
            name: pool.submit(_fetch, service, run, urls[name], run.stage / name, facts)
            for name, facts in wanted.items()
        }
        for name, job in jobs.items():
            job.result()
            on_file(name, wanted[name]["bytes"])
    manifest.verify(run.stage)
    _vouch_for_extras(service, run, urls, log or _saved_log(run))
    install(run.stage, run.name, replaced=run.folder / "replaced")
    left_out = sorted(set(urls) - set(stated["files"]) - {manifest.NAME, EXECUTED})
    return run.record(state="pulled"), left_out


def _manifest(service: Service, run: Run, urls: dict[str, OutputFile], max_bytes: int) -> dict[str, Any]:
    """The run's own manifest, fetched anew, and checked to be of this run and this bundle."""
    if manifest.NAME not in urls:
        there = ", ".join(sorted(urls)) or "nothing"
        raise KernelError(f"{run.title} left no {manifest.NAME}: it did not come to its end. It left: {there}.")
    path = run.stage / manifest.NAME
    path.unlink(missing_ok=True)
    _fetch(
        service, run, urls[manifest.NAME], path, {"bytes": None, "sha256": None}, max_bytes=min(max_bytes, 10_000_000)
    )
    try:
        stated = manifest.parse(path.read_bytes(), f"the {manifest.NAME} of {run.title}")
    except ModelError as error:
        path.unlink()
        raise KernelError(str(error)) from None
    for key in ("run_id", "bundle_sha256", "name"):
        if stated[key] != getattr(run, key):
            path.unlink()
            raise KernelError(
                f"the {manifest.NAME} of {run.title} has {key} {stated[key]!r}, not {getattr(run, key)!r}: "
                f"it is another run's answer.\nNothing was installed. Ask again with k2l pull {run.run_id}"
            )
    return stated


def _held(stage: Path, files: dict[str, dict[str, Any]]) -> set[str]:
    """Files that an interrupted pull already brought whole."""
    return {name for name, facts in files.items() if _matches(stage / name, facts)}


def _matches(path: Path, facts: dict[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == facts["bytes"] and manifest.sha256(path) == facts["sha256"]


def _check_offer(wanted: dict[str, dict[str, Any]], urls: dict[str, OutputFile], max_bytes: int) -> None:
    missing = sorted(set(wanted) - set(urls))
    if missing:
        raise KernelError(
            f"the manifest names {', '.join(missing)}, but the service has no such file. Pull again later."
        )
    total = sum(facts["bytes"] for facts in wanted.values())
    if total > max_bytes:
        raise KernelError(f"the run left {total:,} bytes, more than the {max_bytes:,} allowed. Raise --max-bytes.")


def _vouch_for_extras(service: Service, run: Run, urls: dict[str, OutputFile], log: str) -> None:
    """The log and the executed notebook come from the service, not from the run: they are vouched for from here on."""
    (run.stage / "run.log").write_text(log, encoding="utf-8")
    extras = ["run.log"]
    if EXECUTED in urls:
        path = run.stage / "notebook.ipynb"
        path.unlink(missing_ok=True)
        _fetch(service, run, urls[EXECUTED], path, {"bytes": None, "sha256": None}, max_bytes=100_000_000)
        extras.append(path.name)
    manifest.add_files(run.stage, extras)


def _saved_log(run: Run) -> str:
    return run.log.read_text(encoding="utf-8") if run.log.is_file() else ""


def _fetch(
    service: Service, run: Run, file: OutputFile, path: Path, facts: dict[str, Any], *, max_bytes: int = MAX_BYTES
) -> None:
    """One file, into `.part` first, going on from what a broken transfer left; refused if its hash is not the stated.

    `facts` holds `bytes` and `sha256`, None where nobody stated them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    trouble = ""
    for _ in range(TRIES):
        trouble = _transfer(service, file.url, part, facts["bytes"] if facts["bytes"] is not None else max_bytes)
        if trouble == "expired":
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
        f"Nothing was installed; k2l pull {run.run_id} goes on."
    )


def _transfer(service: Service, url: str, part: Path, limit: int) -> str:
    """Adds to `part` what it lacks; "" if the transfer ended well, else what went wrong."""
    start = part.stat().st_size if part.is_file() else 0
    try:
        with service.download(url, start=start) as answer:
            if answer.status_code == 416:  # nothing is left to come
                return ""
            if answer.status_code in (401, 403):
                return "expired"
            if answer.status_code not in (200, 206):
                return f"the service answered HTTP {answer.status_code}"
            return _write(answer, part, "ab" if answer.status_code == 206 else "wb", limit)
    except ServiceError as error:
        return str(error)


def _write(answer: Any, part: Path, mode: str, limit: int) -> str:
    import requests

    declared = answer.headers.get("Content-Length")
    received = 0
    with part.open(mode) as file:
        try:
            for chunk in answer.iter_content(CHUNK):
                received += len(chunk)
                if file.tell() + len(chunk) > limit:
                    return f"it is larger than {limit:,} bytes"
                file.write(chunk)
        except requests.RequestException as error:
            return f"the connection broke ({type(error).__name__})"
    if declared is not None and declared.isdigit() and received < int(declared):
        return f"only {received:,} of {int(declared):,} bytes came"
    return ""


def _again(service: Service, run: Run, name: str) -> OutputFile:
    """The file with a fresh signature on its URL."""
    files, _ = service.outputs(run.slug, run.version)
    for file in files:
        if file.name == name:
            return file
    raise KernelError(f"{run.title} has no file {name!r} any more.")
