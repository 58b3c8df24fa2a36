"""Pull: every file of a run, checked byte for byte against the manifest it wrote last, then moved in as one.

    run, left_out = pull(service, run, report=…)

Nothing is trusted: the manifest must be this run's and this bundle's; names that leave the folder, more than
`max_bytes` in all, and hashes that differ are refused; files that the manifest does not name are left out and reported.
A file whose name not every system can hold is stored under another (`names`); the manifest that is installed then has
both, the run's own as `name_in_run`.
Until everything is there and right, it lies in the run's own folder, never under `models/`.
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
from local.runs.download import MAX_BYTES, fetch, fetch_anew, matches, part_of
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
LOOKS = (1, 2, 4, 8, 15, 30, 60)  # seconds between looks at what a run left, until it is all listed: two minutes
LOST = 3  # files that do not come, after which the rest of a failed run is not worth the wait
EXECUTED = "__notebook__.ipynb"  # made by the service, so the run's manifest cannot name it
OURS = (manifest.NAME, "run.log", "notebook.ipynb")  # put there by us, whatever the run left
UNNAMED, UNLISTED = "not in the manifest", "the service does not list it"
UNPROVABLE = "the run could not prove what it is: a link, not readable, or a name that is no text"


logger = logging.getLogger(__name__)


def pull(
    service: Service,
    run: Run,
    *,
    again: bool = False,
    max_bytes: int = MAX_BYTES,
    report: Report = silent,
) -> tuple[Run, dict[str, str]]:
    """Brings a complete run home to `models/<name>/`; returns the run and why which files were left out.

    Reports FileArrived and Kept. A model of that name that is there already is kept in the run's folder; one
    of this very run that is complete is left as it is, unless `again`. What is not listed yet is waited for, two
    minutes at most, and this is reported.
    Raises KernelError where the proof fails; `models/` is then as it was.
    """
    if not again and is_home(run):
        logger.info("run %s is home already", run.run_id)
        return run.record(state="pulled"), {}
    run.stage.mkdir(parents=True, exist_ok=True)
    drop_parts(run.stage)
    stated, urls, log = _offer(service, run, max_bytes, report)
    left_out = _left_out(stated, urls)
    places = stored_names(stated.files.keys() - left_out, taken=OURS)
    claimed = {name: stated.files[name] for name in places}
    _check_offer(claimed, urls, max_bytes)
    wanted = {name: facts for name, facts in claimed.items() if not matches(run.stage / places[name], facts)}
    logger.info("%d files are stated, %d offered, %d to be fetched", len(claimed), len(urls), len(wanted))
    _fetch_all(service, run, urls, wanted, places, report)
    _write_places(run.stage, stated, places, left_out)
    run.keep_log(log)
    _vouch_for_extras(service, run, urls)
    _drop_strays(run.stage)
    install(run.stage, run.name, aside=run.folder / "replaced", report=report)
    shutil.rmtree(run.parts, ignore_errors=True)
    return run.record(state="pulled"), left_out


def stated_by(service: Service, run: Run) -> TrainingManifest:
    """What a complete run states of itself: its manifest, checked as `pull` checks it.

    Nothing else is fetched, and nothing installed. Raises KernelError where it left none, or another run's.
    """
    run.stage.mkdir(parents=True, exist_ok=True)
    stated, _, log = _offer(service, run, manifest.LARGEST)
    run.keep_log(log)
    return stated


def _offer(
    service: Service, run: Run, max_bytes: int, report: Report = silent
) -> tuple[TrainingManifest, dict[str, OutputFile], str]:
    """The run's manifest, the files that the service lists, by name, and the log.

    The service may list them later than it tells the run's end: it is asked again until the files of the manifest are
    there, or LOOKS are over.
    """
    for pause in (0, *LOOKS):
        time.sleep(pause)
        files, log = service.outputs(run.slug, run.version)
        urls = {file.name: file for file in files}
        if manifest.NAME in urls:
            stated = _manifest(service, run, urls, max_bytes)
            if not _missing(stated.files, urls):
                break
        if not pause:
            why = f"{run.title} has ended, but what it left is not all listed yet: asked again for two minutes"
            report(Message(why))
    else:
        stated = _manifest(service, run, urls, max_bytes)
    return stated, urls, log


def _missing(stated: Iterable[str], urls: Collection[str]) -> list[str]:
    """The files that the service does not list, of those with plain names, as all files of a model have."""
    return sorted(name for name in stated if name not in urls and safe_name(name))


def is_home(run: Run) -> bool:
    """True where this run was installed already, and only the journal does not know yet."""
    try:
        folder = workspace.models() / run.name
        return manifest.read(folder).run_id == run.run_id and bool(manifest.verify(folder))
    except ModelError:
        return False


def _manifest(service: Service, run: Run, urls: dict[str, OutputFile], max_bytes: int) -> TrainingManifest:
    """The run's own manifest, fetched anew, and checked to be of this run and this bundle."""
    if manifest.NAME not in urls:
        if not urls:
            raise KernelError(
                f"the service lists nothing that {run.title} left, also after two minutes.\n"
                f"Pull it again later: k2l pull {run.run_id}"
            )
        there = plain(", ".join(sorted(urls)))
        raise KernelError(f"{run.title} left no {manifest.NAME}: it did not come to its end. It left: {there}.")
    path = run.stage / manifest.NAME
    stated = _parsed(service, run, urls[manifest.NAME], path, min(max_bytes, manifest.LARGEST))
    for key in ("run_id", "bundle_sha256", "name"):
        if getattr(stated, key) != getattr(run, key):
            path.unlink()
            raise KernelError(
                f"the {manifest.NAME} of {run.title} has {key} {plain(repr(getattr(stated, key)))}, not "
                f"{getattr(run, key)!r}: "
                "it is another run's answer.\nNothing was installed. Train anew: the same command with --again."
            )
    return stated


