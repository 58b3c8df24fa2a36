"""`k2l evaluate`: the accuracy of model files on a data set's test images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts._edge import Json, emit, run, say, table

if TYPE_CHECKING:
    from shared.data import DataSet


def evaluate(
    names: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Folders under models/, other folders, or files.")
    ],
    dataset: Annotated[
        str, typer.Option(help="mnist, fashion-mnist, kmnist, digits or auto. Default: what each was trained on.")
    ] = "",
    data_dir: Annotated[Path | None, typer.Option(help="The folder that holds the data set.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the processor to use.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Images a forward pass.")] = 256,
    json: Json = False,
) -> None:
    """Score models on the test images.

    Each file runs in the runtime that its suffix names.

    Example: k2l evaluate compact-torch models/compact-torch/model.pth --dataset mnist
    """
    from functools import cache

    from local import models
    from local.evaluate import evaluate as score

    load = cache(load_data)  # several models, one reading
    rows = []
    for model in [models.find(name) for name in names]:
        images = load(dataset or model.dataset or "mnist", data_dir)
        rows.append(score(model, images, threads=threads, batch=batch).row())
        if json:
            emit([rows[-1]])
    if not json:
        table(list(COLUMNS), [[show(row) for show in COLUMNS.values()] for row in rows])


def load_data(name: str, data_dir: Path | None) -> "DataSet":
    """The data set; where `auto` had to settle for another one, that is said."""
    from shared import data

    found, reason = data.choose(name, data_dir=data_dir)
    if reason:
        say(f"warning: {reason}")
    return data.load(found, data_dir=data_dir)


COLUMNS = {
    "model": lambda row: row["model"],
    "file": lambda row: Path(row["file"]).name,
    "runtime": lambda row: row["runtime"],
    "dataset": lambda row: row["dataset"],
    "images": lambda row: f"{row['images']:,}",
    "accuracy %": lambda row: f"{100 * row['accuracy']:.2f}",
    "macro F1 %": lambda row: f"{100 * row['f1_macro']:.2f}",
    "loss": lambda row: f"{row['loss']:.4f}",
    "ECE": lambda row: f"{row['ece']:.4f}",
    "kB": lambda row: f"{row['bytes'] / 1000:,.0f}",
    "seconds": lambda row: f"{row['seconds']:.2f}",
}

if __name__ == "__main__":
    run(evaluate)
