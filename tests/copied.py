"""A copy of the checkout to change: the files that git knows and those it does not ignore, as they are now.

copied(target)                                          # a repository of its own, with one commit
copied(target, without=(".pth", ".onnx"))               # less the files whose names end so
"""

import shutil
import subprocess
from pathlib import Path

from local.core import workspace


def copied(target: Path, *, without: tuple[str, ...] = ()) -> None:
    """Fills the empty folder `target`."""
    listed = git(workspace.CHECKOUT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source = workspace.CHECKOUT / name
        if source.is_file() and not name.endswith(without):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    git(target, "init", "--quiet")
    git(target, "add", "--all")
    git(target, "commit", "--quiet", "--message", "before")


def git(checkout: Path, *words: str) -> str:
    """What git prints, run as somebody who need not exist."""
    command = ["git", "-c", "user.name=us", "-c", "user.email=us@example.com", *words]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout
