"""What is installed here: which `k2l` this is, and which packages it requires and has.

    version(), commit()                        # ("0.1.0", "c74674d-dirty"), the second is "" outside a checkout
    requirements()["torch"].specifier          # >=2.15,<2.16
    installed("torch")                         # "2.15.0", or None

All of it comes from text files: no package is imported to get its version. TensorFlow takes seconds to import,
`kaggle` logs in during its import, and a folder of that name looks to Python like a package.
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
# Other packages with the same modules.
ALTERNATIVES = {
    "opencv-python": ("opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless"),
    "tensorflow": ("tensorflow-cpu",),
}


def version() -> str:
    """The version of the running code: the checkout's, which may differ from the installed one."""
    return _from_pyproject("version") or importlib.metadata.version(NAME)


def python_range() -> str:
    """Which versions of Python the code is for, such as ">=3.11"."""
    return _from_pyproject("requires-python") or importlib.metadata.metadata(NAME)["Requires-Python"]


def commit() -> str:
    """The checkout's commit in short, with `-dirty` if files differ from it; "" without a checkout or git."""
    if not (workspace.CHECKOUT / ".git").exists():
        return ""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=9", "--exclude=*"]
    try:
        result = subprocess.run(command, cwd=workspace.CHECKOUT, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()


@functools.cache
def requirements() -> "dict[str, Requirement]":
    """The requirements by name: from the checkout's requirements.txt, else from the installation's metadata."""
    from packaging.requirements import Requirement

    file = workspace.CHECKOUT / "requirements.txt"
    if file.is_file():
        lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    else:
        lines = importlib.metadata.requires(NAME) or []
    asked = [Requirement(line) for line in lines if line]
    return {one.name: one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})}


def installed(package: str) -> str | None:
    """The version of a package, or of an alternative; None if neither is installed, "" for a broken one."""
    for name in (package, *ALTERNATIVES.get(package, ())):
        try:
            # An interrupted installation leaves metadata without a version, and no error.
            return importlib.metadata.version(name) or ""
        except importlib.metadata.PackageNotFoundError:
            continue
        except KeyError:  # newer Pythons raise it instead
            return ""
    return None


def _from_pyproject(key: str) -> str:
    """A line of the checkout's pyproject.toml. By hand: a Python that is too old for us cannot read TOML."""
    file = workspace.CHECKOUT / "pyproject.toml"
    found = file.is_file() and re.search(rf'^{key} = "(.+)"$', file.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""
