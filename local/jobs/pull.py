"""Pull: every file of a run, checked byte for byte against its manifest, then installed in one step.

    run, left_out = pull(service, run, report=…)

Nothing is trusted: the manifest must be this run's and this bundle's; names outside the folder, more than `max_bytes`
in all, and hashes that differ are refused; files that the manifest does not name are left out and reported. A file
whose name some systems cannot store gets another name (`file_names`); the installed manifest then has both, the run's
own as `name_in_run`. Until everything is complete and verified, it is in the run's own folder, never under `models/`.
"""

import dataclasses
import logging
import shutil
import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from local.core import workspace
from local.core.events import FileArrived, Message
from local.kaggle_api.client import OutputFile, Service
from local.models.install import install
from local.runs.download import MAX_BYTES, fetch, fetch_again, matches, part_of
from local.runs.file_names import stored_names
from local.runs.journal import Run
from shared.core import manifest
from shared.core.errors import KernelError, ModelError, ServiceError, plain
from shared.core.events import Report, silent
from shared.core.file_names import safe_name, stays_inside
from shared.core.files import drop_parts, write
from shared.core.manifest import File, Manifest, TrainingManifest

LARGEST_NOTEBOOK = 100_000_000
AT_ONCE = 8
LOOKS = (1, 2, 4, 8, 15, 30, 60)  # seconds between listings of a run's files, until all are listed: two minutes
LOST = 3  # failed downloads after which the rest of a failed run is not fetched
EXECUTED = "__notebook__.ipynb"  # made by the service, so it is not in the run's manifest
OURS = (manifest.NAME, "run.log", "notebook.ipynb")  # written by us, whatever the run left
UNNAMED, UNLISTED = "not in the manifest", "the service does not list it"
UNPROVABLE = "the run could not hash it: a link, not readable, or a name that is not text"


logger = logging.getLogger(__name__)


def pull(
    service: Service,
    run: Run,
    *,
    again: bool = False,
    max_bytes: int = MAX_BYTES,
    report: Report = silent,
) -> tuple[Run, dict[str, str]]:
    """Installs a complete run as `models/<name>/`; returns the run, and the files that were left out with the reasons.

    Reports FileArrived and BackupMade. A model of that name that is there already is kept in the run's folder; one
    of this very run that is complete is left as it is, unless `again`. What is not listed yet is waited for, two
    minutes at most, and this is reported.
    Raises KernelError if the verification fails; `models/` is then unchanged.
    """
    if not again and is_home(run):
        logger.info("run %s is installed already", run.run_id)
        return run.record(state="pulled"), {}
    run.stage.mkdir(parents=True, exist_ok=True)
    drop_parts(run.stage)
    found, urls, log = _offer(service, run, max_bytes, report)
    left_out = _left_out(found, urls)
    places = stored_names(found.files.keys() - left_out, taken=OURS)
    claimed = {name: found.files[name] for name in places}
    _check_offer(claimed, urls, max_bytes)
    missing = {name: facts for name, facts in claimed.items() if not matches(run.stage / places[name], facts)}
    logger.info(
        "%d files are in the manifest, %d are listed, %d are to be fetched", len(claimed), len(urls), len(missing)
    )
    _fetch_all(service, run, urls, missing, places, report)
    _write_places(run.stage, found, places, left_out)
    run.save_log(log)
    _add_extras(service, run, urls)
    _remove_strays(run.stage)
    install(run.stage, run.name, aside=run.folder / "replaced", report=report)
    shutil.rmtree(run.parts, ignore_errors=True)
    return run.record(state="pulled"), left_out


def manifest_of(service: Service, run: Run) -> TrainingManifest:
    """The manifest of a complete run, checked as `pull` checks it.

    Nothing else is fetched, and nothing installed. Raises KernelError if it left none, or another run's.
    """
    run.stage.mkdir(parents=True, exist_ok=True)
    found, _, log = _offer(service, run, manifest.LARGEST)
    run.save_log(log)
    return found


def _offer(
    service: Service, run: Run, max_bytes: int, report: Report = silent
) -> tuple[TrainingManifest, dict[str, OutputFile], str]:
    """The run's manifest, the files that the service lists, by name, and the log.

    The service may list them some time after the run's end: it is asked again until the files of the manifest are
    listed, or LOOKS are over.
    """
    for pause in (0, *LOOKS):
        time.sleep(pause)
        files, log = service.outputs(run.slug, run.version)
        urls = {file.name: file for file in files}
        if manifest.NAME in urls:
            found = _manifest(service, run, urls, max_bytes)
            if not _missing(found.files, urls):
                break
        if not pause:
            why = f"{run.title} has ended, but not all its files are listed yet: trying again for two minutes"
            report(Message(why))
    else:
        found = _manifest(service, run, urls, max_bytes)
    return found, urls, log


def _missing(names: Iterable[str], urls: Collection[str]) -> list[str]:
    """The files that the service does not list, of those with safe names: all files of a model have such names."""
    return sorted(name for name in names if name not in urls and safe_name(name))


def is_home(run: Run) -> bool:
    """True if this run is installed already, and only the journal does not know it yet."""
    try:
        folder = workspace.models() / run.name
        return manifest.read(folder).run_id == run.run_id and bool(manifest.verify(folder))
    except ModelError:
        return False


