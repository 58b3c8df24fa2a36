"""The picture of a benchmark: how long each file takes at each batch size, on a logarithmic scale.

    plots.save(latencies(rows), Path("bench.png"))

In the style of `shared.training.plots`. matplotlib is imported when it is drawn.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.evaluation.benchmark import Row
from shared.training.plots import BLUE, FAINT, QUIET, STYLE, TEXT, empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SECOND = 1e6  # microseconds


def latencies(rows: Sequence[Row]) -> "Figure":
    """A panel for each batch size, a bar for each file: its median, a line to its p99, and the ratio to the first."""
    import matplotlib as mpl

    batches = list(dict.fromkeys(row.batch for row in rows))
    models = {row.model for row in rows}
    most = max(sum(row.batch == batch for row in rows) for batch in batches)
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure = empty_figure(2.6 + 4.4 * len(batches), 1.1 + 0.36 * most)
        panels = figure.subplots(1, len(batches), squeeze=False)[0]
        for axes, batch in zip(panels, batches, strict=True):
            _panel(axes, [row for row in rows if row.batch == batch], named=len(models) > 1)
        for axes in panels[1:]:
            axes.set_yticklabels([])
    return figure


def _panel(axes: "Axes", rows: Sequence[Row], *, named: bool) -> None:
    places = range(len(rows))
    least, most = min(row.p50_us for row in rows), max(row.p99_us for row in rows)
    left = least / 3
    for place, row in zip(places, rows, strict=True):
        colour = BLUE if ".int8." in row.file else QUIET
        axes.barh(place, row.p50_us - left, left=left, height=0.62, color=colour)
        axes.plot([row.p50_us, row.p99_us], [place, place], color=TEXT, lw=1, solid_capstyle="butt")
        axes.annotate(
            f"{time_text(row.p50_us)}  ×{row.ratio:.2f}", (row.p99_us, place), xytext=(5, 0),
            textcoords="offset points", va="center", color=TEXT, size=8.5,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(left, most * (most / left) ** 0.42)  # room for the figures at the right
    axes.set_yticks(list(places), [_label(row, named) for row in rows])
    axes.invert_yaxis()
    _write_ticks(axes)
    noun = "1 image" if rows[0].batch == 1 else f"{rows[0].batch} images"
    axes.set_title(f"{noun}: median, line to p99")
    axes.spines["left"].set_color(FAINT)


def _write_ticks(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda us, _: time_text(us)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _label(row: Row, named: bool) -> str:
    """The file, with its model's name where there are several; blue bars are int8, and their names say so too."""
    file = Path(row.file).name
    label = f"{row.model}/{file}" if named else file
    return f"{label}  ({row.runtime})"


def time_text(us: float) -> str:
    """Microseconds in the unit that reads best, three digits."""
    units: tuple[tuple[float, str], ...] = ((SECOND, "s"), (1e3, "ms"), (0.0, "µs"))
    size, unit = next(one for one in units if us >= one[0])
    value: Any = us / (size or 1)
    return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
