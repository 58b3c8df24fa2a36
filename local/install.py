"""A gathered model folder becomes `models/<name>` in one step: it is seen whole or not at all."""

import shutil
from pathlib import Path

from local import paths


def install(stage: Path, name: str, *, replaced: Path) -> Path:
    """Moves the folder `stage` to `models/<name>`; a model of that name that is there goes to `replaced` first.

    `stage` must lie on the same disk as `models/`, outside it. Returns the new folder.
    """
    target = paths.models() / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        replaced.parent.mkdir(parents=True, exist_ok=True)
        target.rename(replaced)
    stage.rename(target)
    return target
