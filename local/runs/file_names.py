"""Where the files of a run are stored here: a run may give a file any name, and some systems cannot store it.

    stored_names(["a.txt", "12:00.txt"])      # {"a.txt": "a.txt", "12:00.txt": "12_00-9f86d081.txt"}

A name that every system can store is unchanged, so that a model's folder can be copied anywhere. Another name is
replaced by a similar one with a part of its hash. So is the second of two names that differ only in case or in the
encoding of accents, and a name that k2l needs for its own files. Nothing is read or written here.
"""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath

from shared.core.file_names import safe_name

LONGEST = 100  # characters of the old name at the start of the new one
_ODD = re.compile(r"[^\w.-]+", re.ASCII)


def stored_names(names: Iterable[str], *, taken: Collection[str] = ()) -> dict[str, str]:
    """The name under which each file is stored, by its name in the run; `taken` has the names of our own files.

    Every name must be one that stays in its folder (`stays_inside`).
    """
    files, folders = {_folded(name) for name in taken}, set[str]()
    stored = {}
    # The unchanged names come first: no other name may take one of them. `model.pth` comes before `Model.pth`.
    for name in sorted(set(names), key=lambda name: (not safe_name(name), name != name.lower(), name)):
        stored[name] = next(one for one in _candidates(name) if _is_free(one, files, folders))
        files.add(_folded(stored[name]))
        folders.update(_parents(stored[name]))
    return stored


def _candidates(name: str) -> Iterator[str]:
    """The name itself, if it can be stored, then others, without end."""
    if safe_name(name):
        yield name
    plain = _ODD.sub("_", name)
    suffix = PurePosixPath(plain).suffix[:LONGEST]
    stem = plain.removesuffix(suffix).replace(".", "_").strip("_-")[:LONGEST] or "file"
    for n in itertools.count():
        mark = hashlib.sha256(f"{name}{n or ''}".encode()).hexdigest()[:8]
        yield f"{stem}-{mark}{suffix}"


def _is_free(name: str, files: set[str], folders: set[str]) -> bool:
    folded = _folded(name)
    return folded not in files and folded not in folders and files.isdisjoint(_parents(name))


def _parents(name: str) -> list[str]:
    return [_folded(folder.as_posix()) for folder in PurePosixPath(name).parents][:-1]


def _folded(name: str) -> str:
    """A form that is equal for names that macOS and Windows treat as the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
