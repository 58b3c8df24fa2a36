"""A gathered model folder comes to its place, as a rule `models/<name>`, in one step: seen whole or not at all.

    install(stage, "lite", aside=…)              # models/lite; a model that was there is kept
    for done in recover(paths.models()): …       # at the next command: completes what was killed on its way

All happens in a hidden folder beside the place, and a record there says what for. Whoever comes next can then complete
an installation that was killed, at any moment:

    models/.install-…/record.json                the name, and where the older model is to be kept
    models/.install-…/new                        the new model, once all of it is on this disk
    models/.install-…/old                        the older one, on its way out

Stage, place and `aside` may lie on three disks: what a rename cannot move is copied, and seen under its name once all
of it is written.
"""

import errno
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.core import workspace
from shared.core import files, manifest
from shared.core.events import Report, silent
from shared.core.file_names import safe_name

PREFIX, RECORD = ".install-", "record.json"


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A model that is in its place now, and where the older ones are kept; more than one only after a kill."""

    folder: Path
    kept: list[Path] = field(default_factory=list)


def install(
    stage: Path,
    name: str,
    *,
    aside: Path,
    at: Path | None = None,
    report: Report = silent,
) -> Path:
    """Moves the folder `stage` to `models/<name>`, or to `at`; a model that is there is kept as `aside`.

    Nothing is deleted: where `aside` is taken, it is `aside-2`, and so on. Returns the new folder; reports BackupMade
    for an older one. Raises DiskFullError with everything as it was.
    """
    target = at or workspace.models() / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock():
        recover_locked(target.parent)
        work = files.new_folder(target.parent, PREFIX)
        try:
            manifest.write_json(work / RECORD, {"name": target.name, "aside": str(aside.absolute())})
            _move(stage, work / "new")
        except BaseException:
            if not (work / "new").is_dir():  # once it is there, it is whole, and may be all there is of the model
                shutil.rmtree(work, ignore_errors=True)
            raise
        done = _complete(work, target, aside)
    for kept in done.kept:
        from local.core.events import BackupMade  # here: every verb imports this module, and few install anything

        report(BackupMade(kept))
    return target


def recover(folder: Path) -> list[Installed]:
    """Completes what was killed while it was installed in that folder; gives each model that came to its place so."""
    if not any(folder.glob(f"{PREFIX}*")):
        return []
    with _lock():  # held by an installation that is under way: what is there once it is ours was killed
        return recover_locked(folder)


def recover_locked(folder: Path) -> list[Installed]:
    """`recover`, for whoever has the lock."""
    return list(filter(None, map(_recovered, sorted(folder.glob(f"{PREFIX}*")))))


def _recovered(work: Path) -> Installed | None:
    if work.is_symlink() or not work.is_dir():
        return None  # not ours
    try:
        record = json.loads(files.read(work / RECORD, most=10_000))
        name, aside = record["name"], Path(record["aside"])
        known = safe_name(name) and "/" not in name
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        known = False
    if not known or not any((work / one).is_dir() for one in ("new", "old")):
        shutil.rmtree(work, ignore_errors=True)  # killed before anything was moved: the command begins anew
        return None
    # A record cannot have a model moved just anywhere.
    if ".." in aside.parts or not aside.is_relative_to(workspace.state()):
        aside = workspace.state() / "replaced" / name
    return _complete(work, work.parent / name, aside)


def _complete(work: Path, target: Path, aside: Path) -> Installed:
    """Takes the steps that are left. The new model comes first, whatever becomes of the older one."""
    new = work / "new"
    if new.is_dir():
        if os.path.lexists(target):
            _move(target, _free(work / "old"))
        new.rename(target)
    kept = []
    for old in sorted(work.glob("old*")):
        try:
            kept.append(_move(old, _free(aside)))
        except OSError as error:
            if not files.is_full(error):
                raise
            return Installed(folder=target, kept=[*kept, old])  # it stays here until there is room
    shutil.rmtree(work, ignore_errors=True)
    return Installed(folder=target, kept=kept)


def _move(source: Path, target: Path) -> Path:
    """A folder under another name, where nothing is yet; across disks its copy is whole before it has that name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        return source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    copy(source, target)
    # Under another name: killed in the middle, half of a model would be left where it lies.
    gone = files.new_folder(source.parent)
    source.rename(gone / source.name)
    shutil.rmtree(gone)
    return target


def copy(source: Path, target: Path) -> None:
    """A folder with all in it, on the disk before it has its name; links stay links. DiskFullError: nothing is left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.fresh(target) as part:
        part.mkdir()
        for path in sorted(source.rglob("*")):  # `shutil.copytree` does not tell that the disk is full
            copied = part / path.relative_to(source)
            if path.is_symlink():
                copied.symlink_to(path.readlink())
            elif path.is_dir():
                copied.mkdir()
            else:
                shutil.copyfile(path, copied)
                with copied.open("rb") as file:
                    os.fsync(file.fileno())


@contextmanager
def _lock() -> Iterator[None]:
    from filelock import FileLock

    workspace.state().mkdir(parents=True, exist_ok=True)
    with FileLock(workspace.state() / "install.lock"):
        yield


def _free(path: Path) -> Path:
    names = itertools.chain([path], (path.with_name(f"{path.name}-{n}") for n in itertools.count(2)))
    return next(one for one in names if not os.path.lexists(one))
