"""Folders that a notebook has had to itself: what it left there is listed and removed, whatever that is.

A link could lead out of the folder, a pipe would be waited for, and folders in folders can lie deeper than a path is
long and than Python calls itself.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def plain_files(folder: Path) -> Iterator[str]:
    """The names of the files below a folder, with `/` between folders; none where the folder itself has become a link.

    Links are not followed. Passed over is whatever is no file, cannot be read or reached by a path, or has a name that
    is no text.
    """
    waiting = [] if _leads_away(folder) else [""]
    while waiting:
        inner = waiting.pop()
        with suppress(OSError), os.scandir(folder / inner) as entries:
            for entry in entries:
                name = inner + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name + "/")
                elif entry.is_file(follow_symlinks=False) and _is_text(name) and os.access(entry.path, os.R_OK):
                    yield name


def remove(folder: Path) -> None:
    """Removes a folder with all in it; what cannot be removed stays, and so does all where it has become a link."""
    waiting = [] if _leads_away(folder) else [folder]
    emptied = []
    while waiting:
        here = waiting.pop()
        emptied.append(here)
        with suppress(OSError), os.scandir(here) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        Path(entry.path).chmod(0o700)
                        # Moved up beside the others, so that no path grows.
                        waiting.append(Path(entry.path).rename(folder / uuid.uuid4().hex))
                    else:
                        Path(entry.path).unlink()
    for one in reversed(emptied):
        with suppress(OSError):
            one.rmdir()


def _leads_away(folder: Path) -> bool:
    """Whether a notebook has put a link in place of its folder, or of the one around it."""
    return folder.is_symlink() or folder.parent.is_symlink()


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
