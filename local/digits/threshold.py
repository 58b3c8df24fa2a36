"""Grey picture -> where the ink is: the paper evened out, the ink told from it, a cut between the two.

    ink = flatten(grey)                   # float32 [h, w], 0 paper, 1 black ink, whichever way round it was
    mask = ink > level(ink)               # nothing at all on a blank page

Pure functions on a picture already scaled by `picture.fit`. Which of the ink is a digit is `segment`'s question.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from local.pictures.picture import Grey
from shared.data.normalise import median

Ink = NDArray[np.float32]

PAPER_SIDE = 96  # pixels: the paper's shade is soft, so a small copy of the picture tells it
PAPER_WINDOW = 0.55  # of the copy's shorter side: far wider than a stroke, so that its median is paper
FAINTEST = 0.05  # of the paper's light: fainter ink, nobody would call written
GRAIN = 4.0  # times the paper's own noise

ONE, ALL = np.ones(1), np.full(1, 255.0)  # scalars as OpenCV's functions take them


@dataclass(frozen=True, kw_only=True)
class Page:
    """A picture uint8 [h, w] turned so that its ink is dark, and the shade of the paper under it: uint8 [h, w]."""

    dark: Grey
    paper: Grey


def page(grey: Grey) -> Page:
    """The picture and its paper; light ink on a dark ground is turned round.

    A small copy of the picture decides both, because the paper's shade is soft. A wide median passes over strokes and
    keeps the edge of a shadow, which a blur or a fitted plane would smear. Ink is rare and far from the paper, so the
    third moment of the difference has its sign.
    """
    height, width = grey.shape
    factor = min(1.0, PAPER_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    shade = _shade(small)
    if float(((small.astype(np.float32) - shade) ** 3).sum()) > 0:
        grey, shade = 255 - grey, 255 - shade
    return Page(dark=grey, paper=_resized(shade, (width, height)))


def _shade(small: Grey) -> Grey:
    """The wide median of a small picture, smoothed."""
    window = max(3, int(PAPER_WINDOW * min(small.shape)) | 1)
    rim = window // 2  # mirrored through the edge's own value, so that a slope goes on beyond the border
    wide = np.pad(small.astype(np.int16), rim, mode="reflect", reflect_type="odd").clip(0, 255).astype(np.uint8)
    smooth = cv2.GaussianBlur(cv2.medianBlur(wide, window), (0, 0), window / 6)
    return np.asarray(smooth[rim : rim + small.shape[0], rim : rim + small.shape[1]], np.uint8)


def _resized(grey: Grey, size: tuple[int, int]) -> Grey:
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def flatten(grey: Grey) -> Ink:
    """The ink alone, float32 [h, w]: 0 where the paper is, 1 where no light comes back, in shadow as in the sun.

    What is photographed is paper times light, so the paper's shade is divided out. Light ink is turned dark first.
    """
    ready = page(grey)
    # One more than black, so that nothing is divided by nothing.
    light = cv2.divide(cv2.add(ready.dark, ONE), cv2.add(ready.paper, ONE), dtype=cv2.CV_32F)
    return np.asarray(cv2.subtract(ONE, light, dst=light), np.float32)


def level(ink: Ink) -> float:
    """Where to part ink from paper: Otsu's level (1979), but never inside the paper's own grain.

    Otsu halves the noise where ink is rare or absent.
    """
    bytes_hw = cv2.multiply(ink, ALL, dtype=cv2.CV_8U)
    otsu, _ = cv2.threshold(bytes_hw, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return max((float(otsu) + 0.5) / 255, FAINTEST, GRAIN * grain(ink))


def grain(ink: Ink) -> float:
    """The paper's noise as a standard deviation: how far the usual pixel is from the mean of its 3x3 neighbours.

    A median, so that the strokes' edges, which are few, do not count; slopes and shadows hardly do either. Of a large
    picture, a part of the rows and columns tell it as well as all, and need not be fetched from memory whole.
    """
    if min(ink.shape) < 3:
        return 0.0
    step = max(1, min(ink.shape) // 100)
    height, width = ink.shape
    neighbours = [ink[y : height - 2 + y : step, x : width - 2 + x : step] for y in range(3) for x in range(3)]
    rough = np.abs(neighbours[4] - sum(neighbours) / 9)
    return 1.4826 * median(rough) * math.sqrt(9 / 8)  # the mean itself holds a ninth of the pixel
