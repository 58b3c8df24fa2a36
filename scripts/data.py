"""`k2l data`: where the data sets are, what is in them, and fetching them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.steps import completion as complete
from scripts.steps.options import DataDir, resolved_dataset
from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit, say, show
from scripts.terminal.tables import table

if TYPE_CHECKING:
    from shared.data.datasets import DataSet


def data(
    name: Annotated[
        str,
        typer.Argument(
            autocompletion=complete.datasets,
            help="mnist, fashion-mnist, kmnist, digits, camera or auto; without it, all there are.",
        ),
    ] = "",
    data_dir: DataDir = None,
    download: Annotated[
        bool | None,
        typer.Option("--download/--no-download", help="Download what is not here. [default: only what is named]"),
    ] = None,
    json: Json = False,
) -> None:
    """Show where the data sets are; download one.

    Where it is, how many images it has, how balanced its classes are. A named one is downloaded if it is not here.

    Example: k2l data mnist
    """
    from shared.core.errors import DataError
    from shared.data.registry import DATASETS

    wanted: tuple[str, ...] = tuple(DATASETS)
    if name:
        wanted = (resolved_dataset(name, data_dir=data_dir, download=download is not False, progress=_progress),)
    rows = []
    for each in wanted:
        try:
            rows.append(_described(each, data_dir, bool(name) if download is None else download))
        except DataError as error:
            if name or download:
                raise
            rows.append({"name": each, "source": None, "error": str(error)})
    if json:
        emit(rows)
    elif name:
        _show_one(rows[0])
    else:
        _show_all(rows, data_dir)


def _described(name: str, data_dir: Path | None, download: bool) -> dict[str, Any]:
    """What a data set has; its files are read completely, so that damage is found."""
    from shared.data.datasets import load

    found = load(name, data_dir=data_dir, download=download, progress=_progress)
    inner, held_out = found.split()
    return {
        "name": found.name,
        "source": found.source,
        "train": len(inner),
        "validation": len(held_out),
        "test": len(found.test_labels),
        "shape": list(found.train_images.shape[1:]),
        "classes": list(found.classes),
        "train_per_class": _per_class(found.train_labels, found),
        "test_per_class": _per_class(found.test_labels, found),
    }


def _per_class(labels: Any, found: "DataSet") -> list[int]:
    import numpy as np

    counts: list[int] = np.bincount(labels, minlength=len(found.classes)).tolist()
    return counts


def _show_one(row: dict[str, Any]) -> None:
    height, width, *_ = row["shape"]
    show(f"{row['name']}, from {row['source']}")
    parts = ", ".join(f"{row[part]:,} {part}" for part in ("train", "validation", "test"))
    show(f"images of {height}x{width}: {parts}")
    table(
        ["class", "training + validation", "test"],
        zip(row["classes"], row["train_per_class"], row["test_per_class"], strict=True),
    )


def _show_all(rows: list[dict[str, Any]], data_dir: Path | None) -> None:
    from shared.data.registry import DATASETS

    def missing(name: str, error: str) -> str:
        if DATASETS[name].embedded:
            return error
        if data_dir:
            return f"not in {data_dir}"
        return f"not here; k2l data {name} {'makes' if DATASETS[name].made_of else 'fetches'} it"

    table(
        ["data set", "training", "validation", "test", "found in"],
        [
            [row["name"], *(f"{row[part]:,}" for part in ("train", "validation", "test")), row["source"]]
            if row["source"]
            else [row["name"], "-", "-", "-", missing(row["name"], row["error"])]
            for row in rows
        ],
    )


def _progress(file: str, done: int, total: int) -> None:
    """One line for each file, rewritten on a terminal, printed once elsewhere."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{file} {done / 1e6:.1f} of {total / 1e6:.1f} MB ", end=end, file=sys.stderr, flush=True)
    elif done == total:
        say(f"fetched {file}, {total / 1e6:.1f} MB")


if __name__ == "__main__":
    run(data)
