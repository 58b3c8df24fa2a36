"""Whose a trial under way is: a machine, a process on it, and when that was last heard of.

    trial.set_user_attr("owner", me())
    lives(trial.user_attrs.get("owner"))        # whether anybody still works on it

On this machine the process itself is looked for, so that a trial of a killed one is seen at once; of another machine
silence tells, by clocks that must agree to a minute or two.
"""

import os
import platform
import time
import uuid
from collections.abc import Mapping
from typing import Any

import psutil

BEAT = 30.0  # seconds between two signs of life
SILENCE = 300.0  # seconds after which a process of another machine is taken to have ended


def me(remote: str = "") -> dict[str, Any]:
    """This process now, which has its trials trained on the service `remote`, or here."""
    began = psutil.Process().create_time()
    return {"machine": machine(), "pid": os.getpid(), "began": began, "heard": time.time(), "remote": remote}


def machine() -> str:
    """This machine's name, with its network address against two of one name."""
    return f"{platform.node()}-{uuid.getnode():x}"


def is_here(owner: Mapping[str, Any]) -> bool:
    """Whether it is, or was, a process of this machine."""
    return bool(owner["machine"] == machine())


def lives(owner: Mapping[str, Any]) -> bool:
    """Whether that process still is."""
    if not is_here(owner):
        return time.time() - float(owner["heard"]) < SILENCE
    try:
        process = psutil.Process(owner["pid"])
        same = abs(process.create_time() - float(owner["began"])) < 1  # a pid may be another's by now
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
