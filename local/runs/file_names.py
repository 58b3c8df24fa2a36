"""Where the files of a run are stored here: a run may give a file any name, and not every system can hold it.

    stored_names(["a.txt", "12:00.txt"])      # {"a.txt": "a.txt", "12:00.txt": "12_00-9f86d081.txt"}

A name that every system can hold is kept, so that a model's folder can be copied anywhere. Any other is stored under
one made of it, with a part of its hash; so is the second of two names that differ in case or in accents' coding alone,
and one that k2l needs for its own files. Nothing is read or written here.
"""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath

from shared.core.file_names import safe_name

LONGEST = 100  # characters of the old name that the new one begins with
_ODD = re.compile(r"[^\w.-]+", re.ASCII)


def stored_names(names: Iterable[str], *, taken: Collection[str] = ()) -> dict[str, str]:
    """The name under which each file is stored, by its name in the run; `taken` are names of files of our own.

    Every name must be one that stays in its folder (`stays_inside`).
    """
    files, folders = {_folded(name) for name in taken}, set[str]()
    stored = {}
    # The names that can be kept come first: no other may take one of them. `model.pth` comes before `Model.pth`.
    for name in sorted(set(names), key=lambda name: (not safe_name(name), name != name.lower(), name)):
        stored[name] = next(one for one in _candidates(name) if _is_free(one, files, folders))
        files.add(_folded(stored[name]))
        folders.update(_parents(stored[name]))
    return stored


def _candidates(name: str) -> Iterator[str]:
    """The name itself, where it can be kept, then others, without end."""
    if safe_name(name):
        yield name
    whole = _ODD.sub("_", name)
    suffix = PurePosixPath(whole).suffix[:LONGEST]
    stem = whole.removesuffix(suffix).replace(".", "_").strip("_-")[:LONGEST] or "file"
    for n in itertools.count():
        mark = hashlib.sha256(f"{name}{n or ''}".encode()).hexdigest()[:8]
        yield f"{stem}-{mark}{suffix}"


def _is_free(name: str, files: set[str], folders: set[str]) -> bool:
    folded = _folded(name)
    return folded not in files and folded not in folders and files.isdisjoint(_parents(name))


def _parents(name: str) -> list[str]:
    return [_folded(folder.as_posix()) for folder in PurePosixPath(name).parents][:-1]


def _folded(name: str) -> str:
    """What macOS and Windows take for the same name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
