"""README's picture: the trip there and back, and a page that was really read.

    figure, text = drawn(data.load("mnist").test_images)
    plots.save(figure, PATH)

The digits are images of MNIST's test set, enlarged and written on the page in ink; the star is there to be rejected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from local.core import workspace
from local.digits import overlay
from local.digits.reader import Reader
from local.models import registry
from local.pictures.picture import Colour
from shared.training.plots import BLUE, PAPER, STYLE, TEXT, VERMILION, empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PATH = workspace.CHECKOUT / "shared" / "pictures" / "k2l.png"  # of a checkout
ROWS = (4, 5, 3)  # digits in each row of the page
TILE = 104  # pixels that a side of MNIST's becomes
PAGE = (480, 640)
INK, SHEET = np.array([110.0, 52, 38]), np.array([206.0, 222, 228])  # blue, green, red


def drawn(images_nhw: NDArray[np.uint8]) -> tuple["Figure", str]:
    """The picture, and what the published `camera` network read on its page."""
    model = registry.find("camera")
    frame = page(images_nhw)
    reading = Reader(registry.open_runtime(model), model.sure).read(
        np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
    )
    return cover(overlay.boxes(frame, reading), reading.text), reading.text


def page(images_nhw: NDArray[np.uint8]) -> Colour:
    """The first images uint8 [n, h, w], white on black, as rows on a sheet of paper: uint8 [480, 640, 3].

    The sheet lies on a desk, is lit from one side and seen at an angle. Twelve images are wanted, see `ROWS`.
    """
    ink = np.zeros(PAGE, np.float32)
    at = iter(images_nhw)
    for down, count in enumerate(ROWS):
        for across in range(count):
            top, left = 62 + 128 * down, 66 + 102 * across
            large = cv2.resize(next(at), (TILE, TILE), interpolation=cv2.INTER_CUBIC)
            ink[top : top + TILE, left : left + TILE] += large.astype(np.float32) / 255
    _star(ink, (530, 380), 42)
    ink = np.clip(1.6 * cv2.GaussianBlur(ink, (0, 0), 1.4), 0, 1)[:, :, None]
    return _photographed(SHEET * (1 - ink) + INK * ink)


def _star(ink: NDArray[np.float32], centre: tuple[int, int], radius: int) -> None:
    """A star of five strokes, as one draws it without lifting the pen."""
    angles = np.deg2rad(-90 + 144 * np.arange(6))
    points = np.array(centre) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cv2.polylines(ink, [np.round(points).astype(np.int32)], False, 1.0, 6, cv2.LINE_AA)


def _photographed(sheet: NDArray[np.float64]) -> Colour:
    """The sheet as a camera has it: on a desk, seen at an angle, lit from the left."""
    height, width = sheet.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[22, 14], [width - 30, 4], [width - 2, height - 8], [2, height]], np.float32)
    desk = (58.0, 74.0, 92.0)
    tilted = cv2.warpPerspective(sheet, cv2.getPerspectiveTransform(corners, seen), (width, height), borderValue=desk)
    light = np.linspace(1.05, 0.6, width)[None, :, None] * np.linspace(1.0, 0.86, height)[:, None, None]
    return np.clip(tilted * light, 0, 255).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A box of the diagram: its middle in the axes' units, a heading and what happens there."""

    x: float
    y: float
    heading: str
    text: str
    colour: str


WIDE, TALL = 42.0, 25.0  # of a box
PLACES = (
    Place(x=24, y=82, heading="edit", text="one definition of a network\nfor PyTorch and Keras", colour=BLUE),
    Place(x=86, y=82, heading="train", text="Kaggle's free GPU,\nor the emulator here", colour=VERMILION),
    Place(x=86, y=22, heading="prove", text="the run hashes all it made,\npull checks every byte", colour=VERMILION),
    Place(x=24, y=22, heading="use", text="evaluate, quantize, predict,\ncamera: on your own CPU", colour=BLUE),
)
WAYS = ("k2l push", "k2l watch", "k2l pull", "")  # from each place to the next


def cover(seen: Colour, text: str) -> "Figure":
    """The round trip beside a frame uint8 [h, w, 3] (blue, green, red) and the text that was read in it."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE | {"font.size": 11, "axes.grid": False}):
        figure = empty_figure(10, 3.9)
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _trip(left, PLACES)
        right.imshow(seen[:, :, ::-1])
        right.set_title(f"k2l camera: {text}", family="monospace", size=10, weight="normal", loc="center")
        for axes in (left, right):
            axes.set_axis_off()
    return figure


def _trip(axes: "Axes", places: Sequence[Place]) -> None:
    """The places in a ring, an arrow with its command from each to the next."""
    axes.set(xlim=(0, 110), ylim=(4, 100))
    for place in places:
        _box(axes, place)
    for at, way in enumerate(WAYS):
        _arrow(axes, places[at], places[(at + 1) % len(places)], way)
    axes.text(55, 52, "k2l loop", ha="center", va="center", family="monospace", size=14, weight="bold", color=TEXT)


def _box(axes: "Axes", place: Place) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (place.x - WIDE / 2, place.y - TALL / 2), WIDE, TALL,
            boxstyle="round,pad=0,rounding_size=3", facecolor=PAPER, edgecolor=place.colour, linewidth=1.6,
        )
    )  # fmt: skip
    axes.text(place.x, place.y + 6, place.heading, ha="center", va="center", weight="bold", color=place.colour)
    axes.text(place.x, place.y - 4, place.text, ha="center", va="center", size=9.5)


def _arrow(axes: "Axes", start: Place, end: Place, command: str) -> None:
    """From the edge of one box to that of the next, which is beside, below or above it."""
    flat = start.y == end.y
    reach = WIDE / 2 + 1 if flat else TALL / 2 + 1.5
    way = (np.sign(end.x - start.x) * reach * flat, np.sign(end.y - start.y) * reach * (not flat))
    axes.annotate(
        "", (end.x - way[0], end.y - way[1]), (start.x + way[0], start.y + way[1]),
        arrowprops={
            "arrowstyle": "-|>,head_width=.35,head_length=.6", "color": TEXT, "lw": 1.5, "shrinkA": 0, "shrinkB": 0,
        },
    )  # fmt: skip
    at = ((start.x + end.x) / 2, (start.y + end.y) / 2)
    offset = (0, 9) if flat else (10, 0)
    axes.annotate(
        command, at, offset, textcoords="offset points", family="monospace", size=9.5, color=TEXT,
        ha="center" if flat else "left", va="bottom" if flat else "center",
    )  # fmt: skip
