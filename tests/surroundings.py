"""What the tests see of the machine that they run on, and what they start sees.

    enter()                                     # once, before anything is imported that looks at the environment

A user's credentials, settings and models are not for the tests, nor are the data sets that a machine may have where
Kaggle has them: the tests pass on every machine, or on none.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from shared.data import datasets

FOR_TESTS = {"K2L_DATA", "K2L_PHOTOS"}
THEIRS = ("K2L_", "KAGGLE_", "GIT_", "XDG_", "LC_", "CLICOLOR")
ALSO_THEIRS = {"LANGUAGE", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE"}
FIXED = {
    "LANG": "C.UTF-8",
    "TERM": "xterm-256color",
    # git reads a checkout that belongs to another user only where it is told to.
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
}


def enter() -> None:
    """Makes this process, and what it starts, see what `bare` leaves; HOME is an empty folder that goes in the end."""
    datasets.KAGGLE_INPUT = Path(os.devnull) / "input"
    if "PYTEST_XDIST_WORKER" in os.environ:  # which was started in such surroundings
        return
    home = tempfile.mkdtemp(prefix="k2l-tests-home-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    ready = bare(os.environ, home)
    os.environ.clear()
    os.environ.update(ready)


def bare(environment: Mapping[str, str], home: str) -> dict[str, str]:
    """The environment less what a user sets, with that HOME, one locale and one kind of terminal."""
    kept = {name: value for name, value in environment.items() if name in FOR_TESTS or not theirs(name)}
    # As with an active environment: what is said of `k2l` names it so, and not where it lies.
    path = os.pathsep.join((str(Path(sys.executable).parent), environment.get("PATH", "")))
    return kept | FIXED | cache(environment) | {"HOME": home, "PATH": path}


def theirs(name: str) -> bool:
    """Whether a variable says what a user wants."""
    return name.startswith(THEIRS) or name in ALSO_THEIRS


def cache(environment: Mapping[str, str]) -> dict[str, str]:
    """Where a user's caches lie: what takes seconds to make, such as matplotlib's list of fonts, is made once."""
    folder = environment.get("XDG_CACHE_HOME") or f"{environment.get('HOME', '')}/.cache"
    return {"XDG_CACHE_HOME": folder} if os.access(folder, os.W_OK) else {}
