"""Pull: every file of a run, checked byte for byte against the manifest it wrote last, then moved in as one.

    run, left_out = pull(service, run, on_file=…)

Nothing is trusted: the manifest must be this run's and this bundle's; names that leave the folder, more than
`max_bytes` in all, and hashes that differ are refused; files that the manifest does not name are left out and reported.
Until everything is there and right, it lies in the run's own folder, never under `models/`.
"""

import logging
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
from local.kernels.transfer import MAX_BYTES, Facts, fetch, fetch_anew, matches, part_of
from shared import manifest
from shared.errors import KernelError, ModelError, ServiceError, plain
from shared.files import drop_parts, write

LARGEST_MANIFEST, LARGEST_NOTEBOOK = 10_000_000, 100_000_000
AT_ONCE = 8
LOST = 3  # files that do not come, after which the rest of a failed run is not worth the wait
EXECUTED = "__notebook__.ipynb"  # made by the service, so the run's manifest cannot name it
OURS = (manifest.NAME, "run.log", "notebook.ipynb")  # put there by us, whatever the run left


logger = logging.getLogger(__name__)


def pull(
    service: Service,
    run: Run,
    *,
    again: bool = False,
    max_bytes: int = MAX_BYTES,
    on_file: Callable[[str, int], None] = lambda name, size: None,
    on_kept: Callable[[Path], None] = lambda aside: None,
) -> tuple[Run, list[str]]:
    """Brings a complete run home to `models/<name>/`; returns the run and the names that were left out.

    `on_file` is told each file that has come, with its bytes. A model of that name that is there already is kept in
    the run's folder, and `on_kept` told where; one of this very run that is whole is left as it is, unless `again`.
    Raises KernelError where the proof fails; `models/` is then as it was.
    """
    if not again and is_home(run):
        logger.info("run %s is home already", run.run_id)
        return run.record(state="pulled"), []
    files, log = service.outputs(run.slug, run.version)
    urls = {file.name: file for file in files}
    run.stage.mkdir(parents=True, exist_ok=True)
    drop_parts(run.stage)
    stated = _manifest(service, run, urls, max_bytes)["files"]
    wanted = {name: facts for name, facts in stated.items() if not matches(run.stage / name, facts)}
    logger.info("%d files are stated, %d offered, %d to be fetched", len(stated), len(urls), len(wanted))
    _check_offer(stated, urls, max_bytes)
    _fetch_all(service, run, urls, wanted, on_file)
    run.keep_log(log)
    _vouch_for_extras(service, run, urls)
    _drop_strays(run.stage)
    install(run.stage, run.name, aside=run.folder / "replaced", on_kept=on_kept)
    shutil.rmtree(run.parts, ignore_errors=True)
    return run.record(state="pulled"), sorted(set(urls) - set(stated) - {manifest.NAME, EXECUTED})


def stated_by(service: Service, run: Run) -> dict[str, Any]:
    """What a complete run states of itself: its manifest, checked as `pull` checks it.

    Nothing else is fetched, and nothing installed. Raises KernelError where it left none, or another run's.
    """
    files, log = service.outputs(run.slug, run.version)
    run.stage.mkdir(parents=True, exist_ok=True)
    run.keep_log(log)
    return _manifest(service, run, {file.name: file for file in files}, LARGEST_MANIFEST)


def is_home(run: Run) -> bool:
    """True where this run was installed already, and only the journal does not know yet."""
    try:
        folder = paths.models() / run.name
        return manifest.read(folder)["run_id"] == run.run_id and bool(manifest.verify(folder))
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
        fetch_anew(service, run, file, path, max_bytes)
        try:
            return manifest.parse(path.read_bytes(), f"the {manifest.NAME} of {run.title}")
        except ModelError as error:
            path.unlink()
            trouble = str(error)
    raise KernelError(trouble)


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
    for name in stated:
        if not files.isdisjoint(folder.as_posix() for folder in PurePosixPath(name).parents):
            raise KernelError(f"the manifest names {name!r}, and another file is in its way. Nothing was installed.")


def _fetch_all(
    service: Service,
    run: Run,
    urls: dict[str, OutputFile],
    wanted: dict[str, Facts],
    on_file: Callable[[str, int], None],
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {name: pool.submit(fetch, service, run, urls[name], run.stage / name, wanted[name]) for name in wanted}
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
    write(run.stage / "run.log", run.log.read_bytes())
    extras = ["run.log"]
    if EXECUTED in urls:
        # Good to have, and never worth a model: without it everything that is vouched for is here.
        with suppress(ServiceError):
            fetch_anew(service, run, urls[EXECUTED], run.stage / "notebook.ipynb", LARGEST_NOTEBOOK)
            extras.append("notebook.ipynb")
    manifest.add_files(run.stage, extras)


def _drop_strays(stage: Path) -> None:
    """What an earlier pull left that was ended on its way: only what the manifest names is installed."""
    known = {manifest.NAME, *manifest.read(stage)["files"]}
    for path in list(stage.rglob("*")):
        if not path.is_dir() and path.relative_to(stage).as_posix() not in known:
            path.unlink()


def rescue(service: Service, run: Run, *, max_bytes: int = MAX_BYTES) -> list[str]:
    """What a run left that did not come to its end, into `run.partial`; returns the names of what came.

    Nobody vouches for any of it. A name that would leave the folder, and what does not come, is passed over; so is all
    that comes after `max_bytes`.
    """
    try:
        files, _ = service.outputs(run.slug, run.version)
    except KernelError:
        return []
    room, names, failed = max_bytes, [], 0
    for file in files:
        if failed == LOST or not manifest.safe_name(file.name):
            continue
        if _rescued(service, run, file, room):
            room -= (run.partial / file.name).stat().st_size
            names.append(file.name)
        else:
            failed += 1
    return names


def _rescued(service: Service, run: Run, file: OutputFile, room: int) -> bool:
    path = run.partial / file.name
    with suppress(KernelError, OSError):
        fetch_anew(service, run, file, path, room)
        return True
    with suppress(OSError):
        part_of(run, path).unlink(missing_ok=True)  # nobody takes it up again, and it would not be counted
    return False
