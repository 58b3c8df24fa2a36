"""Pictures to try the page on, drawn when it starts: none is kept anywhere.

    drawn()                               # {"rows.png": …, "five.png": …}: rows under a lamp; one digit, white on black

The digits are OpenCV's own: strokes as thick as a pen's in version 4, a typeface in 5.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

NAMES = ("rows.png", "five.png")


def drawn() -> dict[str, bytes]:
    """The examples as PNG files in memory, by name."""
    pictures = (in_lamplight(page(["0123", "456", "789"])), 255 - page(["5"]))
    return {name: cv2.imencode(".png", pixels)[1].tobytes() for name, pixels in zip(NAMES, pictures, strict=True)}


def page(rows: Sequence[str], *, size: float = 3.0) -> NDArray[np.uint8]:
    """Rows of digits, dark on paper: uint8 [h, w]."""
    line, room = round(44 * size), round(26 * size)
    sheet = np.full((line * len(rows) + room, room * (1 + max(map(len, rows))), 1), 225, np.uint8)
    for down, row in enumerate(rows, start=1):
        for across, digit in enumerate(row):
            at = (room // 2 + across * room, down * line - round(2 * size))
            cv2.putText(sheet, digit, at, cv2.FONT_HERSHEY_SIMPLEX, size, 40, round(3 * size), cv2.LINE_AA)
    return sheet[:, :, 0]


def in_lamplight(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same, lit from one side: uint8 [h, w, 3], blue, green, red."""
    height, width = grey.shape
    light = np.linspace(1.0, 0.5, width)[None, :, None] * np.linspace(1.0, 0.85, height)[:, None, None]
    return np.asarray(grey[:, :, None] * light * np.array([0.82, 0.95, 1.0]), np.uint8)
