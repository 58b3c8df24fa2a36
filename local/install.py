"""A gathered model folder comes to its place, as a rule `models/<name>`, in one step: seen whole or not at all."""

import itertools
from pathlib import Path

from local import paths


def install(stage: Path, name: str, *, aside: Path, at: Path | None = None) -> Path:
    """Moves the folder `stage` to `models/<name>`, or to `at`; a model that is there is kept as `aside`.

    Nothing is deleted: where `aside` is taken, it is `aside-2`, and so on. `stage` must lie on the same disk as its
    place, outside `models/`. Returns the new folder.
    """
    target = at or paths.models() / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        aside.parent.mkdir(parents=True, exist_ok=True)
        target.rename(_free(aside))
    stage.rename(target)
    return target


def _free(path: Path) -> Path:
    names = itertools.chain([path], (path.with_name(f"{path.name}-{n}") for n in itertools.count(2)))
    return next(one for one in names if not one.exists())
