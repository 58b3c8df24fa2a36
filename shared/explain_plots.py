"""A picture's way through a network, drawn: what it sees, what each layer makes of it, where it looked.

    save(way(explanation), Path("explained.png"))         # one tall picture with everything
    looked([explanation, …])                              # a row for each picture: where it found its answer
    convolution(image, kernel, row=…, column=…)           # one window, one filter, one number
    block(explanation, 3)                                 # a filter's map, through convolution, ReLU and pooling
    chances(logits, classes)                              # scores, and the probabilities that softmax makes of them

Figures as `shared.plots` makes them, in its style: ink dark on paper; blue is above 0 and vermilion below, told apart
by every kind of eye, and the words beside say what is what. matplotlib is imported when a picture is drawn.
"""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shared.architectures import BatchNorm, Conv, Dropout, MaxPool, Row, trace
from shared.explanation import Explanation, Line, share
from shared.metrics import softmax
from shared.plots import BLUE, DIGITS, DPI, FAINT, PAPER, QUIET, STYLE, TEXT, VERMILION, empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 10.0  # inches
MARGIN, RIGHT = 350, 30  # pixels beside the maps: the words, and nothing
ROOM = round(WIDTH * DPI) - MARGIN - RIGHT
GAP = 18  # pixels between two steps
TOP = 3.2  # inches of the pictures above the steps
TALLEST_CELL, BARS = 34, 92  # pixels: one number of a row of numbers, the highest bar
COLUMNS = range(12, 19)  # maps side by side
CAPTION = 36  # letters a line
NAME_HIGH, LINE_HIGH = 27, 19  # pixels of a step's name, and of each line of words under it
Pixels = npt.NDArray[np.float64]  # [h, w, 3] in 0..1
Values = npt.NDArray[np.floating[Any]]


def way(told: Explanation) -> "Figure":
    """Everything about one picture: what the network sees, where it looked, its answer, and below that each layer."""
    import matplotlib as mpl

    steps = list(_steps(told))
    high = sum(_height(words, picture) + GAP for _, words, picture in steps) + 2 * (BARS + GAP) + 40
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = _placed(WIDTH, TOP + high / DPI)
        _heading(figure, told)
        axes = _canvas(figure, high)
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
        figure = _placed(9.2, len(several) * high / DPI)
        axes = _canvas(figure, len(several) * high)
        for row, told in enumerate(several):
            for column, (title, picture, outline) in enumerate(_panels(told)):
                left, top = 20 + column * pitch, row * high + 45
                place = (left, left + side, top + side, top)
                axes.imshow(picture, extent=place, aspect="auto", interpolation="nearest", zorder=2)
                if outline:
                    _outline(axes, told.image, left, top, side / len(picture))
                colour = VERMILION if told.wrong and column == 0 else TEXT
                weight = "normal" if column else "bold"
                axes.text(left, top - 12, title, size=9, color=colour, weight=weight)
    return figure


def _panels(told: Explanation) -> Iterator[tuple[str, Pixels, bool]]:
    """Title and picture of each panel of a row, and whether the digit's outline is to be drawn over it."""
    yield _reading(told), _tinted(told.image / 255, 1, ink=True), False
    for title, _, values in _maps_of(told):
        yield title, _tinted(values, float(np.abs(values).max())), True


