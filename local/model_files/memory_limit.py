"""How much room reading a network may take: a file of a few kilobytes can ask for terabytes.

    with room.limited(path):        # ModelError where the file, unpacked, is larger than any network here
        …                           # what asks for more memory than that fails, in its framework's own words

Two walls. What a file declares is looked at before anything reads it; what its steps take is worked out by each
runtime (`cost`). For what neither foresees, this process may not grow beyond measure while a file is read, where the
system can hold it to that (Linux): the framework then finds no memory left.
"""

import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.core.errors import ModelError

# Forty times the largest network here (10 MB). Weights are held three times over while they are read: with what a call
# may take (`cost`) that stays below 2 GB.
UNPACKED_BYTES = 400_000_000
# Address space, of which not all is used: a framework and its threads take some 0.7 GB for themselves; or a quarter of
# the machine, whose many processors and GPUs take more.
GROWTH_BYTES = 3_000_000_000
_one_at_a_time = threading.RLock()


@contextmanager
def limited(path: Path) -> Iterator[None]:
    """Returns to the caller with both walls up; ModelError where the file declares too much."""
    check_declared(path)
    with _one_at_a_time:  # the limit is the whole process's: each puts back what it found
        held = _hold()
        try:
            yield
        finally:
            if held is not None:
                import resource

                resource.setrlimit(resource.RLIMIT_DATA, held)


def check_declared(path: Path) -> None:
    """Returns if the file, and all that is packed into it, is of a size that networks have."""
    with suppress(OSError, zipfile.BadZipFile, ValueError, NotImplementedError):  # said by whoever reads it
        size = path.stat().st_size
        if size <= UNPACKED_BYTES and path.is_file() and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
        if size > UNPACKED_BYTES:
            raise ModelError(f"{path} was refused: it unpacks to more than {UNPACKED_BYTES // 10**6:,} MB.")


def growth() -> int:
    """By how many bytes this process may grow while a file is read. OSError, ValueError: the system does not tell."""
    return max(GROWTH_BYTES, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4)


def _hold() -> tuple[int, int] | None:
    """Puts up the second wall, for all threads; the limit that was there before, None where the system knows none."""
    try:
        import resource

        # The sixth number is data and stack in pages, of which RLIMIT_DATA counts the first.
        now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * os.sysconf("SC_PAGE_SIZE")
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_DATA, (min([now + growth(), *limits]), hard))
    except (ImportError, OSError, ValueError, IndexError):
        return None
    return soft, hard
