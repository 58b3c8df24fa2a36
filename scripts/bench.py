"""`k2l bench`: how fast model files run on this machine's processor."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.steps import completion as complete
from scripts.steps import options
from scripts.terminal.edge import run
from scripts.terminal.output import Json, bar, emit, say, show
from scripts.terminal.tables import table_of

MOST_IMAGES = 10_000


def bench(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            autocompletion=complete.models,
            help="Files, or folders for every file in them that runs, model.onnx first.",
        ),
    ],
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of the processor to use.")] = 1,
    batch: Annotated[str, typer.Option(metavar="N,N", help="Images a call, one or more sizes.")] = "1,256",
    seconds: Annotated[
        float, typer.Option(min=0, help="How long to time; loading and cold starts come on top.")
    ] = 10.0,
    cold_start: Annotated[
        bool, typer.Option("--cold-start/--no-cold-start", help="Also start each file in fresh processes.")
    ] = True,
    chart: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw the times into this file.")] = None,
    json: Json = False,
) -> None:
    """Time model files side by side.

    All files at all batch sizes take turns in one process; warm-up is left out. `ratio` is the median over that of the
    first file at the same batch size; `ours µs` is what this program adds to the runtime's own call at batch 1, the
    undisturbed cost: the 10th percentile of the whole path, image to digit, less that of the bare call.

    The torch row is PyTorch eager in its default memory layout (NCHW); channels_last is up to twice as fast at batch
    256, and slower for small networks at batch 1.

    Example: k2l bench compact-torch --batch 1,256 --chart bench.png
    """
    sizes = _sizes(batch)
    if chart is not None:
        _check_chart(chart)
    from local.evaluation import benchmark

    wanted = options.models(names, every=True)
    with bar("timing") as report:
        rows = benchmark.bench(
            wanted, batches=sizes, threads=threads, cold_start=cold_start, seconds=seconds, report=report
        )
    if chart is not None:
        from local.evaluation.benchmark_plots import latencies
        from shared.training.plots import save

        save(latencies(rows), chart)
        say(f"chart: {chart}")
    if json:
        emit(row.as_dict() for row in rows)
        return
    table_of(COLUMNS, rows)
    for sentence in benchmark.slow_int8(rows):
        show(sentence)


def _sizes(text: str) -> list[int]:
    from shared.core.errors import ConfigError

    try:
        sizes = [int(one) for one in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1 or max(sizes) > MOST_IMAGES:
        raise ConfigError(f"--batch {text!r}: whole numbers from 1 to {MOST_IMAGES}, with commas, such as 1,256.")
    return list(dict.fromkeys(sizes))


def _check_chart(chart: Path) -> None:
    """Before minutes of timing, not after."""
    from shared.core.errors import ConfigError

    if chart.suffix.lower() != ".png" or not chart.parent.is_dir() or chart.is_dir():
        raise ConfigError(f"--chart {chart}: it must be a .png in a folder that exists.")


def _microseconds(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


COLUMNS = {
    "model": lambda row: row.model,
    "file": lambda row: Path(row.file).name,
    "runtime": lambda row: row.runtime,
    "batch": lambda row: row.batch,
    "p50 µs": lambda row: _microseconds(row.p50_us),
    "p90 µs": lambda row: _microseconds(row.p90_us),
    "p99 µs": lambda row: _microseconds(row.p99_us),
    "images/s": lambda row: f"{row.images_per_second:,.0f}",
    "ratio": lambda row: f"{row.ratio:.2f}",
    "ours µs": lambda row: "" if row.overhead_us is None else f"{row.overhead_us:.1f}",
    "start s": lambda row: "" if row.cold_start_s is None else f"{row.cold_start_s:.2f}",
    "kB": lambda row: f"{row.bytes / 1000:,.0f}",
}

if __name__ == "__main__":
    run(bench)
