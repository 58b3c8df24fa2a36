"""The code in `shared/`: which of its files some code needs, the sha256 that identifies a training, and its commit.

    files("from shared.training import train_torch")    # "core/errors.py", …: what the bundle contains
    training_sha256(config, framework="torch")          # same code and parameters: same training
    commit("shared", "kaggle")

Two trainings with the same sha256 differ only in the machine. The notebook is not part of it: its text may change while
a training waits to be resumed. Sources are read and parsed, never imported.
"""

import ast
import hashlib
import json
import subprocess
from collections.abc import Iterator

from local.core import workspace
from shared.training.config import TrainConfig

_SHARED = workspace.CHECKOUT / "shared"  # in an installation too


def files(code: str) -> list[str]:
    """The files below `shared/` that some code needs, each after the files that it needs itself."""
    found: list[str] = []
    visiting: set[str] = set()

    def visit(text: str) -> None:
        for name in _imports(text):
            for file in _files_of(name):
                if file not in visiting:
                    visiting.add(file)
                    visit(read(file))
                    found.append(file)

    visit(code)
    return found


def read(file: str) -> str:
    """The text of a file below `shared/`."""
    return (_SHARED / file).read_text(encoding="utf-8")


def training_sha256(config: TrainConfig, *, framework: str) -> str:
    """The sha256 of all that decides a training: the code that its loop needs, the framework and every parameter.

    Comments and docstrings do not count: rewording them changes no training.
    """
    code = {file: _bare(read(file)) for file in files(f"import shared.training.train_{framework}")}
    facts = {"framework": framework, "parameters": config.as_dict(), "code": code}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _bare(text: str) -> str:
    """The code without comments, docstrings and layout."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node, clean=False) is not None
            node.body = node.body[documented:] or [ast.Pass()]
    return ast.unparse(tree)


def commit(*folders: str) -> str:
    """The last commit that changed these folders, with `-dirty` if they have changed since.

    "" without git and where there is no checkout: an environment can lie in another repository.
    """
    checkout = workspace.checkout()

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments, "--", *folders], cwd=checkout, capture_output=True, text=True, check=True
        ).stdout.strip()

    if checkout is None:
        return ""
    try:
        return git("log", "-1", "--format=%H") + ("-dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _imports(text: str) -> Iterator[str]:
    """What the code imports of `shared`: of `from shared.x import y` both `shared.x` and `shared.x.y`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "shared":
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "shared")


def _files_of(name: str) -> Iterator[str]:
    """The files below `shared/` that importing `shared.x.y` runs: each `__init__.py`, and `x/y.py` if it is one."""
    parts = name.split(".")[1:]
    packages = ["/".join([*parts[:depth], "__init__.py"]) for depth in range(len(parts) + 1)]
    for file in (*packages, "/".join(parts) + ".py"):
        if (_SHARED / file).is_file():
            yield file
