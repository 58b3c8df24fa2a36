"""Whose a trial under way is: a machine, a process on it, and when that was last heard of.

    trial.set_user_attr("owner", me())
    lives(trial.user_attrs.get("owner"))        # whether anybody still works on it

On this machine the process itself is looked for, so that a trial of a killed one is seen at once; of another machine
silence tells, by clocks that must agree to a minute or two.
"""

import os
import platform
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from local.core import workspace
from shared.core import files

BEAT = 30.0  # seconds between two signs of life
SILENCE = 300.0  # seconds after which a process of another machine is taken to have ended


def me(remote: str = "") -> dict[str, Any]:
    """This process now, which has its trials trained on the service `remote`, or here."""
    began = psutil.Process().create_time()
    return {"machine": machine(), "pid": os.getpid(), "began": began, "heard": time.time(), "remote": remote}


def machine() -> str:
    """This machine's name, with a number of its own against two of one name."""
    path = workspace.state() / "machine"
    if not path.exists():
        _draw_number(path)
    return f"{platform.node()}-{path.read_text(encoding='utf-8')}"


def _draw_number(path: Path) -> None:
    """Writes a random number to the file, whole or not at all; where two do so at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.fresh(path) as part:
        part.write_text(secrets.token_hex(4), encoding="utf-8")
        with suppress(FileExistsError):
            os.link(part, path)
        part.unlink()


def is_here(owner: Mapping[str, Any]) -> bool:
    """Whether it is, or was, a process of this machine."""
    return bool(owner["machine"] == machine())


def lives(owner: Mapping[str, Any]) -> bool:
    """Whether that process still is."""
    if not is_here(owner):
        return time.time() - float(owner["heard"]) < SILENCE
    try:
        process = psutil.Process(owner["pid"])
        same = abs(process.create_time() - float(owner["began"])) < 10  # a pid may be another's by now
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
