"""Pictures of several networks or model files beside each other; those of a single one are in `shared.training.plots`.

    plots.save(accuracies([Point(label="lite", accuracy=0.9931, error=0.0008)]), folder / "accuracies.png")

Figures as `shared.training.plots` makes them, in its style. Each network has a colour (Okabe and Ito's), a marker, and
its name beside it, so that colour never speaks alone. matplotlib is imported when a picture is drawn.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared.training.plots import BLUE, STYLE, TEXT, VERMILION, empty_figure, paint_confusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

COLOURS = (BLUE, VERMILION, "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
MARKERS = "osD^vPX"
LINE = 0.19  # inches between two lines of text
# Where a point's label may stand: points to the right, points up, and the alignment that goes with it.
SIDES = (
    (9, 0, "left", "center"), (-9, 0, "right", "center"), (0, 22, "center", "bottom"), (0, -22, "center", "top"),
    (-14, 30, "right", "bottom"), (14, -30, "left", "top"), (14, 30, "left", "bottom"), (-14, -30, "right", "top"),
)  # fmt: skip
TICKS = (100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)  # percent wrong


@dataclass(frozen=True, kw_only=True)
class Point:
    """One network: accuracy and its standard error in 0..1, and its trainable parameters where they are drawn."""

    label: str
    accuracy: float
    error: float
    parameters: int = 0


def accuracies(points: Sequence[Point], *, title: str = "Test accuracy (%)") -> "Figure":
    """A dot for each accuracy on one scale, with a bar of one standard error to each side, in the order given."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        figure = empty_figure(8, 1.3 + 0.36 * len(points))
        axes = figure.subplots()
        rows = np.arange(len(points))
        best = max(point.accuracy for point in points)
        for row, point in zip(rows, points, strict=True):
            _dot(axes, 100 * point.accuracy, float(row), xerr=100 * point.error, colour=BLUE)
            axes.annotate(
                f"{point.accuracy:.2%} ± {100 * point.error:.2f}", (1, row), xycoords=("axes fraction", "data"),
                xytext=(8, 0), textcoords="offset points", va="center", color=TEXT, annotation_clip=False,
                weight="bold" if point.accuracy == best else "normal",
            )  # fmt: skip
        axes.set_yticks(rows, [point.label for point in points], color=TEXT)
        axes.set_ylim(len(points) - 0.5, -0.5)
        axes.margins(x=0.08)
        axes.grid(axis="y", visible=False)
        axes.set_title(title)
        axes.set_xlabel("bars: one standard error of the images")
    return figure


def confusions(matrices: Sequence[tuple[str, NDArray[np.integer[Any]]]], classes: Sequence[str]) -> "Figure":
    """Labels and their confusion matrices [k, k], side by side; mistakes have one scale in all of them."""
    import matplotlib as mpl

    columns = min(math.ceil(math.sqrt(len(matrices))), 3)
    rows = -(-len(matrices) // columns)
    k = len(classes)
    strongest = max(float(np.where(np.eye(k, dtype=bool), 0, counts).max()) for _, counts in matrices)
    with mpl.rc_context(STYLE | {"axes.grid": False, "font.size": 7.5, "axes.titlesize": 9}):
        figure = empty_figure(columns * (1.2 + 0.36 * k), rows * (1.1 + 0.3 * k))
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (label, counts) in zip(panels, matrices, strict=False):
            paint_confusion(axes, counts, classes, strongest=strongest)
            axes.set_title(f"{label}: {int(counts.sum() - np.trace(counts)):,} wrong")
        for axes in panels[len(matrices) :]:
            axes.set_axis_off()
    return figure


def learning_curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]], *, title: str = "Validation accuracy (%)"
) -> "Figure":
    """The validation accuracy after each epoch, one curve a network, by label; `histories` as the loops return them.

    The scale is that of the share of wrong answers, logarithmic: from 98 to 99 % is as far as from 99 to 99.5.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        figure = empty_figure(9, max(4.6, 1.4 + 1.3 * LINE * len(histories)))
        axes = figure.subplots()
        ends = {}
        for index, (label, history) in enumerate(histories.items()):
            wrong = [max(100 * (1 - row["validation_accuracy"]), TICKS[-1]) for row in history]
            colour = COLOURS[index % len(COLOURS)]
            axes.plot(
                [row["epoch"] for row in history], wrong, color=colour, lw=1.8, clip_on=False,
                marker=MARKERS[index % len(MARKERS)] if len(history) <= 25 else "", ms=5,
            )  # fmt: skip
            ends[f"{label}  {history[-1]['validation_accuracy']:.2%}"] = (history[-1]["epoch"], wrong[-1], colour)
        _scale_of_errors(axes)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        if all(len(history) == 1 for history in histories.values()):
            axes.set_xlim(0.5, 1)  # points beside their names: in the middle, the lines to these look like curves
        _name_ends(axes, ends)
    return figure


def accuracy_by_parameters(points: Sequence[Point], *, title: str = "Test accuracy (%)") -> "Figure":
    """Test accuracy against trainable parameters (logarithmic), labelled, with bars of one standard error."""
    import matplotlib as mpl
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    with mpl.rc_context(STYLE):
        figure = empty_figure(9, 4.8)
        axes = figure.subplots()
        axes.set_xscale("log")
        for index, point in enumerate(points):
            colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
            _dot(axes, point.parameters, 100 * point.accuracy, yerr=100 * point.error, colour=colour, marker=marker)
        axes.margins(x=0.2, y=0.2)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(title)
        axes.set_xlabel("trainable parameters; bars: one standard error of the images")
        _name_points(axes, points)
    return figure


def _dot(axes: "Axes", x: float, y: float, *, colour: str, marker: str = "o", **errors: Any) -> None:
    axes.errorbar(x, y, fmt=marker, color=colour, ms=6.5, elinewidth=1.6, capsize=3.5, **errors)


def _scale_of_errors(axes: "Axes") -> None:
    """Makes an axis of percent wrong one of percent right, from the tick below what is drawn to the one above."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    axes.set_yscale("log")
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    low = max(tick for tick in TICKS if tick <= drawn.min())
    high = min(tick for tick in TICKS if tick >= drawn.max())
    shown = [tick for tick in TICKS if low <= tick <= high]
    axes.set_ylim(high * 1.08, low / 1.08)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks(shown, [f"{100 - tick:g}" for tick in shown])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="x", visible=False)


