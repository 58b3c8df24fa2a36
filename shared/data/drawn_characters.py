"""Characters drawn by code, as pens and fonts make them: planes of ink in which hands differ from MNIST's.

    ink = drawn_digit(7, draw)            # float32 [112, 112], 0 paper, 1 black: crossed, curled, with a serif, …
    ink = drawn_letter(draw)              # what is no digit, and most like one when written by hand
    ink = character("Ж", draw)            # of some font, bent as a hand would

MNIST's hands are American. Elsewhere a 1 has a flag as long as its stem, a 7 a bar and a curl, a 4 a closed top, a 5
a hat of its own, a 9 a hook. `HANDS` has such shapes as data: strokes, each a tuple of points to be joined.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.data import normalise

SCALE = 4  # pixels a pixel of MNIST's
TALL = normalise.SIDE * SCALE

PRINT_FONTS = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Italic.ttf",
    "DejaVuSansMono.ttf", "STIXGeneral.ttf", "STIXGeneralItalic.ttf",
)  # fmt: skip
WIDE_FONTS = 3  # the first have other scripts too
STROKE_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)  # fmt: skip

Ink = NDArray[np.float32]  # [TALL, TALL], 0 paper, 1 black
Line = NDArray[np.float64]  # points x, y
Draw = np.random.RandomState  # frozen: numpy may change what its newer generators draw

# Strokes: a corner is where one ends and the next begins; between, they are smooth. Points x, y in hundredths of the
# sign's width and height.
Shape = tuple[tuple[tuple[int, int], ...], ...]
HANDS: dict[int, tuple[Shape, ...]] = {
    0: (
        (((60, 0), (15, 25), (15, 75), (50, 100), (85, 75), (85, 25), (50, 2), (20, 22), (30, 35)),),
        (((30, 12), (10, 50), (45, 100), (90, 60), (75, 8), (25, 5)),),
    ),
    1: (
        (((0, 75), (60, 0)), ((60, 0), (60, 100))),
        (((5, 50), (60, 0)), ((60, 0), (60, 100))),
        (((20, 28), (55, 0)), ((55, 0), (55, 100)), ((15, 100), (95, 100))),
        (((30, 20), (50, 0)), ((50, 0), (50, 85), (65, 100), (85, 95))),
    ),
    2: (
        (((15, 25), (35, 2), (70, 8), (70, 40), (20, 95), (5, 88), (20, 78), (50, 92), (95, 98)),),
        (((10, 22), (45, 0), (80, 18), (60, 55), (10, 100)), ((10, 100), (90, 100))),
        (((25, 30), (50, 3), (75, 25), (40, 75), (5, 100)), ((5, 100), (40, 92), (70, 100), (100, 92))),
    ),
    3: (
        (((10, 3), (85, 3)), ((85, 3), (40, 40)), ((40, 40), (80, 50), (85, 78), (50, 100), (8, 88))),
        (((15, 12), (50, 0), (80, 18), (35, 45)), ((35, 45), (88, 62), (70, 95), (30, 100), (5, 85))),
    ),
    4: (
        (((95, 70), (0, 70)), ((0, 70), (65, 0)), ((65, 0), (65, 100))),
        (((35, 0), (0, 62)), ((0, 62), (95, 62)), ((62, 32), (58, 100))),
        (((12, 0), (8, 35), (35, 55), (75, 40)), ((85, 0), (70, 100))),
        (((25, 0), (15, 50)), ((15, 50), (100, 50)), ((75, 10), (75, 100))),
    ),
    5: (
        (((25, 4), (18, 42)), ((18, 42), (65, 36), (88, 68), (55, 98), (8, 90)), ((25, 4), (95, 0))),
        (((22, 8), (18, 45)), ((18, 45), (65, 38), (85, 70), (50, 100), (8, 90)), ((38, 2), (95, -5))),
        (((90, 0), (40, 4)), ((40, 4), (22, 44)), ((22, 44), (62, 40), (84, 70), (50, 100), (8, 92))),
    ),
    6: (
        (((75, 0), (30, 30), (12, 70), (40, 100), (80, 85), (75, 55), (45, 50), (15, 72)),),
        (((70, 0), (25, 35), (15, 80), (50, 98), (85, 78), (60, 58), (25, 75), (10, 105)),),
    ),
    7: (
        (((10, 3), (90, 3)), ((90, 3), (40, 100)), ((22, 52), (88, 48))),
        (((0, 22), (12, 3), (45, 12), (75, 12), (95, 0)), ((95, 0), (65, 45), (50, 100)), ((25, 58), (90, 50))),
        (((10, 22), (12, 3)), ((12, 3), (88, 3)), ((88, 3), (60, 45), (50, 100))),
        (((0, 5), (20, 32), (65, 28), (92, 8), (78, 0), (65, 18), (58, 55), (50, 100)), ((25, 65), (88, 60))),
    ),
    8: (
        (((78, 15), (48, 0), (22, 20), (50, 46), (82, 72), (50, 100), (18, 76), (45, 52), (80, 22)),),
        (((50, 0), (25, 22), (50, 44), (75, 22), (52, 0)), ((50, 44), (12, 72), (50, 100), (88, 72), (52, 44))),
        (((92, 8), (60, 0), (30, 20), (62, 58), (45, 100), (15, 82), (40, 52), (85, 30), (90, 12)),),
    ),
    9: (
        (((78, 12), (48, 0), (18, 22), (45, 48), (80, 15)), ((80, 15), (80, 65), (55, 100), (12, 90))),
        (((80, 10), (45, 0), (15, 25), (45, 50), (80, 15)), ((80, 15), (72, 100))),
    ),
}  # fmt: skip

# What is most easily taken for a digit, and is none, as hands write it.
LETTERS: dict[str, Shape] = {
    "A": (((0, 100), (50, 0)), ((50, 0), (100, 100)), ((20, 62), (82, 62))),
    "B": (((8, 0), (8, 100)), ((8, 0), (80, 12), (70, 40), (8, 48)), ((8, 48), (95, 60), (85, 92), (8, 100))),
    "C": (((95, 15), (55, 0), (10, 25), (8, 70), (50, 100), (95, 88)),),
    "D": (((5, 0), (5, 100)), ((5, 0), (75, 12), (95, 50), (75, 88), (5, 100))),
    "E": (((90, 0), (5, 0)), ((5, 0), (5, 100)), ((5, 100), (92, 100)), ((5, 50), (75, 50))),
    "F": (((92, 0), (5, 0)), ((5, 0), (5, 100)), ((5, 48), (72, 48))),
    "G": (((92, 15), (50, 0), (8, 30), (12, 80), (55, 100), (90, 82)), ((90, 82), (90, 55)), ((90, 55), (50, 55))),
    "H": (((5, 0), (5, 100)), ((95, 0), (95, 100)), ((5, 50), (95, 50))),
    "J": (((30, 0), (100, 0)), ((72, 0), (70, 75), (40, 100), (5, 80))),
    "K": (((8, 0), (8, 100)), ((90, 0), (8, 55)), ((30, 42), (95, 100))),
    "L": (((10, 0), (10, 100)), ((10, 100), (92, 100))),
    "M": (((0, 100), (10, 0)), ((10, 0), (50, 65)), ((50, 65), (90, 0)), ((90, 0), (100, 100))),
    "N": (((5, 100), (5, 0)), ((5, 0), (95, 100)), ((95, 100), (95, 0))),
    "P": (((10, 0), (10, 100)), ((10, 0), (85, 10), (80, 45), (10, 55))),
    "Q": (((50, 0), (8, 30), (12, 75), (50, 95), (88, 75), (90, 28), (52, 0)), ((58, 62), (100, 105))),
    "R": (((8, 0), (8, 100)), ((8, 0), (85, 8), (75, 45), (8, 50)), ((35, 50), (92, 100))),
    "S": (((90, 14), (50, 0), (14, 20), (48, 48), (88, 74), (52, 100), (6, 86)),),
    "T": (((0, 0), (100, 0)), ((50, 0), (50, 100))),
    "U": (((5, 0), (8, 75), (50, 100), (92, 75), (95, 0)),),
    "V": (((0, 0), (50, 100)), ((50, 100), (100, 0))),
    "W": (((0, 0), (25, 100)), ((25, 100), (50, 35)), ((50, 35), (75, 100)), ((75, 100), (100, 0))),
    "X": (((0, 0), (100, 100)), ((100, 0), (0, 100))),
    "Y": (((0, 0), (48, 48)), ((100, 0), (48, 48)), ((48, 48), (48, 100))),
    "Z": (((5, 0), (95, 0)), ((95, 0), (5, 100)), ((5, 100), (98, 100))),
    "a": (((85, 10), (40, 0), (8, 50), (40, 92), (82, 60), (85, 5)), ((85, 5), (84, 80), (105, 95))),
    "d": (((85, 50), (45, 40), (8, 70), (45, 100), (84, 75)), ((86, 0), (85, 100))),
    "e": (((10, 52), (90, 50), (70, 8), (20, 20), (10, 70), (50, 100), (92, 85)),),
    "f": (((90, 8), (60, 0), (45, 30), (42, 100)), ((8, 42), (85, 40))),
    "h": (((10, 0), (10, 100)), ((10, 62), (50, 42), (82, 60), (84, 100))),
    "k": (((10, 0), (10, 100)), ((80, 38), (12, 70)), ((35, 60), (88, 100))),
    "m": (((0, 30), (5, 100)), ((5, 55), (28, 30), (45, 55), (46, 100)), ((46, 55), (72, 30), (92, 55), (95, 100))),
    "n": (((8, 10), (10, 100)), ((10, 45), (50, 8), (88, 40), (90, 100))),
    "r": (((15, 10), (18, 100)), ((18, 50), (45, 12), (85, 15))),
    "t": (((45, 0), (42, 80), (60, 100), (88, 90)), ((8, 30), (85, 28))),
    "u": (((5, 0), (10, 80), (45, 100), (88, 60)), ((90, 0), (90, 85), (105, 98))),
    "y": (((8, 0), (50, 55)), ((95, 0), (20, 100))),
}  # fmt: skip


def drawn_digit(digit: int, draw: Draw) -> Ink:
    """One of the shapes a digit has in HANDS, by some pen, bent as hands differ."""
    shapes = HANDS[digit]
    return by_hand(shapes[draw.randint(len(shapes))], draw)


def drawn_letter(draw: Draw) -> Ink:
    """One of LETTERS, by some pen, bent as hands differ."""
    letters = tuple(LETTERS.values())
    return by_hand(letters[draw.randint(len(letters))], draw)


def by_hand(shape: Shape, draw: Draw) -> Ink:
    """A sign drawn stroke by stroke, its points a little off, bent as hands differ."""
    corner, size = (0.25 * TALL, 0.16 * TALL), (0.5 * TALL, 0.68 * TALL)
    off = {point: draw.normal(0, 2, 2) for stroke in shape for point in stroke}  # where strokes meet, they still do
    lines = [smooth((np.array(stroke) + [off[point] for point in stroke]) / 100 * size + corner) for stroke in shape]
    return bent(strokes(lines, draw), draw)


def character(text: str, draw: Draw) -> Ink:
    """A character of a font, bent as a hand would."""
    return bent(rendered(text, draw), draw)


def smooth(points: Line) -> Line:
    """A curve through all points, first to last (Catmull & Rom 1974, uniform); through two it is a straight line."""
    before, after = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    p = np.concatenate([before, points, after])
    t = np.linspace(0, 1, 8)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.asarray(curve.swapaxes(0, 1).reshape(-1, 2))


def ink_of(plane: NDArray[Any]) -> Ink:
    """A plane of 0..255 as ink 0..1."""
    return np.asarray(plane, np.float32) / np.float32(255)


def strokes(lines: Sequence[Line], draw: Draw, *, width: float | None = None) -> Ink:
    """Lines of points x, y, as a pen of some width in pixels draws them."""
    plane = np.zeros((TALL, TALL), np.uint8)
    wide = max(1, round(draw.uniform(4, 11) if width is None else width))
    for line in lines:
        cv2.polylines(plane, [np.round(line * 16).astype(np.int32)], False, 255, wide, cv2.LINE_AA, shift=4)
    return ink_of(plane)


def rendered(text: str, draw: Draw) -> Ink:
    """A character in some font, ink 0..1 [TALL, TALL]: drawn by strokes where that font has it, else from outlines."""
    if text.isascii() and draw.rand() < 0.6:
        font, pen = STROKE_FONTS[draw.randint(len(STROKE_FONTS))], int(draw.randint(2, 9))
        plane = np.zeros((TALL, TALL), np.uint8)
        (width, height), _ = cv2.getTextSize(text, font, 2.5, pen)
        cv2.putText(plane, text, ((TALL - width) // 2, (TALL + height) // 2), font, 2.5, 255, pen, cv2.LINE_AA)
        return ink_of(plane)
    from PIL import Image, ImageDraw

    plane_pil = Image.new("L", (TALL, TALL))
    fonts = PRINT_FONTS if text.isascii() else PRINT_FONTS[:WIDE_FONTS]
    font_pil = _print_font(fonts[draw.randint(len(fonts))])
    ImageDraw.Draw(plane_pil).text((TALL / 2, TALL / 2), text, fill=255, font=font_pil, anchor="mm")
    return ink_of(np.asarray(plane_pil))


@cache
def _print_font(name: str) -> Any:
    """A font that comes with matplotlib."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), round(0.75 * TALL))


def bent(ink: Ink, draw: Draw) -> Ink:
    """The same plane turned, sheared, resized and bent a little, as no two hands write alike."""
    angle, shear = np.radians(draw.uniform(-12, 12)), draw.uniform(-0.25, 0.25)
    sx, sy = draw.uniform(0.7, 1.1, 2)
    ys, xs = np.indices(ink.shape).astype(np.float32) - TALL / 2
    swing, length, start = draw.uniform(-3, 3, 2), draw.uniform(12, 30, 2), draw.uniform(0, 7, 2)
    from_x = (np.cos(angle) * xs - np.sin(angle) * ys + shear * ys) / sx + swing[0] * np.sin(ys / length[0] + start[0])
    from_y = (np.sin(angle) * xs + np.cos(angle) * ys) / sy + swing[1] * np.sin(xs / length[1] + start[1])
    there = [(plane + TALL / 2).astype(np.float32) for plane in (from_x, from_y)]
    return np.asarray(cv2.remap(ink, there[0], there[1], cv2.INTER_LINEAR), np.float32)
