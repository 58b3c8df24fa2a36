"""A window of the desktop: shows pictures, takes keys, and a region drawn with the mouse.

    with Window("k2l") as window:         # DisplayError where none can be opened, before anything is
        window.show(bgr)                  # uint8 [h, w, 3], blue, green, red
        key = window.key(milliseconds=1)  # "q", " ", … or "" for none; ESCAPE too where it was closed

Without a display OpenCV does not fail but ends the whole program: whether there is one is tried in another.
"""

import contextlib
import os
import subprocess
import sys
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from local.digits.glyphs import Box
from shared.core.errors import DisplayError

ESCAPE = "\x1b"
LEAST = 8  # pixels of a region's side: less is a slip of the hand
TRIAL = "import cv2; cv2.namedWindow('k2l'); cv2.waitKey(1)"
TRIAL_SECONDS = 30
LOOK = 50  # milliseconds between two looks whether the window was closed


def check_display() -> None:
    """Raises DisplayError where a window cannot be opened."""
    why = "neither a screen nor a window system is there (DISPLAY is not set)"
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY"):
        try:
            trial = subprocess.run([sys.executable, "-c", TRIAL], capture_output=True, timeout=TRIAL_SECONDS)
        except subprocess.TimeoutExpired:
            raise DisplayError(f"No window: the display does not answer in {TRIAL_SECONDS} s.") from None
        if trial.returncode == 0:
            return
        said = trial.stderr.decode(errors="replace").strip().splitlines()
        why = said[0] if said else f"OpenCV ended with {trial.returncode}"
    raise DisplayError(f"No window can be opened: {why}.")


class Window:
    """One window, and the region drawn in it last."""

    def __init__(self, title: str) -> None:
        check_display()
        self.title = title
        self.region: Box | None = None  # x, y, width, height, of the picture shown
        self._start: tuple[int, int] | None = None
        self._end = (0, 0)
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.setMouseCallback(title, self._mouse)
        self._shape: tuple[int, ...] = ()

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        with contextlib.suppress(cv2.error):  # the user has closed it
            cv2.destroyWindow(self.title)

    @property
    def drawing(self) -> Box | None:
        """The region being drawn, while the mouse button is down."""
        return None if self._start is None else box_between(self._start, self._end)

    def show(self, bgr: NDArray[np.uint8]) -> None:
        """Puts a picture into the window, which takes its size where that changes, as far as a screen has room."""
        if bgr.shape != self._shape:
            height, width = bgr.shape[:2]
            factor = min(1.0, 1280 / width, 800 / height)
            cv2.resizeWindow(self.title, round(width * factor), round(height * factor))
            self._shape = bgr.shape
        cv2.imshow(self.title, bgr)

    def key(self, *, milliseconds: int | None) -> str:
        """The key pressed within so many milliseconds, "" for none; None waits for one."""
        while True:
            pressed = cv2.waitKey(LOOK if milliseconds is None else milliseconds)
            if cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
                return ESCAPE
            if pressed >= 0 or milliseconds is not None:
                return "" if pressed < 0 else chr(pressed & 0xFF)

    def _mouse(self, event: int, x: int, y: int, flags: int, data: object) -> None:
        if event == cv2.EVENT_LBUTTONDOWN:
            self._start, self._end = (x, y), (x, y)
        elif self._start is not None:
            self._end = (x, y)
            if event == cv2.EVENT_LBUTTONUP:
                region = box_between(self._start, self._end)
                self._start = None
                self.region = region if min(region[2:]) >= LEAST else None


def box_between(one: tuple[int, int], other: tuple[int, int]) -> Box:
    """The box with these opposite corners."""
    x, y = min(one[0], other[0]), min(one[1], other[1])
    return x, y, abs(one[0] - other[0]), abs(one[1] - other[1])
