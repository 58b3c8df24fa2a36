"""What is common to both frameworks' choice of a device and a precision. Standard library only."""

import os
from collections.abc import Callable
from pathlib import Path

from shared.core.errors import ConfigError


def takes_gpu(requested: str, trouble: Callable[[], str]) -> bool:
    """Whether device `auto`, `cpu` or `cuda` means the GPU; `trouble` says why it cannot be used, or "".

    It is not called if the CPU is requested. Raises ConfigError with the reason if `cuda` cannot be used.
    """
    reason = "" if requested == "cpu" else trouble()
    if requested == "cuda" and reason:
        raise ConfigError(f"device 'cuda' cannot be used: {reason}. Use device 'cpu', or another accelerator.")
    return requested != "cpu" and not reason


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu(threads: int) -> str:
    """A processor's name for people and manifests."""
    return f"CPU, {threads} thread{'s' * (threads != 1)}"


def cpu_multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself, by Linux's account; False elsewhere: float32 always works."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
