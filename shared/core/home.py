"""The workspace: the folder of a person's models, runs and data. One rule, here and in a notebook.

    home()                               # Path.cwd()

Which folders lie in it, `local.core.workspace` says.
"""

import os
from pathlib import Path

from shared.core.errors import ConfigError

VARIABLE = "K2L_HOME"  # what `--workspace` sets
ANOTHER = f"Name another workspace with --workspace FOLDER, or set {VARIABLE}."
_PROJECT = 'name = "kaggle-to-local"'  # a line of the checkout's pyproject.toml


def home() -> Path:
    """`$K2L_HOME`, else the checkout around the current folder, else the current folder. It need not exist.

    A run on Kaggle, or in the emulator, knows the current folder alone.
    """
    if named := os.environ.get("K2L_HOME"):
        return Path(named).expanduser().resolve()
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise ConfigError(f"The current folder is gone. Change to another one, or set {VARIABLE}.") from None
    return here if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") else _checkout(here) or here


def _checkout(folder: Path) -> Path | None:
    """The checkout of this project that the folder lies in."""
    return next((place for place in (folder, *folder.parents) if _is_ours(place / "pyproject.toml")), None)


def _is_ours(file: Path) -> bool:
    try:
        return _PROJECT in file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # mostly: there is none
        return False
