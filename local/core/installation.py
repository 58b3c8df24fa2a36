"""What is installed here: which `k2l` this is, and the packages it asks for beside those that are there.

    version(), commit()                        # ("0.1.0", "c74674d-dirty"), the second "" where this is no checkout
    requirements()["torch"].specifier          # >=2.15,<2.16
    installed("torch")                         # "2.15.0", or None

All of it is read from text files: no package is imported to learn its version. TensorFlow takes seconds to import,
`kaggle` logs in while it is imported, and a folder of that name looks to Python like a package.
"""

import functools
import importlib.metadata
import re
import subprocess
from typing import TYPE_CHECKING

from local.core import workspace

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "kaggle-to-local"
# What else has the same modules in it.
FELLOWS = {
    "opencv-python": ("opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless"),
    "tensorflow": ("tensorflow-cpu",),
}


def version() -> str:
    """The version of the code that runs: the checkout's, which need not be the one that was installed."""
    return _stated("version") or importlib.metadata.version(NAME)


def python_range() -> str:
    """Which versions of Python the code is for, such as ">=3.11"."""
    return _stated("requires-python") or importlib.metadata.metadata(NAME)["Requires-Python"]


def commit() -> str:
    """The checkout's commit in short, with `-dirty` where files differ from it; "" for no checkout, or without git."""
    if not (workspace.CHECKOUT / ".git").exists():
        return ""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=9", "--exclude=*"]
    try:
        told = subprocess.run(command, cwd=workspace.CHECKOUT, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()


@functools.cache
def requirements() -> "dict[str, Requirement]":
    """What the code asks for by name: the checkout's requirements.txt, else what was stated when it was installed."""
    from packaging.requirements import Requirement

    file = workspace.CHECKOUT / "requirements.txt"
    if file.is_file():
        lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    else:
        lines = importlib.metadata.requires(NAME) or []
    asked = [Requirement(line) for line in lines if line]
    return {one.name: one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})}


def installed(package: str) -> str | None:
    """The version of a package, or of a fellow that does as well; None where there is none, "" for a broken one."""
    for name in (package, *FELLOWS.get(package, ())):
        try:
            # An installation that was cut short leaves metadata without a version, for which there is no error.
            return importlib.metadata.version(name) or ""
        except importlib.metadata.PackageNotFoundError:
            continue
        except KeyError:  # what newer Pythons have for it
            return ""
    return None


def _stated(key: str) -> str:
    """A line of the checkout's pyproject.toml. By hand: a Python too old for us has no reader of TOML."""
    file = workspace.CHECKOUT / "pyproject.toml"
    found = file.is_file() and re.search(rf'^{key} = "(.+)"$', file.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""
