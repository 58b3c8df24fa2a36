"""`k2l models`: what can be named after --model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit, say
from scripts.terminal.tables import listing

if TYPE_CHECKING:
    from local.models.registry import Held


def models(json: Json = False) -> None:
    """List the models that are here, newest first.

    Those of models/ and of the zoo, every file checked against its manifest; first, trainings that were interrupted
    and can go on (k2l train --resume).

    Example: k2l models
    """
    from local.models import registry as known

    rows = [row(one) for one in known.held()]
    if json:
        emit(rows)
        return
    if not rows:
        say(known.HOW)
        return
    listing(COLUMNS, rows, lesser=("files, kB", "framework", "of"))
    for one in rows:
        if one["why"]:
            say(f"{one['name']} is {one['stands']}: {one['why']}")


def row(one: "Held") -> dict[str, Any]:
    """What `--json` prints of a model."""

    facts, training = one.manifest, one.training
    files = facts.files if facts else {}
    return {
        "name": one.folder.name,
        "architecture": facts.architecture if facts else training["parameters"]["architecture"],
        "framework": facts.framework if facts else training["framework"],
        "dataset": facts.dataset if facts else training["parameters"]["dataset"],
        "test_accuracy": facts.test_accuracy if facts else None,
        "stands": one.stands,
        "why": one.why,
        "zoo": bool(facts and facts.published),
        "created_at": facts.created_at if facts else "",
        "folder": str(one.folder),
        "files": {name: file.bytes for name, file in files.items() if name.startswith("model.")},
    }


def _sizes(files: dict[str, int]) -> str:
    return ", ".join(f"{Path(name).name.removeprefix('model.')} {size / 1000:,.0f}" for name, size in files.items())


COLUMNS = {
    "model": lambda row: row["name"],
    "network": lambda row: row["architecture"],
    "framework": lambda row: row["framework"],
    "data set": lambda row: row["dataset"],
    "test %": lambda row: "" if row["test_accuracy"] is None else f"{100 * row['test_accuracy']:.2f}",
    "stands": lambda row: row["stands"],
    "of": lambda row: "the zoo" if row["zoo"] else "models/",
    "files, kB": lambda row: _sizes(row["files"]),
}

if __name__ == "__main__":
    run(models)
