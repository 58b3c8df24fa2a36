"""Files that appear complete or not at all, and are never written through a link; reads with a limit of size.

    write(Path("curves.png"), content)                     # bytes
    with fresh(Path("models/m/model.keras")) as part:      # for what writes a file by its path
        network.save(part)                                 # gets the name model.keras when the block ends
    with full_disk_error(path): …                                 # a full disk is a DiskFullError that names it
    read(Path("manifest.json"), most=1_000_000)            # bytes

The temporary file is in a new folder beside the file. The folder has a random name and belongs to this user alone, so
nobody can put a link there beforehand. The old file of that name is replaced. A link there is replaced too, never
followed. Standard library only: it also runs in the notebook.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.core.errors import DiskFullError

PREFIX = ".k2l-part-"  # of temporary folders; hidden, so that no listing or manifest names them
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def fresh(path: Path) -> Iterator[Path]:
    """A temporary path with the file name of `path`. When the block ends, that file replaces `path` in one step.

    After an error, or if nothing was written, the old file remains. Raises DiskFullError, and OSError.
    """
    with full_disk_error(path):
        folder = _folder_beside(path)
        try:
            part = folder / path.name
            yield part
            if part.exists():
                part.replace(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _folder_beside(path: Path) -> Path:
    try:
        return new_folder(path.parent)
    except OSError as error:
        error.filename = str(path)  # the user's path, not our temporary one
        raise


def new_folder(parent: Path, prefix: str = PREFIX) -> Path:
    """A new folder with a random name, for this user alone."""
    import tempfile  # imported here: it takes 3 ms, and most commands write nothing

    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def write(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Writes the complete file or leaves the old one; with `sync`, its bytes are on the disk first."""
    with fresh(path) as part, part.open("xb") as file:
        file.write(content)
        if sync:
            file.flush()
            os.fsync(file.fileno())


def read(path: Path, *, most: int) -> bytes:
    """The bytes of a regular file. ValueError for any other, or for more than `most` bytes. OSError."""
    if not stat.S_ISREG(path.stat().st_mode):  # a device may never end, and a pipe may never begin
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is longer than {most:,} bytes")
    return content


def no_follow(path: str, flags: int) -> int:
    """An `opener` for `open`, for files that are appended to: OSError if the path is a link."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


@contextmanager
def full_disk_error(path: Path) -> Iterator[None]:
    """Inside, an error of a full disk, or of a quota or limit for files, becomes a DiskFullError that names `path`."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise DiskFullError(f"disk full: {path}. Free some space there, then run the same command again.") from None


def is_full(error: BaseException) -> bool:
    """Whether the error means that a disk, a quota or a limit for files is full."""
    return isinstance(error, DiskFullError) or (isinstance(error, OSError) and error.errno in _FULL)


def drop_parts(folder: Path) -> None:
    """Removes temporary folders that a killed command left. The caller has locked the folder."""
    for left in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)  # a link is not followed
