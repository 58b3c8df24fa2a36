"""Where things lie on this machine: what comes with the code, and what a person makes.

The code is a checkout, or was installed from a wheel, which has the notebooks and the published networks in it. There
they are read and never written. All else lies in the workspace, which `shared.core.home` finds.
"""

from pathlib import Path

from shared.core.errors import ConfigError
from shared.core.home import home as home

CHECKOUT = Path(__file__).resolve().parents[2]  # or the folder that a wheel was unpacked into
SHIPPED = "local/shipped"  # where a wheel has what is no code, see pyproject.toml


def checkout() -> Path | None:
    """The checkout that this code runs from; None where it was installed from a wheel."""
    return None if (CHECKOUT / SHIPPED).is_dir() else CHECKOUT


def need_checkout(what: str) -> Path:
    """The checkout. Raises ConfigError, with what cannot be done, where there is none."""
    if folder := checkout():
        return folder
    raise ConfigError(f"{what} needs a checkout, and this k2l was installed without one: run it in a git clone.")


def models() -> Path:
    """Trained models, one folder each."""
    return home() / "models"


def state() -> Path:
    """The journal of runs, logs, partial outputs and the emulator's disk (git-ignored)."""
    return home() / ".k2l"


def build() -> Path:
    """Bundled notebooks (git-ignored)."""
    return home() / "build"


def needs(path: Path) -> bool:
    """Whether the workspace cannot be used where this path cannot: it is a part of it, or a folder around it."""
    parts = (models(), state(), build(), home() / "data")
    return any(map(path.is_relative_to, parts)) or home().is_relative_to(path)


def zoo() -> Path:
    """The published networks, one folder each."""
    return _shipped("models")


def kernels() -> Path:
    """What is sent to Kaggle: `notebook.py`, and a folder a framework with `kernel.toml` and `cells.py`."""
    return _shipped("kaggle")


def _shipped(name: str) -> Path:
    return (checkout() or CHECKOUT / SHIPPED) / name
