"""Keeps this repository from being importable in a Kaggle session, however it is installed.

A copy of this file is the session's `sitecustomize.py` (see `processes.prepare`): Python runs it at the start
of the session's process, of the notebook's kernel, and of whatever those start. It drops the checkout from
`sys.path`, and looks for the repository's packages only in places that are not the checkout, such as the
notebook's own folder, so that a notebook which brings its own `shared/` gets that one. It runs alone: the
standard library, nothing of ours.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

PACKAGES = frozenset({"shared", "local", "scripts", "tests"})
INSTALLED = ("site-packages", "dist-packages")  # which hold what a notebook needs as well


def holds_checkout(entry: str) -> bool:
    """Whether this `sys.path` entry is a folder that our own packages would be imported from."""
    return Path(entry or ".", "local", "emulator", "sessions", "sandbox.py").is_file()


class Sandbox:
    """A finder placed before all others: answers for our package names alone, and never from the checkout."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is not None or name not in PACKAGES:
            return None
        spec = PathFinder.find_spec(name, [entry for entry in sys.path if not holds_checkout(entry)], target)
        if spec is None:
            # Without this, an editable installation's own finder would be asked next.
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return spec


def build() -> None:
    """Drops the checkout from `sys.path` (not a `site-packages` we are installed in) and puts the sandbox up."""
    sys.path[:] = [entry for entry in sys.path if Path(entry).name in INSTALLED or not holds_checkout(entry)]
    sys.meta_path.insert(0, Sandbox)


if __name__ == "sitecustomize":
    build()
