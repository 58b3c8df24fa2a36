"""Where things are on this machine. All of it is below one folder: the checkout, or `$K2L_HOME`."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def home() -> Path:
    """The folder that holds `models/`, `data/`, `build/` and `.k2l/`: `$K2L_HOME`, else the checkout."""
    return Path(os.environ.get("K2L_HOME") or CHECKOUT).resolve()


def models() -> Path:
    """Trained models, one folder each."""
    return home() / "models"


def zoo() -> Path:
    """The published networks, which come with the code. Always the checkout's `models/`."""
    return CHECKOUT / "models"


def state() -> Path:
    """The journal of runs, logs, partial outputs and the emulator's disk (git-ignored)."""
    return home() / ".k2l"


def build() -> Path:
    """Bundled notebooks (git-ignored)."""
    return home() / "build"


def kernels() -> Path:
    """What is sent to Kaggle: `notebook.py`, and for each framework a folder with `kernel.toml` and `cells.py`.

    Always the checkout's.
    """
    return CHECKOUT / "kaggle"
