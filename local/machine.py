"""What this machine is, for figures that hold for it alone."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name as its maker writes it, where the system tells it; else its kind, such as "x86_64"."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
