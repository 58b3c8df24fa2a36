"""Numbers as pictures: coloured squares, maps side by side, a digit's outline.

    grid([tinted(one, strongest) for one in maps], columns_for([16, 32]), pitch=70)   # an image [h, w, 3] in 0..1
    show_map(axes, image, values)                                                      # a map over a digit

Blue is above 0 and vermilion below; nothing is smoothed that the network did not smooth. Figures are made of these in
`shared.explain.layer_plots` and `shared.explain.explanation_plots`. matplotlib is imported when something is drawn.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shared.training.plots import BLUE, DPI, PAPER, TEXT, VERMILION, empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = range(12, 19)  # maps side by side
TALLEST_CELL = 34  # pixels of one number of a row of numbers
Pixels = npt.NDArray[np.float64]  # [h, w, 3] in 0..1
Values = npt.NDArray[np.floating[Any]]
Image = npt.NDArray[np.uint8]


def columns_for(counts: Sequence[int]) -> int:
    """How many maps to a row: as few empty places as can be, and near 16."""
    return min(COLUMNS, key=lambda n: (sum(-min(count, 2 * n) % n for count in counts), abs(n - 16)))


def grid(tiles: Sequence[Pixels], columns: int, pitch: int, *, small: float = 1) -> Pixels:
    """Tiles of any size side by side, each drawn as large as `pitch` lets it, or a part of that."""
    side = round((pitch - 6) * small)
    rows, edge = -(-len(tiles) // columns), (pitch - side) // 2
    picture = np.ones((rows * (side + 6), columns * pitch, 3))
    for place, tile in enumerate(tiles):
        top, left = place // columns * (side + 6), place % columns * pitch + edge
        picture[top : top + side, left : left + side] = resized(tile, side, side)
    return picture


def cells(values: Values, room: int) -> Pixels:
    """A row of numbers as squares, `room` pixels wide at most; folded where there are many."""
    cell = max(3, min(TALLEST_CELL, int((room * 64 / len(values)) ** 0.5)))
    rows = -(-len(values) * cell // room)
    across = -(-len(values) // rows)
    filled = np.full(rows * across, np.nan)
    filled[: len(values)] = values
    colours = tinted(filled.reshape(rows, across), float(np.abs(values).max()))
    return resized(colours, rows * cell, across * cell)


def resized(picture: Pixels, high: int, wide: int) -> Pixels:
    """Each pixel as a block: nothing is smoothed that the network did not smooth."""
    height, width = picture.shape[:2]
    return np.asarray(picture[np.arange(high) * height // high][:, np.arange(wide) * width // wide])


def tinted(values: Values, strongest: float, *, ink: bool = False) -> Pixels:
    """Numbers [h, w] as colours: 0 is paper, `strongest` full blue (or black), less than 0 vermilion, none white."""
    from matplotlib.colors import to_rgb

    paper, blue, vermilion = (np.array(to_rgb(colour)) for colour in (PAPER, "black" if ink else BLUE, VERMILION))
    part = np.clip(np.nan_to_num(values) / (strongest or 1), -1, 1)[..., None]
    tint = np.where(part < 0, vermilion, blue)
    colours = paper + (tint - paper) * np.abs(part) ** 0.7  # small answers are to be seen too
    return np.where(np.isnan(values)[..., None], 1, colours)


def placed(width: float, height: float) -> "Figure":
    """A figure whose axes are put in their places by hand."""
    figure = empty_figure(width, height)
    figure.set_layout_engine("none")
    return figure


def canvas(figure: "Figure", high: int) -> "Axes":
    """One pair of axes for all steps, a unit a pixel: a pair for each would take seconds to draw."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, high / DPI / height))
    axes.set_xlim(0, round(width * DPI))
    axes.set_ylim(high, 0)
    axes.set_axis_off()
    return axes


def show_ink(axes: "Axes", image: Image) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    ink = LinearSegmentedColormap.from_list("ink", [PAPER, "black"])
    axes.imshow(image, cmap=ink, vmin=0, vmax=255, interpolation="nearest")
    bare(axes)


def show_map(axes: "Axes", image: Image, values: Values) -> None:
    """A map [h, w] with the digit's outline over it."""
    axes.imshow(tinted(values, float(np.abs(values).max())), interpolation="nearest")
    outline(axes, image, -0.5, -0.5, 1)
    bare(axes)


def outline(axes: "Axes", image: Image, left: float, top: float, pixel: float) -> None:
    """Where a picture's ink is half as strong as its strongest, as a line; `left`, `top`: its corner."""
    from contourpy import contour_generator
    from matplotlib.collections import LineCollection

    ink = image if image.ndim == 2 else image.mean(axis=-1)
    lines = contour_generator(z=ink).lines(ink.max() / 2) if ink.any() else []
    places = [(np.asarray(line) + 0.5) * pixel + (left, top) for line in lines]
    axes.add_collection(LineCollection(places, colors=TEXT, linewidths=1, zorder=3), autolim=False)


def bare(axes: "Axes") -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
