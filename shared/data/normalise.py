"""The strokes of a digit -> a 28x28 glyph drawn as MNIST's were: upright, 20 px tall or wide, centred by its mass.

    image = glyph(region.mask)            # uint8 [28, 28], white ink on black

Photographs are prepared by it, and so is what a network learns from that reads photographs. The steps are LeCun's
(MNIST's page: 20x20 box with the aspect kept, centre of mass in the middle of 28x28), the deskewing is that of OpenCV's
digits sample, and pens thinner than MNIST's are thickened.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.data.registry import GLYPH

Mask = NDArray[np.bool_]

SIDE = GLYPH.height  # pixels, both ways
BOX = 20
FINE = 4  # working pixels a glyph pixel: shapes are changed finely, and made 28x28 once, at the end
STROKE = 2.2  # glyph pixels: MNIST's usual pen
STEEPEST = 1.0  # the largest slant that is taken for handwriting, as dx/dy


def glyph(mask: Mask) -> NDArray[np.uint8]:
    """A digit's strokes, bool [h, w], as a glyph: uint8 [28, 28], white ink on black."""
    return centre(thicken(deskew(enlarge(mask))))


def enlarge(mask: Mask) -> Mask:
    """The strokes with their longer side brought to BOX * FINE pixels, aspect kept."""
    factor = BOX * FINE / max(mask.shape)
    height, width = (max(1, round(side * factor)) for side in mask.shape)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return trim(cv2.resize(mask.astype(np.float32), (width, height), interpolation=how) > 0.5, or_else=mask)


def trim(mask: Mask, *, or_else: Mask | None = None) -> Mask:
    """The mask cut to what is set in it; `or_else` stands in for strokes too thin to have survived a change."""
    if not mask.any():
        return np.ones((1, 1), np.bool_) if or_else is None else or_else
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return mask[y : y + height, x : x + width]


def deskew(mask: Mask) -> Mask:
    """The strokes sheared upright by their second moments, as OpenCV's `samples/python/digits.py` does."""
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    if moments["mu02"] < 1e-2:
        return mask
    slant = float(np.clip(moments["mu11"] / moments["mu02"], -STEEPEST, STEEPEST))
    height, width = mask.shape
    room = int(abs(slant) * height) + 2
    middle = moments["m01"] / moments["m00"]
    shear = np.array([[1, slant, room - slant * middle - room], [0, 1, 0]], np.float32)
    wide = padded(mask, 0, room).astype(np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return trim(cv2.warpAffine(wide, shear, (width + 2 * room, height), flags=how) > 0.5, or_else=mask)


def median(values: NDArray[np.generic]) -> float:
    """The upper median of any number of values; `np.median` would import numpy.ma, a twentieth of a cold start."""
    middle = values.size // 2
    return float(np.partition(values, middle, axis=None)[middle])


def stroke_width(mask: Mask) -> float:
    """The usual width of the strokes in pixels: twice the median distance from their ridge to the paper.

    Distances run between pixels' middles: twice of them is the width where it is even, one more where it is odd.
    """
    distance = cv2.distanceTransform(padded(mask, 1, 1), cv2.DIST_L2, 5)
    ridge = (distance > 0) & (distance == cv2.dilate(distance, np.ones((3, 3), np.uint8)))
    return 2 * median(distance[ridge]) - 0.5


def thicken(mask: Mask) -> Mask:
    """The strokes brought to STROKE at the glyph's scale where they are thinner; thick ones are left as they are.

    Growing by r widens the stroke and the box alike: (stroke + 2r) / (side + 2r) = STROKE / BOX gives r.
    """
    share = STROKE / BOX
    radius = (share * max(mask.shape) - stroke_width(mask)) / (2 - 2 * share)
    if radius <= 0:
        return mask
    room = int(radius) + 2
    outside = cv2.bitwise_xor(padded(mask, room, room), np.ones(1))
    return trim(cv2.distanceTransform(outside, cv2.DIST_L2, 5) <= radius)


def padded(mask: Mask, tall: int, wide: int) -> NDArray[np.uint8]:
    """The mask as 0 and 1, with so many empty pixels above and below, left and right: `np.pad`, ten times as quick."""
    flat = mask.view(np.uint8)
    return np.asarray(cv2.copyMakeBorder(flat, tall, tall, wide, wide, cv2.BORDER_CONSTANT, value=0), np.uint8)


def centre(mask: Mask) -> NDArray[np.uint8]:
    """The strokes in a box of 20, their centre of mass in the middle of 28x28: uint8 [28, 28]."""
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    scale = BOX * FINE / max(mask.shape)
    middle = SIDE * FINE / 2 - 0.5
    x, y = (middle - scale * moments[m] / moments["m00"] for m in ("m10", "m01"))
    place = np.array([[scale, 0, x], [0, scale, y]], np.float32)
    fine = cv2.warpAffine(mask.astype(np.float32), place, (SIDE * FINE, SIDE * FINE), flags=cv2.INTER_LINEAR)
    coarse = cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(coarse * 255 + 0.5).astype(np.uint8)
