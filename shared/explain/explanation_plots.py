"""A picture's way through a network, drawn: what it sees, what each layer makes of it, where it looked.

    save(way(explanation), Path("explained.png"))         # one tall picture with everything
    looked([explanation, …])                              # a row for each picture: where it found its answer

Figures as `shared.training.plots` makes them, in its style: ink dark on paper; blue is above 0 and vermilion below,
told apart by every kind of eye, and the words beside say what is what. matplotlib is imported when a picture is drawn.
"""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from shared.explain.explanation import Explanation, Line, share
from shared.explain.tiles import (
    Pixels,
    Values,
    canvas,
    cells,
    columns_for,
    grid,
    outline,
    placed,
    show_ink,
    show_map,
    tinted,
)
from shared.networks.architectures import BatchNorm, Conv, Dropout, Row, trace
from shared.training.plots import BLUE, DPI, FAINT, QUIET, STYLE, TEXT, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 10.0  # inches
MARGIN, RIGHT = 350, 30  # pixels beside the maps: the words, and nothing
ROOM = round(WIDTH * DPI) - MARGIN - RIGHT
GAP = 18  # pixels between two steps
TOP = 3.2  # inches of the pictures above the steps
BARS = 92  # pixels of the highest bar and its number
CAPTION = 36  # letters a line
NAME_HIGH, LINE_HIGH = 27, 19  # pixels of a step's name, and of each line of words under it


def way(told: Explanation) -> "Figure":
    """Everything about one picture: what the network sees, where it looked, its answer, and below that each layer."""
    import matplotlib as mpl

    steps = list(_steps(told))
    high = sum(_height(words, picture) + GAP for _, words, picture in steps) + 2 * (BARS + GAP) + 40
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = placed(WIDTH, TOP + high / DPI)
        _heading(figure, told)
        axes = canvas(figure, high)
        at = _draw_steps(axes, steps)
        _draw_answers(axes, told, at)
    return figure


def looked(several: Sequence[Explanation]) -> "Figure":
    """A row for each picture: as it is, what covering it costs the answer, the same for the truth, and Grad-CAM."""
    import matplotlib as mpl

    wide = round(9.2 * DPI)
    pitch = wide // 4
    side, high = pitch - 45, pitch + 15
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = placed(9.2, len(several) * high / DPI)
        axes = canvas(figure, len(several) * high)
        for row, told in enumerate(several):
            for column, (title, picture, over) in enumerate(_panels(told)):
                left, top = 20 + column * pitch, row * high + 45
                place = (left, left + side, top + side, top)
                axes.imshow(picture, extent=place, aspect="auto", interpolation="nearest", zorder=2)
                if over:
                    outline(axes, told.image, left, top, side / len(picture))
                colour = VERMILION if told.wrong and column == 0 else TEXT
                weight = "normal" if column else "bold"
                axes.text(left, top - 12, title, size=9, color=colour, weight=weight)
    return figure


def _panels(told: Explanation) -> Iterator[tuple[str, Pixels, bool]]:
    """Title and picture of each panel of a row, and whether the digit's outline is to be drawn over it."""
    yield _reading(told), tinted(told.image / 255, 1, ink=True), False
    for title, _, values in _maps_of(told):
        yield title, tinted(values, float(np.abs(values).max())), True


def _steps(told: Explanation) -> Iterator[tuple[str, str, Pixels]]:
    """Name, words and picture of each step that is worth one, in order; of many maps the first two rows."""
    rows = list(trace(told.network))
    lines = {line.name: line for line in told.lines()}
    columns = columns_for([len(value) for value in told.values.values() if value.ndim == 3])
    first = next((row.name for row in rows if isinstance(row.layer, Conv)), "")
    for row, following in pairwise(rows):  # the last layer has bars of its own
        if row.name == first:
            yield _of_filters(told.arrays[f"{first}.weight"], columns, first)
        if _is_drawn(row, following):
            yield _of_values(lines, row, told.values[row.name], columns)