def filters(kernels: Values) -> "Figure":
    """A convolution's filters [o, 1, k, k], each on a scale of its own."""
    import matplotlib as mpl

    tiles = [_tinted(kernel, float(np.abs(kernel).max())) for kernel in kernels[:, 0].astype(float)]
    columns = _columns([len(tiles)])
    picture = _grid(tiles, columns, ROOM // columns)
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = empty_figure(9.2, 0.5 + 9.2 * len(picture) / picture.shape[1])
        axes = figure.subplots()
        axes.imshow(picture, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(
            f"{len(tiles)} filters of {kernels.shape[-1]} x {kernels.shape[-1]}: blue above 0, vermilion below"
        )
    return figure


def convolution(image: npt.NDArray[np.uint8], kernel: Values, *, row: int, column: int) -> "Figure":
    """One step of a padded convolution [k, k]: the window around a pixel, the filter, and the map they lead to."""
    import matplotlib as mpl

    from shared.by_hand import convolution as convolve

    k = len(kernel)
    pixels = (image / 255).astype(np.float32)
    window = np.pad(pixels, k // 2)[row : row + k, column : column + k]
    answers = convolve(pixels[None, None], kernel[None, None].astype(np.float32), pad=k // 2)[0, 0]
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = empty_figure(9.2, 2.9)
        whole, near, weights, result = figure.subplots(1, 4, width_ratios=(1.25, 1, 1, 1.25))
        _show_ink(whole, image)
        whole.set_title("the picture")
        _numbers(near, window, "one window")
        _numbers(weights, kernel, "times the filter")
        result.imshow(_tinted(answers, float(np.abs(answers).max())), interpolation="nearest")
        _bare(result)
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
        _show_ink(first, told.image)
        first.set_title("the picture")
        for axes, (name, values) in zip(others, maps.items(), strict=True):
            one = values[min(which, len(values) - 1)]
            axes.imshow(_tinted(one, float(np.abs(one).max())), interpolation="nearest")
            _bare(axes)
            axes.set_title(f"{name}: {one.min():.1f} to {one.max():.1f}")
    return figure


def chances(logits: Values, classes: Sequence[str] = DIGITS) -> "Figure":
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


def _steps(told: Explanation) -> Iterator[tuple[str, str, Pixels]]:
    """Name, words and picture of each step that is worth one, in order; of many maps the first two rows."""
    rows = list(trace(told.network))
    lines = {line.name: line for line in told.lines()}
    columns = _columns([len(value) for value in told.values.values() if value.ndim == 3])
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
    tiles = [_tinted(kernel, float(np.abs(kernel).max())) for kernel in shown]
    words = f"its {len(kernels)} filters: where blue, ink counts for; where vermilion, against"
    return f"{name}.weight", words, _grid(tiles, columns, ROOM // columns, small=0.6)


def _of_values(lines: dict[str, Line], row: Row, values: Values, columns: int) -> tuple[str, str, Pixels]:
    line, name, says = lines[row.name], row.name, lines[row.name].says
    if isinstance(row.layer, BatchNorm):
        name, says = f"{_before(lines, name)}, {name}", f"{lines[_before(lines, name)].says}; {says}"
    few = values.ndim == 1 or len(values) <= 2 * columns
    size = line.size if few else f"{line.size}, {2 * columns} of them shown"
    return name, f"{size}\n{says}", _cells(values) if values.ndim == 1 else _maps(values, columns)


def _before(lines: dict[str, Line], name: str) -> str:
    names = list(lines)
    return names[names.index(name) - 1]


def _columns(counts: Sequence[int]) -> int:
    """How many maps to a row: as few empty places as can be, and near 16."""
    return min(COLUMNS, key=lambda n: (sum(-min(count, 2 * n) % n for count in counts), abs(n - 16)))


def _maps(values: Values, columns: int) -> Pixels:
    strongest = float(np.abs(values).max())
    return _grid([_tinted(one, strongest) for one in values[: 2 * columns]], columns, ROOM // columns)


def _grid(tiles: Sequence[Pixels], columns: int, pitch: int, *, small: float = 1) -> Pixels:
    """Tiles of any size side by side, each drawn as large as `pitch` lets it, or a part of that."""
    side = round((pitch - 6) * small)
    rows, edge = -(-len(tiles) // columns), (pitch - side) // 2
    picture = np.ones((rows * (side + 6), columns * pitch, 3))
    for place, tile in enumerate(tiles):
        top, left = place // columns * (side + 6), place % columns * pitch + edge
        picture[top : top + side, left : left + side] = _resized(tile, side, side)
    return picture


def _cells(values: Values) -> Pixels:
    """A row of numbers as squares; folded where there are many."""
    cell = max(3, min(TALLEST_CELL, int((ROOM * 64 / len(values)) ** 0.5)))
    rows = -(-len(values) * cell // ROOM)
    across = -(-len(values) // rows)
    filled = np.full(rows * across, np.nan)
    filled[: len(values)] = values
    colours = _tinted(filled.reshape(rows, across), float(np.abs(values).max()))
    return _resized(colours, rows * cell, across * cell)


def _resized(picture: Pixels, high: int, wide: int) -> Pixels:
    """Each pixel as a block: nothing is smoothed that the network did not smooth."""
    height, width = picture.shape[:2]
    return np.asarray(picture[np.arange(high) * height // high][:, np.arange(wide) * width // wide])


def _tinted(values: Values, strongest: float, *, ink: bool = False) -> Pixels:
    """Numbers [h, w] as colours: 0 is paper, `strongest` full blue (or black), less than 0 vermilion, none white."""
    from matplotlib.colors import to_rgb

    paper, blue, vermilion = (np.array(to_rgb(colour)) for colour in (PAPER, "black" if ink else BLUE, VERMILION))
    part = np.clip(np.nan_to_num(values) / (strongest or 1), -1, 1)[..., None]
    tint = np.where(part < 0, vermilion, blue)
    colours = paper + (tint - paper) * np.abs(part) ** 0.7  # small answers are to be seen too
    return np.where(np.isnan(values)[..., None], 1, colours)


def _placed(width: float, height: float) -> "Figure":
    """A figure whose axes are put in their places by hand."""
    figure = empty_figure(width, height)
    figure.set_layout_engine("none")
    return figure


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
    _show_ink(axes[0], told.image)
    _entitle(axes[0], "what it sees", "28 x 28 numbers")
    for panel, (title, remark, values) in zip(axes[1:], maps, strict=True):
        _show_map(panel, told.image, values)
        _entitle(panel, title, remark)
    _show_chances(place(WIDTH - 1.9, 1.7, wide), told)


def _maps_of(told: Explanation) -> list[tuple[str, str, Values]]:
    """Title, remark and values of each map over the picture; what is misread has one more."""
    answer = told.classes[told.answer]
    maps = [(f"what makes it {answer}", f"blue for {answer}, vermilion against", told.occlusion)]
    if told.wrong and told.true is not None:
        true = told.classes[told.true]
        maps.append((f"what makes it {true}", f"blue for {true}, vermilion against", told.occlusion_of(told.true)))
    return [*maps, (f"Grad-CAM for {answer}", f"where {told.grad_cam_layer} counts for it", told.grad_cam)]


def _show_chances(axes: "Axes", told: Explanation) -> None:
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


def _canvas(figure: "Figure", high: int) -> "Axes":
    """One pair of axes for all steps, a unit a pixel: a pair for each would take seconds to draw."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, high / DPI / height))
    axes.set_xlim(0, round(width * DPI))
    axes.set_ylim(high, 0)
    axes.set_axis_off()
    return axes


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
    return f"{probability:.1%}" if probability >= 0.0005 else "0"


def _reading(told: Explanation) -> str:
    truth = f", is {told.classes[told.true]}" if told.true is not None and told.wrong else ""
    return f"read {told.classes[told.answer]}, {told.confidence:.0%}{truth}"


def _show_ink(axes: "Axes", image: npt.NDArray[np.uint8]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    ink = LinearSegmentedColormap.from_list("ink", [PAPER, "black"])
    axes.imshow(image, cmap=ink, vmin=0, vmax=255, interpolation="nearest")
    _bare(axes)


def _show_map(axes: "Axes", image: npt.NDArray[np.uint8], values: Values) -> None:
    """A map [28, 28] with the digit's outline over it."""
    axes.imshow(_tinted(values, float(np.abs(values).max())), interpolation="nearest")
    _outline(axes, image, -0.5, -0.5, 1)
    _bare(axes)


def _outline(axes: "Axes", image: npt.NDArray[np.uint8], left: float, top: float, pixel: float) -> None:
    """Where a picture's ink is half as strong as its strongest, as a line; `left`, `top`: its corner."""
    from contourpy import contour_generator
    from matplotlib.collections import LineCollection

    lines = contour_generator(z=image).lines(image.max() / 2) if image.any() else []
    places = [(np.asarray(line) + 0.5) * pixel + (left, top) for line in lines]
    axes.add_collection(LineCollection(places, colors=TEXT, linewidths=1, zorder=3), autolim=False)


def _numbers(axes: "Axes", values: Values, title: str) -> None:
    """A few numbers as squares with the numbers in them."""
    axes.imshow(_tinted(values, float(np.abs(values).max())), interpolation="nearest")
    for (row, column), value in np.ndenumerate(values):
        dark = abs(value) > 0.6 * float(np.abs(values).max())
        colour = "white" if dark else TEXT
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, size=8.5)
    _bare(axes)
    axes.set_title(title)


def _frame(axes: "Axes", row: int, column: int, side: int) -> None:
    from matplotlib.patches import Rectangle

    corner = (column - side // 2 - 0.5, row - side // 2 - 0.5)
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=VERMILION, lw=2))


def _bare(axes: "Axes") -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


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