def _parsed(service: Service, run: Run, file: OutputFile, path: Path, max_bytes: int) -> TrainingManifest:
    """The manifest, fetched a second time where the first could have been cut short unnoticed."""
    trouble = ""
    for _ in range(2):
        fetch_anew(service, run, file, path, max_bytes)
        try:
            return manifest.parse_training(path.read_bytes(), f"the {manifest.NAME} of {run.title}", fits=stays_inside)
        except ModelError as error:
            path.unlink()
            trouble = str(error)
    raise KernelError(trouble)


def _check_offer(stated: dict[str, File], urls: dict[str, OutputFile], max_bytes: int) -> None:
    if missing := _missing(stated, urls):
        raise KernelError(
            f"the manifest names {plain(', '.join(missing))}, but the service has no such file. Pull again later."
        )
    total = sum(file.bytes for file in stated.values())
    if total > max_bytes:
        raise KernelError(f"the run left {total:,} bytes, more than the {max_bytes:,} allowed. Raise --max-bytes.")


def _left_out(stated: Manifest, urls: dict[str, OutputFile]) -> dict[str, str]:
    """Why each file is not brought that the run left and nobody can prove, or bring."""
    out = dict.fromkeys(stated.left_out, UNPROVABLE)
    out |= dict.fromkeys(urls.keys() - stated.files.keys() - {manifest.NAME, EXECUTED}, UNNAMED)
    # A model's own files have plain names: that one of those is missing ends the pull.
    odd = (name for name in stated.files.keys() - urls.keys() if not safe_name(name))
    return dict(sorted((out | dict.fromkeys(odd, UNLISTED)).items()))


def _write_places(stage: Path, stated: Manifest, places: dict[str, str], left_out: Collection[str]) -> None:
    """The run's manifest again, with its files under the names that they are stored under here."""
    files = {
        place: dataclasses.replace(stated.files[name], name_in_run="" if place == name else name)
        for name, place in places.items()
    }
    manifest.save(stage, dataclasses.replace(stated, files=dict(sorted(files.items())), left_out=tuple(left_out)))


def _fetch_all(
    service: Service,
    run: Run,
    urls: dict[str, OutputFile],
    wanted: dict[str, File],
    places: dict[str, str],
    report: Report,
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {
            name: pool.submit(fetch, service, run, urls[name], run.stage / places[name], facts)
            for name, facts in wanted.items()
        }
        try:
            for name, job in jobs.items():
                job.result()
                report(FileArrived(places[name], wanted[name].bytes))
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
    known = {manifest.NAME, *manifest.read_any(stage).files}
    for path in list(stage.rglob("*")):
        if not path.is_dir() and path.relative_to(stage).as_posix() not in known:
            path.unlink()


def rescue(service: Service, run: Run, *, max_bytes: int = MAX_BYTES) -> list[str]:
    """What a run left that did not come to its end, into `run.partial`; returns the run's names of what came.

    Nobody vouches for any of it. A name that would leave the folder, and what does not come, is passed over; so is all
    that comes after `max_bytes`. Files are stored as `names` says.
    """
    try:
        files, _ = service.outputs(run.slug, run.version)
    except KernelError:
        return []
    places = stored_names({file.name for file in files if stays_inside(file.name)})
    room, names, failed = max_bytes, [], 0
    for file in files:
        if failed == LOST or file.name not in places:
            continue
        path = run.partial / places[file.name]
        if _rescued(service, run, file, path, room):
            room -= path.stat().st_size
            names.append(file.name)
        else:
            failed += 1
    return names


def _rescued(service: Service, run: Run, file: OutputFile, path: Path, room: int) -> bool:
    with suppress(KernelError, OSError):
        fetch_anew(service, run, file, path, room)
        return True
    with suppress(OSError):
        part_of(run, path).unlink(missing_ok=True)  # nobody takes it up again, and it would not be counted
    return False