def _is_drawn(row: Row, following: Row) -> bool:
    """Whether a layer has a row of its own: batch norm is drawn with its convolution, and dropout does nothing."""
    return not isinstance(row.layer, Dropout) and not isinstance(following.layer, BatchNorm)


def _of_filters(kernels: Values, columns: int, name: str) -> tuple[str, str, Pixels]:
    shown = kernels[: 2 * columns, 0].astype(float)
    tiles = [tinted(kernel, float(np.abs(kernel).max())) for kernel in shown]
    words = f"its {len(kernels)} filters: where blue, ink counts for; where vermilion, against"
    return f"{name}.weight", words, grid(tiles, columns, ROOM // columns, small=0.6)


def _of_values(lines: dict[str, Line], row: Row, values: Values, columns: int) -> tuple[str, str, Pixels]:
    line, name, says = lines[row.name], row.name, lines[row.name].says
    if isinstance(row.layer, BatchNorm):
        name, says = f"{_before(lines, name)}, {name}", f"{lines[_before(lines, name)].says}; {says}"
    few = values.ndim == 1 or len(values) <= 2 * columns
    size = line.size if few else f"{line.size}, {2 * columns} of them shown"
    return name, f"{size}\n{says}", cells(values, ROOM) if values.ndim == 1 else _maps(values, columns)


def _before(lines: dict[str, Line], name: str) -> str:
    names = list(lines)
    return names[names.index(name) - 1]


def _maps(values: Values, columns: int) -> Pixels:
    strongest = float(np.abs(values).max())
    return grid([tinted(one, strongest) for one in values[: 2 * columns]], columns, ROOM // columns)


def _heading(figure: "Figure", told: Explanation) -> None:
    """The verdict, what it sees, where it looked, and how likely each class is."""
    height = figure.get_size_inches()[1]
    figure.text(
        0.3 / WIDTH, 1 - 0.32 / height, told.verdict(), size=14, weight="bold", va="center",
        color=VERMILION if told.wrong else TEXT,
    )  # fmt: skip
    maps = _maps_of(told)
    wide = 1.95 if len(maps) == 2 else 1.6

    def place(left: float, wide: float, high: float) -> "Axes":
        return figure.add_axes((left / WIDTH, 1 - (1.1 + high) / height, wide / WIDTH, high / height))

    axes = [place(0.3 + at * (wide + 0.3), wide, wide) for at in range(len(maps) + 1)]
    show_ink(axes[0], told.image)
    _entitle(axes[0], "what it sees", f"{' x '.join(map(str, told.image.shape))} numbers")
    for panel, (title, remark, values) in zip(axes[1:], maps, strict=True):
        show_map(panel, told.image, values)
        _entitle(panel, title, remark)
    _show_probabilities(place(WIDTH - 1.9, 1.7, wide), told)


def _maps_of(told: Explanation) -> list[tuple[str, str, Values]]:
    """Title, remark and values of each map over the picture; what is misread has one more."""
    answer = told.classes[told.answer]
    maps = [(f"what makes it {answer}", f"blue for {answer}, vermilion against", told.occlusion)]
    if told.wrong and told.true is not None:
        true = told.classes[told.true]
        maps.append((f"what makes it {true}", f"blue for {true}, vermilion against", told.occlusion_of(told.true)))
    return [*maps, (f"Grad-CAM for {answer}", f"where {told.grad_cam_layer} counts for it", told.grad_cam)]


def _show_probabilities(axes: "Axes", told: Explanation) -> None:
    places = range(len(told.classes))
    axes.barh(places, told.probabilities, color=[_colour(told, k) for k in places], height=0.72)
    axes.set_yticks(places, told.classes, color=TEXT, size=8)
    axes.set_ylim(len(places) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    _entitle(axes, "how likely", "after softmax")


def _entitle(axes: "Axes", title: str, remark: str) -> None:
    axes.annotate(
        title, (0, 1), xytext=(0, 19), xycoords="axes fraction", textcoords="offset points", weight="bold", size=9.5
    )
    axes.annotate(
        remark, (0, 1), xytext=(0, 7), xycoords="axes fraction", textcoords="offset points", color=QUIET, size=7
    )


def _colour(told: Explanation, label: int) -> str:
    return (VERMILION if told.wrong else BLUE) if label == told.answer else QUIET if label == told.true else FAINT


def _draw_steps(axes: "Axes", steps: Sequence[tuple[str, str, Pixels]]) -> int:
    """Each step's words at the left, its picture at the right; where the next may begin."""
    at = 0
    for name, words, picture in steps:
        high, wide = picture.shape[:2]
        place = (MARGIN, MARGIN + wide, at + high, at)
        axes.imshow(picture, extent=place, aspect="auto", interpolation="nearest", zorder=2)
        _words(axes, at, name, words)
        at += _height(words, picture) + GAP
    return at


def _height(words: str, picture: Pixels) -> int:
    """Pixels that a step takes."""
    return max(len(picture), NAME_HIGH + LINE_HIGH * len(_wrapped(words)))


def _wrapped(words: str) -> list[str]:
    return [one for line in words.split("\n") for one in textwrap.wrap(line, CAPTION)]


def _words(axes: "Axes", at: int, name: str, words: str) -> None:
    axes.text(45, at, name, weight="bold", size=9.5, va="top")
    axes.text(45, at + NAME_HIGH, "\n".join(_wrapped(words)), size=7, color=QUIET, va="top", linespacing=1.25)


def _draw_answers(axes: "Axes", told: Explanation, at: int) -> None:
    """The last layer's scores and the probabilities, a column a class, each bar with its number."""
    scores, shares = told.logits.astype(float), told.probabilities
    words = "a score for each class, the logits: weighted sums of the numbers above"
    _draw_bars(axes, told, at, scores, [f"{value:.1f}" for value in scores])
    _words(axes, at, list(told.values)[-1], words)
    at += BARS + GAP
    _draw_bars(axes, told, at, shares, [_percent(one) for one in shares])
    _words(axes, at, "softmax", "e^score over the sum of all of these: probabilities, 1 in all")
    pitch = ROOM / len(told.classes)
    for k, name in enumerate(told.classes):
        weight = "bold" if k == told.answer else "normal"
        size = 10 if len(name) == 1 else 8
        place = (MARGIN + (k + 0.5) * pitch, at + BARS + GAP)
        axes.text(*place, name, ha="center", va="center", size=size, weight=weight)


def _draw_bars(axes: "Axes", told: Explanation, at: int, values: Values, numbers: Sequence[str]) -> None:
    """A bar a class from a common zero, its number below."""
    from matplotlib.patches import Rectangle

    pitch, high = ROOM / len(values), BARS - 24
    top, bottom = max(float(values.max()), 0.0), min(float(values.min()), 0.0)
    one = high / (top - bottom or 1.0)
    zero = at + one * top
    for k, (value, number) in enumerate(zip(values, numbers, strict=True)):
        left, length = MARGIN + k * pitch, one * float(value)
        axes.add_patch(Rectangle((left + 4, zero - length), pitch - 8, length, color=_colour(told, k)))
        axes.text(left + pitch / 2, at + BARS - 8, number, ha="center", va="center", size=7.5, color=TEXT)
    axes.plot([MARGIN, MARGIN + ROOM], [zero, zero], color=FAINT, lw=0.8, zorder=0)


def _percent(probability: float) -> str:
    """As the verdict says it, but for the many that are nearly nothing."""
    return share(probability) if probability >= 0.0005 else "0"


def _reading(told: Explanation) -> str:
    truth = f", is {told.classes[told.true]}" if told.true is not None and told.wrong else ""
    return f"read {told.classes[told.answer]}, {share(told.confidence)}{truth}"
