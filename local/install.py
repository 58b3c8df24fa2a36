"""A gathered model folder comes to its place, as a rule `models/<name>`, in one step: seen whole or not at all."""

import itertools
from collections.abc import Callable
from pathlib import Path

from local import paths


def install(
    stage: Path,
    name: str,
    *,
    aside: Path,
    at: Path | None = None,
    on_kept: Callable[[Path], None] = lambda aside: None,
) -> Path:
    """Moves the folder `stage` to `models/<name>`, or to `at`; a model that is there is kept as `aside`.

    Nothing is deleted: where `aside` is taken, it is `aside-2`, and so on. `stage` must lie on the same disk as its
    place, outside `models/`. Returns the new folder; `on_kept` is then told where an older one is kept.
    """
    target = at or paths.models() / name
    target.parent.mkdir(parents=True, exist_ok=True)
    kept = _free(aside) if target.exists() else None
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        target.rename(kept)
    stage.rename(target)
    if kept:
        on_kept(kept)
    return target


def _free(path: Path) -> Path:
    names = itertools.chain([path], (path.with_name(f"{path.name}-{n}") for n in itertools.count(2)))
    return next(one for one in names if not one.exists())
