"""Replaced models, and interrupted installations: found, completed and reported."""

import subprocess
from pathlib import Path

from scripts.terminal.output import say


def report_recovered() -> None:
    """Completes interrupted installations before a verb uses models, and reports them."""
    from local.core import workspace
    from local.models.install import recover

    for folder in dict.fromkeys((workspace.models(), workspace.zoo())):
        for done in recover(folder):
            say(f"{done.folder}: its installation was interrupted; it is complete now")
            for aside in done.kept:
                tell_backup(aside)


def tell_backup(aside: Path) -> None:
    """Reports where a replaced model is now."""
    from shared.core import manifest
    from shared.core.errors import ModelError

    back = ""
    try:
        found = manifest.read(aside)
        what = f"{found.name} that was there ({found.metrics['test']['accuracy']:.2%} of {found.dataset})"
        back = _back(found.name)
    except ModelError:  # not a readable model
        what = "model that was there"
    say(f"the {what} is kept in {aside}{back}")


def _back(name: str) -> str:
    """How to restore a model of the zoo that was replaced in the checkout; "" for any other."""
    from local.core import workspace

    if workspace.models() != workspace.zoo():
        return ""
    place = workspace.zoo() / name / "manifest.json"
    try:
        found = subprocess.run(
            ["git", "ls-files", "--error-unmatch", "--", str(place)],
            cwd=place.parent,
            capture_output=True,
            check=False,
        )
    except OSError:  # no git
        return ""
    return f"; `git checkout models/{name}` brings the zoo's back" if found.returncode == 0 else ""
