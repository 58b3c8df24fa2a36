"""A session of the emulator without papermill: the cells run in this process, which takes a tenth of the time.

    python -P plain_session.py FOLDER

In place of `session.py`, for tests of what comes before a session and after it. Status, log, time limit and clearing up
are the real session's; a notebook's own streams, errors and kernel are not like Kaggle's here.
"""

import contextlib
import importlib.util
import json
import sys
from pathlib import Path

REAL = Path(__file__).resolve().parents[2] / "local" / "emulator" / "sessions" / "session.py"


class PapermillExecutionError(Exception):
    """What a failing cell ends in."""


def real():
    """The module `session`, by its path: a session sees nothing of this repository."""
    found = importlib.util.spec_from_file_location("session", REAL)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def execute(session):
    """Runs the cells one after the other, and saves the notebook in the end."""
    notebook = json.loads((session.folder / "source.ipynb").read_text(encoding="utf-8"))
    names = {"__name__": "__main__"}
    try:
        with contextlib.redirect_stdout(session.stdout), contextlib.redirect_stderr(session.stderr):
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    run(cell, names)
    finally:
        (session.folder / "__notebook__.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def run(cell, names):
    """Runs a cell; an error is written down in it, as a kernel does."""
    try:
        exec("".join(cell["source"]), names)
    except Exception as error:  # noqa: BLE001 as a kernel does
        said = f"{type(error).__name__}: {error}"
        told = {"ename": type(error).__name__, "evalue": str(error), "traceback": [said]}
        cell["outputs"] = [{"output_type": "error", **told}]
        raise PapermillExecutionError(said) from None


if __name__ == "__main__":
    session = real()
    session.Session.execute = execute
    session.main(Path(sys.argv[1]))
