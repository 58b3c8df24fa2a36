"""Models whose place another one took, and installations that were interrupted: found, completed and reported."""

import subprocess
from pathlib import Path

from scripts.terminal.output import say


def tell_recovered() -> None:
    """Completes the installations that were killed on their way, before a verb looks at models, and says so."""
    from local.core import workspace
    from local.models.install import recover

    for folder in dict.fromkeys((workspace.models(), workspace.zoo())):
        for done in recover(folder):
            say(f"{done.folder}: its installation was interrupted; it is complete now")
            for aside in done.kept:
                kept(aside)


def kept(aside: Path) -> None:
    """Says where the model is now that another one took the place of."""
    from shared.core import manifest
    from shared.core.errors import ModelError

    back = ""
    try:
        stated = manifest.read(aside)
        what = f"{stated.name} that was there ({stated.metrics['test']['accuracy']:.2%} of {stated.dataset})"
        back = _back(stated.name)
    except ModelError:  # whatever it was
        what = "model that was there"
    say(f"the {what} is kept in {aside}{back}")


def _back(name: str) -> str:
    """What brings back a model of the zoo, where one in the checkout took its place; "" for any other."""
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
