"""`k2l export`: a model's weights in other formats, each checked against its source."""

from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.steps import options
from scripts.terminal.edge import run
from scripts.terminal.output import Json, bar, emit
from scripts.terminal.tables import table_of


def export(
    model: options.ModelFolder,
    to: Annotated[
        str, typer.Option(metavar="FORMAT,…", help="Of onnx, tflite, keras, pth, pt2. [default: all but its own]")
    ] = "",
    json: Json = False,
) -> None:
    """Write a model's weights in other formats.

    Each file is run on 256 test images and saved only if no logit differs by more than 1e-4; its hash goes into the
    manifest. pt2 is for torch.export.load, elsewhere.

    Example: k2l export compact-torch --to onnx,tflite
    """
    from local.export import export as exports
    from local.models import registry
    from local.runs import journal

    names = options.listed("to", to) if to else None
    folder = registry.folder(model)
    with journal.lock(folder.resolve().name), bar("exporting") as report:
        done = exports.export(folder, names, report=report)
    rows: list[dict[str, Any]] = [{"model": folder.resolve().name, **one.as_dict()} for one in done]
    if json:
        emit(rows)
    else:
        table_of(COLUMNS, rows)


COLUMNS = {
    "file": lambda row: Path(row["file"]).name,
    "kB": lambda row: f"{row['bytes'] / 1000:,.1f}",
    "largest difference": lambda row: f"{row['difference']:.1e}",
    "seconds": lambda row: f"{row['seconds']:.1f}",
}

if __name__ == "__main__":
    run(export)
