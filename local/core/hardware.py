"""What this machine is, for figures that hold for it alone, and how its memory is used."""

import ctypes
import platform
import sys
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def processor() -> str:
    """The processor's name as its maker writes it, where the system tells it; else its kind, such as "x86_64"."""
    return _told("model name") or platform.processor() or platform.machine()


def flags() -> set[str]:
    """What the processor knows to do, in Linux's words, such as "avx512_vnni"; empty where it cannot be told."""
    return set(_told("flags").split())


def _told(key: str) -> str:
    """What Linux says of the first processor under that key, or ""."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")


def keep_freed_memory() -> None:
    """Lets this process keep what it frees, up to 256 MB, where its C library is glibc.

    Every frame of a film needs the same arrays of a megabyte. Given back to the system, each would be fetched again
    page by page, which takes a fifth of the time that a frame does (mallopt(3)).
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_THRESHOLD, 1 << 26)
        library.mallopt(M_TRIM_THRESHOLD, 1 << 28)