def _manifest(service: Service, run: Run, urls: dict[str, OutputFile], max_bytes: int) -> TrainingManifest:
    """The run's own manifest, fetched again, and checked to belong to this run and this bundle."""
    if manifest.NAME not in urls:
        if not urls:
            raise KernelError(
                f"the service lists no files of {run.title}, even after two minutes.\n"
                f"Pull it again later: k2l pull {run.run_id}"
            )
        there = plain(", ".join(sorted(urls)))
        raise KernelError(f"{run.title} left no {manifest.NAME}: it did not complete. It left: {there}.")
    path = run.stage / manifest.NAME
    found = _parsed(service, run, urls[manifest.NAME], path, min(max_bytes, manifest.LARGEST))
    for key in ("run_id", "bundle_sha256", "name"):
        if getattr(found, key) != getattr(run, key):
            path.unlink()
            raise KernelError(
                f"the {manifest.NAME} of {run.title} has {key} {plain(repr(getattr(found, key)))}, not "
                f"{getattr(run, key)!r}: "
                "it belongs to another run.\nNothing was installed. Train again: the same command with --again."
            )
    return found


def _parsed(service: Service, run: Run, file: OutputFile, path: Path, max_bytes: int) -> TrainingManifest:
    """The manifest; fetched a second time if the first cannot be parsed, since it may have been cut short."""
    trouble = ""
    for _ in range(2):
        fetch_again(service, run, file, path, max_bytes)
        try:
            return manifest.parse_training(path.read_bytes(), f"the {manifest.NAME} of {run.title}", fits=stays_inside)
        except ModelError as error:
            path.unlink()
            trouble = str(error)
    raise KernelError(trouble)


def _check_offer(claimed: dict[str, File], urls: dict[str, OutputFile], max_bytes: int) -> None:
    if missing := _missing(claimed, urls):
        raise KernelError(
            f"the manifest names {plain(', '.join(missing))}, but the service does not list it. Pull again later."
        )
    total = sum(file.bytes for file in claimed.values())
    if total > max_bytes:
        raise KernelError(f"the run left {total:,} bytes, more than the allowed {max_bytes:,}. Raise --max-bytes.")


def _left_out(found: Manifest, urls: dict[str, OutputFile]) -> dict[str, str]:
    """The reason for each file of the run that cannot be verified or downloaded."""
    out = dict.fromkeys(found.left_out, UNPROVABLE)
    out |= dict.fromkeys(urls.keys() - found.files.keys() - {manifest.NAME, EXECUTED}, UNNAMED)
    # A model's own files have safe names: if one of those is missing, the pull fails.
    odd = (name for name in found.files.keys() - urls.keys() if not safe_name(name))
    return dict(sorted((out | dict.fromkeys(odd, UNLISTED)).items()))


def _write_places(stage: Path, found: Manifest, places: dict[str, str], left_out: Collection[str]) -> None:
    """The run's manifest, with the names under which its files are stored here."""
    files = {
        place: dataclasses.replace(found.files[name], name_in_run="" if place == name else name)
        for name, place in places.items()
    }
    manifest.save(stage, dataclasses.replace(found, files=dict(sorted(files.items())), left_out=tuple(left_out)))


def _fetch_all(
    service: Service,
    run: Run,
    urls: dict[str, OutputFile],
    missing: dict[str, File],
    places: dict[str, str],
    report: Report,
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {
            name: pool.submit(fetch, service, run, urls[name], run.stage / places[name], facts)
            for name, facts in missing.items()
        }
        try:
            for name, job in jobs.items():
                job.result()
                report(FileArrived(places[name], missing[name].bytes))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _add_extras(service: Service, run: Run, urls: dict[str, OutputFile]) -> None:
    """The log and the executed notebook come from the service, not from the run: they join the manifest here."""
    run.log.touch()
    write(run.stage / "run.log", run.log.read_bytes())
    extras = ["run.log"]
    if EXECUTED in urls:
        # Useful, but a model does not fail for it: every verified file is here without it.
        with suppress(ServiceError):
            fetch_again(service, run, urls[EXECUTED], run.stage / "notebook.ipynb", LARGEST_NOTEBOOK)
            extras.append("notebook.ipynb")
    manifest.add_files(run.stage, extras)


def _remove_strays(stage: Path) -> None:
    """Removes what an interrupted pull left: only files of the manifest are installed."""
    known = {manifest.NAME, *manifest.read_any(stage).files}
    for path in list(stage.rglob("*")):
        if not path.is_dir() and path.relative_to(stage).as_posix() not in known:
            path.unlink()


def rescue(service: Service, run: Run, *, max_bytes: int = MAX_BYTES) -> list[str]:
    """Saves the files of a run that did not complete in `run.partial`; returns the run's names of those that arrived.

    They are not verified. A name outside the folder, a failed download, and everything after `max_bytes` is skipped.
    `file_names` gives the names here.
    """
    try:
        files, _ = service.outputs(run.slug, run.version)
    except KernelError:
        return []
    places = stored_names({file.name for file in files if stays_inside(file.name)})
    left, names, failed = max_bytes, [], 0
    for file in files:
        if failed == LOST or file.name not in places:
            continue
        path = run.partial / places[file.name]
        if _rescued(service, run, file, path, left):
            left -= path.stat().st_size
            names.append(file.name)
        else:
            failed += 1
    return names


def _rescued(service: Service, run: Run, file: OutputFile, path: Path, left: int) -> bool:
    with suppress(KernelError, OSError):
        fetch_again(service, run, file, path, left)
        return True
    with suppress(OSError):
        part_of(run, path).unlink(missing_ok=True)  # nothing resumes it, and it would not be counted
    return False
