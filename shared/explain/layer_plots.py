"""The layers drawn one by one, for the notebooks and the lesson.

    filters(arrays["conv1.weight"])                       # what the first layer has learnt
    convolution(image, kernel, row=…, column=…)           # one window, one filter, one number
    block(explanation, 3)                                 # a filter's map, through convolution, ReLU and pooling
    probabilities(logits, classes)                        # scores, and what softmax makes of them

Figures as `shared.training.plots` makes them, in its style. matplotlib is imported when a picture is drawn.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from shared.data.registry import DIGITS
from shared.explain.explanation import Explanation, share
from shared.explain.tiles import Image, Values, bare, columns_for, grid, show_ink, tinted
from shared.networks.architectures import MaxPool, trace
from shared.training.metrics import softmax
from shared.training.plots import BLUE, DPI, FAINT, STYLE, TEXT, VERMILION, empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def filters(kernels: Values) -> "Figure":
    """A convolution's filters [o, 1, k, k], each on a scale of its own."""
    import matplotlib as mpl

    tiles = [tinted(kernel, float(np.abs(kernel).max())) for kernel in kernels[:, 0].astype(float)]
    columns = columns_for([len(tiles)])
    picture = grid(tiles, columns, round(9 * DPI) // columns)
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = empty_figure(9.2, 0.5 + 9.2 * len(picture) / picture.shape[1])
        axes = figure.subplots()
        axes.imshow(picture, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(
            f"{len(tiles)} filters of {kernels.shape[-1]} x {kernels.shape[-1]}: blue above 0, vermilion below"
        )
    return figure


def convolution(image: Image, kernel: Values, *, row: int, column: int) -> "Figure":
    """One step of a padded convolution [k, k]: the window around a pixel, the filter, and the map they lead to."""
    import matplotlib as mpl

    from shared.explain.numpy_forward import convolution as convolve

    k = len(kernel)
    pixels = (image / 255).astype(np.float32)
    window = np.pad(pixels, k // 2)[row : row + k, column : column + k]
    answers = convolve(pixels[None, None], kernel[None, None].astype(np.float32), pad=k // 2)[0, 0]
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = empty_figure(9.2, 2.9)
        whole, near, weights, result = figure.subplots(1, 4, width_ratios=(1.25, 1, 1, 1.25))
        show_ink(whole, image)
        whole.set_title("the picture")
        _numbers(near, window, "one window")
        _numbers(weights, kernel, "times the filter")
        result.imshow(tinted(answers, float(np.abs(answers).max())), interpolation="nearest")
        bare(result)
        result.set_title(f"adds up to {answers[row, column]:.2f}")
        for axes, side in ((whole, k), (result, 1)):
            _frame(axes, row, column, side)
    return figure


def block(told: Explanation, which: int) -> "Figure":
    """What one filter makes of the picture: its map after the convolution, ReLU and pooling, each on its own scale."""
    import matplotlib as mpl

    rows = [row for row in trace(told.network) if len(row.shape) == 3]
    ends = next((at for at, row in enumerate(rows) if isinstance(row.layer, MaxPool)), len(rows) - 1)
    maps = {row.name: told.values[row.name] for row in rows[: ends + 1]}
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = empty_figure(9.2, 0.25 + 9.2 / (len(maps) + 1))
        first, *others = figure.subplots(1, len(maps) + 1)
        show_ink(first, told.image)
        first.set_title("the picture")
        for axes, (name, values) in zip(others, maps.items(), strict=True):
            one = values[min(which, len(values) - 1)]
            axes.imshow(tinted(one, float(np.abs(one).max())), interpolation="nearest")
            bare(axes)
            axes.set_title(f"{name}: {one.min():.1f} to {one.max():.1f}")
    return figure


def probabilities(logits: Values, classes: Sequence[str] = DIGITS) -> "Figure":
    """The scores [k] of one picture, and what softmax makes of them."""
    import matplotlib as mpl

    shares = softmax(np.asarray(logits, float)[None])[0]
    with mpl.rc_context(STYLE):
        figure = empty_figure(9.2, 2.7)
        left, right = figure.subplots(1, 2)
        _bars(left, np.asarray(logits, float), [f"{value:.1f}" for value in logits], classes)
        _bars(right, shares, [share(float(one)) if one >= 0.001 else "" for one in shares], classes)
        left.set_title("Scores (logits): any number")
        right.set_title("Probabilities (softmax): add up to 1")
        right.set_ylim(0, 1.12)
    return figure


def _numbers(axes: "Axes", values: Values, title: str) -> None:
    """A few numbers as squares with the numbers in them."""
    axes.imshow(tinted(values, float(np.abs(values).max())), interpolation="nearest")
    for (row, column), value in np.ndenumerate(values):
        dark = abs(value) > 0.6 * float(np.abs(values).max())
        colour = "white" if dark else TEXT
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, size=8.5)
    bare(axes)
    axes.set_title(title)


def _frame(axes: "Axes", row: int, column: int, side: int) -> None:
    from matplotlib.patches import Rectangle

    corner = (column - side // 2 - 0.5, row - side // 2 - 0.5)
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=VERMILION, lw=2))


def _bars(axes: "Axes", values: Values, numbers: Sequence[str], classes: Sequence[str]) -> None:
    places, best = np.arange(len(values)), int(np.argmax(values))
    axes.bar(places, values, color=[BLUE if k == best else FAINT for k in places], width=0.72)
    for place, value, number in zip(places, values, numbers, strict=True):
        above = value >= 0
        axes.annotate(
            number, (place, value), xytext=(0, 3 if above else -3), textcoords="offset points",
            ha="center", va="bottom" if above else "top", size=7.5,
        )  # fmt: skip
    axes.set_xticks(places, classes, color=TEXT)
    axes.margins(y=0.15)
    axes.grid(axis="x", visible=False)
