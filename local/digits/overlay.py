"""What was read, drawn over the picture it was read in: boxes, labels, bars, what the network sees.

    seen = boxes(bgr, reading)            # a copy, uint8 [h, w, 3], blue, green, red
    corner(seen, glyph.image)             # drawn into it: the glyph that the network is given, enlarged
    panel = bars(probabilities)           # ten bars beside it

Sizes follow the picture's, so that a 12-megapixel photograph is as legible as a webcam's frame.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from local.digits.glyphs import Box
from local.digits.reader import Digit, Reading
from local.pictures.picture import Colour
from shared.data.registry import GLYPH

Shade = tuple[int, int, int]

GREEN: Shade = (80, 200, 60)
GREY: Shade = (150, 150, 150)
WHITE: Shade = (255, 255, 255)
BLACK: Shade = (0, 0, 0)
BLUE: Shade = (220, 150, 50)
FONT = cv2.FONT_HERSHEY_SIMPLEX
USUAL = 640  # pixels of a picture's longer side at which a line is one pixel wide
PANEL = (220, 280)  # width and height of the ten bars


def scale_of(bgr: Colour) -> float:
    """How many times larger than usual lines and letters are to be."""
    return float(max(bgr.shape[:2]) / USUAL)


def boxes(bgr: Colour, reading: Reading, *, factor: float = 1.0) -> Colour:
    """Each digit in its box with label and confidence, and thin boxes round what was rejected.

    Where labels would cover each other, they are the digits alone. `factor`: how much smaller the picture is than the
    one that was read.
    """
    seen = bgr.copy()
    for rejected in reading.rejected:
        box(seen, _scaled(rejected.box, factor), GREY)
    at_digits = [_scaled(digit.box, factor) for digit in reading.digits]
    whole = [f"{digit.digit} {digit.confidence:.0%}" for digit in reading.digits]
    places = [covered(seen, text, _above(seen, at)) for text, at in zip(whole, at_digits, strict=True)]
    for number, digit in enumerate(reading.digits):
        crowded = any(_meet(places[number], other) for at, other in enumerate(places) if at != number)
        labelled(seen, at_digits[number], f"{digit.digit}" if crowded else whole[number])
    return seen


def _scaled(at: Box, factor: float) -> Box:
    """A box in the picture that is shown."""
    x, y, w, h = (round(side * factor) for side in at)
    return x, y, w, h


def _meet(one: Box, other: Box) -> bool:
    """Whether two boxes have anything in common."""
    return all(one[at] < other[at] + other[at + 2] and other[at] < one[at] + one[at + 2] for at in (0, 1))


def box(seen: Colour, at: Box, shade: Shade, *, wide: float = 1.0) -> None:
    """Draws a box into the picture, a little outside of what it holds."""
    x, y, w, h = at
    rim = max(2, round(3 * scale_of(seen)))
    line = max(1, round(wide * scale_of(seen)))
    cv2.rectangle(seen, (x - rim, y - rim), (x + w + rim, y + h + rim), shade, line, cv2.LINE_AA)


def labelled(seen: Colour, at: Box, label: str) -> None:
    """Draws a digit's box and its label."""
    box(seen, at, GREEN, wide=2)
    written(seen, label, _above(seen, at), shade=GREEN)


def _above(seen: Colour, at: Box) -> tuple[int, int]:
    """Where a box's label begins: above it or, at the picture's upper edge, below."""
    scale = scale_of(seen)
    x, y, _, h = at
    height = round(20 * scale)
    return (x, y + h + round(1.3 * height)) if y < 1.5 * height else (x, y - round(7 * scale))


def written(seen: Colour, text: str, at: tuple[int, int], *, shade: Shade = WHITE, size: float = 0.6) -> None:
    """Draws a line of text from its lower left corner, on black so that it is legible on any paper."""
    x, y, width, height = covered(seen, text, at, size=size)
    _, _, base, font, thick = _measured(seen, text, size)
    cv2.rectangle(seen, (x, y), (x + width, y + height), BLACK, cv2.FILLED)
    cv2.putText(seen, text, (x + 2, y + height - base), FONT, font, shade, thick, cv2.LINE_AA)


def covered(seen: Colour, text: str, at: tuple[int, int], *, size: float = 0.6) -> Box:
    """What a line of text would cover, moved into the picture."""
    width, height, base, _, _ = _measured(seen, text, size)
    x = min(max(0, at[0]), max(0, seen.shape[1] - width))
    y = min(max(height, at[1]), seen.shape[0] - base)
    return x - 2, y - height - 3, width + 4, height + base + 3


def _measured(seen: Colour, text: str, size: float) -> tuple[int, int, int, float, int]:
    """A line's width, height above and below its base, and the size and thickness of its letters."""
    scale = scale_of(seen)
    thick = max(1, round(1.5 * scale))
    (width, height), base = cv2.getTextSize(text, FONT, size * scale, thick)
    return width, height, base, size * scale, thick


def corner(seen: Colour, image_hw: NDArray[np.uint8], *, share: float = 0.18) -> None:
    """Draws the glyph that the network sees into the upper right corner."""
    side = max(GLYPH.height, round(share * min(seen.shape[:2])))
    if side + 8 > min(seen.shape[:2]):
        return
    large = cv2.cvtColor(cv2.resize(image_hw, (side, side), interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)
    framed = cv2.copyMakeBorder(large, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=WHITE)
    seen[4 : side + 6, seen.shape[1] - side - 6 : seen.shape[1] - 4] = framed


def bars(probabilities: Sequence[float]) -> Colour:
    """Ten bars, one a digit, the longest in green: uint8 [280, 220, 3]."""
    width, height = PANEL
    panel = np.zeros((height, width, 3), np.uint8)
    step, left = height // len(probabilities), 26
    for label, share in enumerate(probabilities):
        top = label * step
        shade = GREEN if share == max(probabilities) else BLUE
        cv2.putText(panel, str(label), (6, top + 20), FONT, 0.6, WHITE, 1, cv2.LINE_AA)
        cv2.rectangle(panel, (left, top + 5), (left + round(share * (width - left - 70)), top + 22), shade, cv2.FILLED)
        cv2.putText(panel, f"{share:.1%}", (width - 62, top + 20), FONT, 0.5, WHITE, 1, cv2.LINE_AA)
    return panel


def explained(digit: Digit | None) -> Colour:
    """What the network saw of one digit, enlarged, and its ten probabilities as bars: uint8 [280, 500, 3].

    Black where there is none.
    """
    width, side = PANEL
    if digit is None:
        return np.zeros((side, side + width, 3), np.uint8)
    large = cv2.resize(digit.glyph.image, (side, side), interpolation=cv2.INTER_NEAREST)
    return np.hstack([cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), bars(digit.probabilities)])
