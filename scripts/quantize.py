"""`k2l quantize`: a model in int8 and float16, its cost and its gain, before and after."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.steps import options
from scripts.terminal.edge import fail, run
from scripts.terminal.output import Json, bar, emit, say, show
from scripts.terminal.tables import table_of

if TYPE_CHECKING:
    from local.evaluation.benchmark import Row
    from local.export.quantize import Quantized

BATCHES = (1, 256)


def quantize(
    model: options.ModelFolder,
    to: Annotated[str, typer.Option(metavar="FORMAT,…", help="Of onnx, tflite, float16, torch. [default: all]")] = "",
    max_drop: Annotated[
        float, typer.Option(min=0, help="Points of validation accuracy that a file may lose and still be saved.")
    ] = 0.2,
    data_dir: options.DataDir = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of the processor to time with.")] = 1,
    seconds: Annotated[float, typer.Option(min=0, help="How long to time all files together.")] = 5.0,
    json: Json = False,
) -> None:
    """Make a model smaller: int8 and float16.

    int8 for onnxruntime, LiteRT and PyTorch, float16 for LiteRT.
    Quantization calibration uses training images; the drop is measured on the validation images, and a file that
    loses too much is not saved. All are timed side by side in one process.

    Example: k2l quantize compact-torch --to onnx,tflite --max-drop 0.1
    """
    from local.evaluation import benchmark
    from local.export import quantize as quantization
    from local.models import registry
    from local.runs import journal

    names = options.listed("to", to) if to else None
    folder = registry.folder(model)
    with journal.lock(folder.resolve().name):
        with bar("quantizing") as report:
            made = quantization.quantize(
                folder,
                names,
                beside=["onnx"],  # the baseline of every time
                max_drop=max_drop,
                data_dir=data_dir,
                report=report,
            )
        files = _runnable(folder, made)
        with bar("timing") as report:
            timed = benchmark.bench(
                files, batches=BATCHES, threads=threads, cold_start=False, seconds=seconds, report=report
            )
    rows = list(_rows(folder, made, timed))
    if json:
        emit(rows)
    else:
        table_of(COLUMNS, rows, lesser=LESSER)
        for sentence in benchmark.slow_int8(timed):
            show(sentence)
    for one in made:
        if not one.kept:
            say(one.why)
    if not any(one.kept for one in made):
        fail("no file was saved: none reads well enough. Allow more with --max-drop, or train longer.")


def _runnable(folder: Path, made: "Sequence[Quantized]") -> list[Any]:
    """The files to time, as models: onnxruntime's float file first, since it is the baseline."""
    from local.models import registry

    files = [folder / "model.onnx", *(one.base for one in made), *(one.file for one in made if one.kept)]
    return [registry.find(str(file)) for file in dict.fromkeys(files)]


def _rows(folder: Path, made: "Sequence[Quantized]", timed: "Sequence[Row]") -> Iterator[dict[str, Any]]:
    """A row for each float file, and after it those for its quantized ones."""
    p50 = {(row.file, row.batch): row.p50_us for row in timed}
    first = str(folder / "model.onnx")
    for base in dict.fromkeys(one.base for one in made):
        those = [one for one in made if one.base == base]
        for facts in (those[0].base_as_dict(), *(one.as_dict() for one in those)):
            row = {"model": folder.resolve().name, **facts}
            for n in BATCHES:
                # A refused file has no time, even if an older one still exists.
                taken = p50[facts["file"], n] if facts["kept"] else None
                row[f"p50_us_{n}"] = taken and round(taken, 4)
                row[f"ratio_{n}"] = taken and round(taken / p50[str(base), n], 4)
                row[f"ratio_onnxruntime_{n}"] = taken and round(taken / p50[first, n], 4)
            yield row


def _each_batch(key: str, form: str) -> Any:
    """A figure at batch 1 and at 256."""
    return lambda row: " / ".join(format(row[f"{key}_{n}"], form) for n in BATCHES) if row["kept"] else "refused"


def _figure(value: float | None, scale: int = 1) -> str:
    """With two decimals; nothing for a file that could not be run."""
    return "" if value is None else f"{scale * value:.2f}"


COLUMNS = {
    "file": lambda row: Path(row["file"]).name,
    "runtime": lambda row: row["runtime"],
    "kB": lambda row: f"{row['bytes'] / 1000:,.1f}",
    "of float": lambda row: f"{row['share']:.2f}",
    "validation %": lambda row: _figure(row["validation_accuracy"], 100),
    "drop": lambda row: _figure(row["drop"]),
    "p50 µs, batch 1 / 256": _each_batch("p50_us", ",.1f"),
    "times its float file's": _each_batch("ratio", ".2f"),
    "times onnxruntime float's": _each_batch("ratio_onnxruntime", ".2f"),
}
LESSER = ("times onnxruntime float's", "runtime", "of float", "validation %")

if __name__ == "__main__":
    run(quantize)
