"""What this machine is, for measurements that are valid for it alone, and how its memory is used."""

import ctypes
import platform
import sys
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def processor() -> str:
    """The processor's name by its maker, if the system gives it; else its kind, such as "x86_64"."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def flags() -> set[str]:
    """The processor's features by Linux's names, such as "avx512_vnni"; empty if unknown."""
    return set(_cpuinfo("flags").split())


def _cpuinfo(key: str) -> str:
    """Linux's value of that key for the first processor, or ""."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")


def keep_freed_memory() -> None:
    """Lets this process keep freed memory, up to 256 MB, if its C library is glibc.

    Every frame of a film needs the same arrays of a megabyte. If they were given back to the system, each would be
    allocated again page by page: a fifth of a frame's time (mallopt(3)).
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_THRESHOLD, 1 << 26)
        library.mallopt(M_TRIM_THRESHOLD, 1 << 28)
