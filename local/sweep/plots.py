"""The pictures of a sweep: how it went, where in each parameter's range the good trials lie, and what matters.

    draw(task, rows, importances, folder)   # history.png, slices.png, and importances.png where there are trials enough

In the style of `shared.training.plots`, and from its figures: Optuna's own drawings go through pyplot, and are not to
be read with ten parameters. Blue is a complete trial, vermilion the best, grey one that was ended early. A trial far
below the others is drawn at the edge, as a triangle, so that it does not press the rest together.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.core.outputs import gathered
from local.sweep.space import Choice, Dimension
from local.sweep.task import Task
from shared.training import plots
from shared.training.plots import BLUE, FAINT, QUIET, STYLE, TEXT, VERMILION, empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
REACH = 3.0  # how far below the median a trial is drawn where it is, in distances from the median to the best
Row = dict[str, Any]


def draw(task: Task, rows: Sequence[Row], importances: Mapping[str, float], folder: Path) -> list[Path]:
    """Writes the pictures of trials as `Study.rows` gives them, of which one at least is complete; the files made."""
    figures = {"history": history(task, rows), "slices": slices(task, rows)}
    if importances:
        figures["importances"] = shares(importances)
    with gathered(folder) as stage:
        for name, figure in figures.items():
            plots.save(figure, stage / f"{name}.png")
    return [folder / f"{name}.png" for name in figures]


def history(task: Task, rows: Sequence[Row]) -> "Figure":
    """The objective of each trial in their order, and the best so far."""
    import matplotlib as mpl
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context(STYLE):
        figure = empty_figure(8, 4)
        axes = figure.subplots()
        ended = sorted((row for row in rows if row["value"] is not None), key=lambda row: row["trial"])
        complete = [row for row in ended if row["state"] == "complete"]
        edge = _edge(task, complete)
        for row in ended:
            _point(axes, task, row, x=row["trial"], edge=edge)
        better = max if task.higher_is_better else min
        best = [better(one["value"] for one in complete[: n + 1]) for n in range(len(complete))]
        numbers = [row["trial"] for row in complete]
        axes.step(numbers, [_scaled(task, value) for value in best], where="post", color=VERMILION, lw=1.2, zorder=1)
        _frame(axes, task, complete, edge)
        axes.set_title(f"{_title(task)}: {len(complete)} complete trials, {len(ended) - len(complete)} ended early")
        axes.set_xlabel("trial; the line is the best so far")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def slices(task: Task, rows: Sequence[Row]) -> "Figure":
    """A panel for each parameter: the objective of the complete trials against its value; the later, the darker."""
    import matplotlib as mpl

    complete = [row for row in rows if row["state"] == "complete"]
    edge = _edge(task, complete)
    columns = min(COLUMNS, len(task.space))
    lines = -(-len(task.space) // columns)
    with mpl.rc_context(STYLE):
        figure = empty_figure(0.8 + 2.6 * columns, 0.7 + 2.4 * lines)
        panels = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
        for number, (axes, one) in enumerate(zip(panels, task.space, strict=False)):
            _slice(axes, task, one, complete, edge)
            axes.tick_params(labelleft=number % columns == 0)
        for axes in panels[len(task.space) :]:
            axes.set_axis_off()
        figure.suptitle(_title(task), x=0.01, ha="left", fontweight="bold", color=TEXT, size=11)
    return figure


def shares(importances: Mapping[str, float]) -> "Figure":
    """A bar for each parameter's importance."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure = empty_figure(7, 1 + 0.34 * len(importances))
        axes = figure.subplots()
        places = range(len(importances))
        axes.barh(places, [100 * share for share in importances.values()], height=0.62, color=BLUE)
        axes.set_yticks(list(places), list(importances), color=TEXT)
        axes.invert_yaxis()
        axes.set_title("What the objective depends on (%)")
        axes.set_xlabel("share of the variance among the complete trials, as a random forest sees it (fANOVA)")
    return figure


def _slice(axes: "Axes", task: Task, one: Dimension, complete: Sequence[Row], edge: float) -> None:
    last = max(row["trial"] for row in complete)
    for row in sorted(complete, key=lambda row: bool(row["best"])):  # the best is drawn over the others
        value = row["params"][one.name]
        x = one.values.index(value) if isinstance(one, Choice) else value
        _point(axes, task, row, x=x, edge=edge, alpha=0.25 + 0.6 * row["trial"] / max(last, 1))
    if isinstance(one, Choice):
        axes.set_xticks(range(len(one.values)), [str(value) for value in one.values])
        axes.set_xlim(-0.5, len(one.values) - 0.5)
    else:
        _scale(axes, one.low, one.high, log=one.log)
    axes.set_xlabel(one.name)
    _frame(axes, task, complete, edge)


def _scale(axes: "Axes", low: float, high: float, *, log: bool) -> None:
    """The whole range that was searched, with few enough ticks to be read."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if log:
        axes.set_xscale("log")
        room = (high / low) ** 0.04
        axes.set_xlim(low / room, high * room)
        axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 30 else (1, 3)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        room = 0.04 * (high - low)
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(4))


def _point(axes: "Axes", task: Task, row: Row, *, x: float, edge: float, alpha: float = 0.8) -> None:
    """A trial; one beyond the edge lies on it, as a triangle."""
    y = _scaled(task, row["value"])
    beyond = y < edge if task.higher_is_better else y > edge
    colour = VERMILION if row["best"] else BLUE if row["state"] == "complete" else FAINT
    marker = "o" if not beyond else "v" if task.higher_is_better else "^"
    axes.plot(
        x, edge if beyond else y, marker, color=colour, ms=7 if row["best"] else 5, alpha=1 if row["best"] else alpha,
        markeredgewidth=0, clip_on=False, zorder=3 if row["best"] else 2,
    )  # fmt: skip


def _edge(task: Task, complete: Sequence[Row]) -> float:
    """The worst value that is drawn where it is; a little below it, where others are worse by far."""
    sign = 1 if task.higher_is_better else -1
    values = sorted((sign * _scaled(task, row["value"]) for row in complete), reverse=True)
    best, median = values[0], values[len(values) // 2]
    worst = min(value for value in values if value >= median - REACH * (best - median))
    return sign * (worst if worst == values[-1] else worst - 0.1 * (best - worst))


def _frame(axes: "Axes", task: Task, complete: Sequence[Row], edge: float) -> None:
    """The same height in all panels: from the edge to the best, with some air."""
    values = [_scaled(task, row["value"]) for row in complete]
    best = max(values) if task.higher_is_better else min(values)
    air = 0.06 * abs(best - edge) or 0.05 * abs(best) or 1.0
    axes.set_ylim(min(best, edge) - air, max(best, edge) + air)
    axes.tick_params(colors=QUIET)


def _scaled(task: Task, value: float) -> float:
    """Percent for shares."""
    return 100 * value if task.objective == "accuracy" and math.isfinite(value) else value


def _title(task: Task) -> str:
    return "Validation accuracy (%)" if task.objective == "accuracy" else "Validation loss"
