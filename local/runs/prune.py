"""What can be removed from the journal: files that nothing resumes from and nobody needs.

    for path, size in clear(older=timedelta(days=30)): …

Replaced models remain, whatever their age. So does every unfinished or unreadable run.
"""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from local.runs import journal

ENDED = ("done", "swept", "failed", "cancelled")
YOUNG = 3600.0  # seconds; a push that is being recorded looks like one that was never sent


def unneeded(*, older: timedelta | None = None) -> Iterator[tuple[Path, int]]:
    """Each path with its bytes: collected files of runs that ended, and folders without a run.

    With `older` also everything of a run that ended so long ago: its notebook, its log, and its unverified files.
    """
    for path in _unneeded(older):
        yield path, sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())


def clear(*, older: timedelta | None = None) -> Iterator[tuple[Path, int]]:
    """Removes what is `unneeded`, and yields it."""
    for path, size in unneeded(older=older):
        shutil.rmtree(path)
        yield path, size


def _unneeded(older: timedelta | None) -> Iterator[Path]:
    for run in journal.every():
        if run.state in ENDED and older is not None and run.idle > older and not any(run.folder.glob("replaced*")):
            yield run.folder
        elif run.state in (*ENDED, "pulled"):
            yield from (path for path in (run.stage, run.parts) if path.exists())
    yield from journal.unwritten(YOUNG)
