"""A gathered model folder becomes `models/<name>` in one step: it is seen whole or not at all."""

import itertools
from pathlib import Path

from local import paths


def install(stage: Path, name: str, *, aside: Path) -> Path:
    """Moves the folder `stage` to `models/<name>`; a model of that name that is there is kept as `aside`.

    Nothing is deleted: where `aside` is taken, it is `aside-2`, and so on. `stage` must lie on the same disk as
    `models/`, outside it. Returns the new folder.
    """
    target = paths.models() / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        aside.parent.mkdir(parents=True, exist_ok=True)
        target.rename(_free(aside))
    stage.rename(target)
    return target


def _free(path: Path) -> Path:
    names = itertools.chain([path], (path.with_name(f"{path.name}-{n}") for n in itertools.count(2)))
    return next(one for one in names if not one.exists())
