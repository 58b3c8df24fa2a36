"""What is installed here: which `k2l` this is, and which packages it requires and has.

    version(), commit()                        # ("0.1.0", "c74674d-dirty"), the second is "" outside a checkout
    requirements()["torch"].specifier          # >=2.15,<2.16
    installed("torch")                         # "2.15.0", or None
    line("cv2")                                # 'pip install "opencv-python>=4.11,<6" (in the extra predict)'

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
PROJECTS = {
    "ai_edge_litert": "ai-edge-litert",
    "cv2": "opencv-python",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
}  # what is imported under another name than it is installed by
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
    checkout = workspace.checkout()
    if checkout is None or not (checkout / ".git").exists():
        return ""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=9", "--exclude=*"]
    try:
        result = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()


@functools.cache
def requirements() -> "dict[str, Requirement]":
    """The requirements by name: from the checkout's requirements.txt, else from the installation's metadata."""
    from packaging.requirements import Requirement

    if text := _text("requirements.txt"):
        asked = [Requirement(line) for one in text.splitlines() if (line := one.partition("#")[0].strip())]
    else:
        asked = _of_metadata("")
    return {one.name: one for one in asked}


def extras() -> dict[str, list[str]]:
    """{extra: what it asks for, by name}, of the checkout's pyproject.toml or of the installation."""
    from packaging.requirements import Requirement

    if text := _text("pyproject.toml"):
        import tomllib

        stated = tomllib.loads(text)["project"]["optional-dependencies"]
        return {extra: [Requirement(line).name for line in lines] for extra, lines in stated.items()}
    every = importlib.metadata.metadata(NAME).get_all("Provides-Extra") or []
    return {extra: [one.name for one in _of_metadata(extra)] for extra in every}


def line(module: str) -> str:
    """What installs the package that a module belongs to, and which extra has it; of a stranger, its name."""
    project = PROJECTS.get(module, module)
    try:
        return f'pip install "{requirements().get(project, project)}"{of_extra(project)}'
    except ModuleNotFoundError:  # without packaging, nothing can be told of any
        return f"pip install {project}"


def of_extra(project: str) -> str:
    """` (in the extra torch)`, where a package is in one."""
    having = sorted(extra for extra, names in extras().items() if project in names)
    return f" (in the extra {' or '.join(having)})" if having else ""


def _of_metadata(extra: str) -> "list[Requirement]":
    """What was stated for an extra when this was installed; for "", what is asked for without any."""
    from packaging.requirements import Requirement

    asked = [Requirement(line) for line in importlib.metadata.requires(NAME) or []]
    plain = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [one for one in asked if one.marker and one.marker.evaluate({"extra": extra})] if extra else plain


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
    found = re.search(rf'^{key} = "(.+)"$', _text("pyproject.toml"), re.MULTILINE)
    return found[1] if found else ""


def _text(name: str) -> str:
    """A file of the checkout; "" where there is none."""
    checkout = workspace.checkout()
    file = checkout / name if checkout else None
    return file.read_text(encoding="utf-8") if file and file.is_file() else ""
