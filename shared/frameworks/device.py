"""What the two frameworks' choice of a device and a precision shares. Standard library only."""

import os
from collections.abc import Callable
from pathlib import Path

from shared.core.errors import ConfigError


def takes_gpu(wanted: str, trouble: Callable[[], str]) -> bool:
    """Whether device `auto`, `cpu` or `cuda` means the GPU; `trouble` says why it cannot be used, or "".

    It is not asked where the CPU is wanted. Raises ConfigError where `cuda` cannot be had, with the reason.
    """
    reason = "" if wanted == "cpu" else trouble()
    if wanted == "cuda" and reason:
        raise ConfigError(f"device 'cuda' cannot be used: {reason}. Use device 'cpu', or another accelerator.")
    return wanted != "cpu" and not reason


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu(threads: int) -> str:
    """A processor's name for people and manifests."""
    return f"CPU, {threads} thread{'s' * (threads != 1)}"


def cpu_multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself, as Linux tells it; elsewhere, float32 is never wrong."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
