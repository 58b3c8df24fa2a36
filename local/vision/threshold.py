"""Grey picture -> where the ink is: the paper evened out, the ink told from it, a cut between the two.

    ink = flatten(grey)                   # float32 [h, w], 0 paper, 1 black ink, whichever way round it was
    mask = ink > level(ink)               # nothing at all on a blank page

Pure functions on a picture already scaled by `picture.fit`. Which of the ink is a digit is `segment`'s question.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from local.vision.picture import Grey, median

Ink = NDArray[np.float32]

PAPER_SIDE = 96  # pixels: the paper's shade is soft, so a small copy of the picture tells it
PAPER_WINDOW = 0.55  # of the copy's shorter side: far wider than a stroke, so that its median is paper
FAINTEST = 0.05  # of the paper's light: fainter ink, nobody would call written
GRAIN = 4.0  # times the paper's own noise


def paper(grey: Grey) -> Grey:
    """The shade of the paper under the ink, uint8 [h, w]: a wide median of a small copy, smoothed.

    The median passes over strokes and keeps the edge of a shadow, which a blur or a fitted plane would smear.
    """
    height, width = grey.shape
    factor = min(1.0, PAPER_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    window = max(3, int(PAPER_WINDOW * min(size)) | 1)
    rim = window // 2  # mirrored through the edge's own value, so that a slope goes on beyond the border
    wide = np.pad(small.astype(np.int16), rim, mode="reflect", reflect_type="odd").clip(0, 255).astype(np.uint8)
    shade = cv2.GaussianBlur(cv2.medianBlur(wide, window), (0, 0), window / 6)
    shade = shade[rim : rim + size[1], rim : rim + size[0]]
    return cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def dark_on_light(grey: Grey) -> bool:
    """Whether the ink is darker than the paper: it is rare and far from it, so the third moment has its sign."""
    distance = grey.astype(np.float32) - paper(grey)
    return float((distance**3).sum()) <= 0


def flatten(grey: Grey) -> Ink:
    """The ink alone, float32 [h, w]: 0 where the paper is, 1 where no light comes back, in shadow as in the sun.

    What is photographed is paper times light, so the paper's shade is divided out. Light ink is turned dark first.
    """
    dark = grey if dark_on_light(grey) else 255 - grey
    share = (dark.astype(np.float32) + 1) / (paper(dark).astype(np.float32) + 1)
    return np.asarray(1 - share, dtype=np.float32)


def level(ink: Ink) -> float:
    """Where to part ink from paper: Otsu's level (1979), but never inside the paper's own grain.

    Otsu halves the noise where ink is rare or absent.
    """
    bytes_hw = (ink.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    otsu, _ = cv2.threshold(bytes_hw, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return max((float(otsu) + 0.5) / 255, FAINTEST, GRAIN * grain(ink))


def grain(ink: Ink) -> float:
    """The paper's noise as a standard deviation: how far the usual pixel is from the mean of its 3x3 neighbours.

    A median, so that the strokes' edges, which are few, do not count; slopes and shadows hardly do either.
    """
    rough = np.abs(ink - cv2.blur(ink, (3, 3)))
    return 1.4826 * median(rough) * math.sqrt(9 / 8)  # the mean itself holds a ninth of the pixel