def _name_ends(axes: "Axes", ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Writes each label to the right of the axes, as near to its curve's end (x, y, colour) as the others let it."""
    _lay_out(axes)
    order = sorted(ends, key=lambda label: _pixels(axes, *ends[label][:2])[1])
    wanted = [_pixels(axes, *ends[label][:2])[1] for label in order]
    for label, height in zip(order, spread(wanted, LINE * axes.figure.dpi), strict=True):
        x, y, colour = ends[label]
        axes.annotate(
            label, (x, y), xytext=(1.05, axes.transData.inverted().transform((0, height))[1]),
            textcoords=("axes fraction", "data"), va="center", color=TEXT, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 1, "ls": ":", "shrinkA": 0, "shrinkB": 4},
        )  # fmt: skip


def _name_points(axes: "Axes", points: Sequence[Point]) -> None:
    """Writes name, parameters and accuracy at each point, on the first side where they run into nothing."""
    from matplotlib.text import Text

    _lay_out(axes)
    inside = axes.get_window_extent()
    taken = [_bar_box(axes, point) for point in points]
    for index, point in enumerate(points):
        for x, y, across, up in SIDES:
            text = axes.annotate(
                f"{point.label}\n{point.parameters:,}: {point.accuracy:.2%}",
                (point.parameters, 100 * point.accuracy), xytext=(x, y), textcoords="offset points",
                ha=across, va=up, color=TEXT, linespacing=1.25,
                arrowprops={"arrowstyle": "-", "color": COLOURS[index % len(COLOURS)], "lw": 1, "shrinkB": 5},
            )  # fmt: skip
            text.get_window_extent()  # settles where it lies
            box = Text.get_window_extent(text)  # the words alone, without the line to the point
            within = inside.x0 < box.x0 and box.x1 < inside.x1 and inside.y0 < box.y0 and box.y1 < inside.y1
            if within and not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:
            axes.add_artist(text)
        taken.append(box)


def _bar_box(axes: "Axes", point: Point) -> "Bbox":
    """What a point and its bar take, in pixels."""
    from matplotlib.transforms import Bbox

    ends = [_pixels(axes, point.parameters, 100 * (point.accuracy + sign * point.error)) for sign in (-1, 1)]
    return Bbox(ends).padded(5)


def _lay_out(axes: "Axes") -> None:
    """Settles where the axes lie, so that places can be asked for in pixels."""
    axes.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]


def _pixels(axes: "Axes", x: float, y: float) -> NDArray[np.float64]:
    place: NDArray[np.float64] = axes.transData.transform((x, y))
    return place


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Ascending heights moved apart until neighbours are `gap` from each other, as little as that needs."""
    blocks: list[list[float]] = []  # each: the heights wanted in a block of labels that touch
    for height in heights:
        blocks.append([height])
        while len(blocks) > 1 and _bottom(blocks[-1], gap) - _top(blocks[-2], gap) < gap:
            last = blocks.pop()
            blocks[-1] += last
    return [_bottom(block, gap) + i * gap for block in blocks for i in range(len(block))]


def _bottom(block: Sequence[float], gap: float) -> float:
    """Where a block of touching labels begins, so that they are off by nothing on the whole."""
    return sum(block) / len(block) - (len(block) - 1) * gap / 2


def _top(block: Sequence[float], gap: float) -> float:
    return _bottom(block, gap) + (len(block) - 1) * gap
