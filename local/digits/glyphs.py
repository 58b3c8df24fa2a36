"""One grey picture -> the glyphs in it: the steps of the vision side in their order.

    glyph = single(picture.read(path))    # Glyph(image uint8 [28, 28], box (x, y, w, h)) or None: a blank page
    rows = several(picture.read(path))    # all there are, in reading order: a list a row

Prepared as MNIST was (`normalise`), whatever the paper, the light, the pen or the size. Says nothing of which digit
it is, nor whether it is one.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from local.digits import segment, sheet, threshold
from local.pictures import picture
from shared.data import normalise
from shared.data.registry import GLYPH

SMALLEST, LARGEST = 160, 640  # pixels of the longer side that digits are looked for at
SPECK = 5  # pixels of the picture: no digit can be told in fewer, and noise clumps to as many
Box = segment.Box  # in the picture's own pixels


@dataclass(frozen=True, kw_only=True)
class Glyph:
    """A digit cut from a picture: `image` uint8 [28, 28] white on black, `box` where it was, `mask` its strokes."""

    image: NDArray[np.uint8]
    box: Box
    mask: segment.Mask


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A picture made ready: `grey` uint8 [h, w] of a workable size, and its ink.

    `box` is what part of the picture it is, the sheet where one lies in it, and `factor` what that was scaled by.
    `ink` float32 [h, w], 0 paper to 1 black; `mask` bool [h, w], where there is enough of it.
    """

    grey: picture.Grey
    box: Box
    factor: float
    ink: threshold.Ink
    mask: segment.Mask


def single(grey: picture.Grey) -> Glyph | None:
    """The one digit of a picture uint8 [h, w], or None where nothing is written."""
    drawn = already(grey)
    if drawn is not None:
        return drawn
    ready = prepared(grey)
    region = segment.main(ready.mask, smallest=SPECK * ready.factor)
    return None if region is None else drawn_anew(region, ready)


def several(grey: picture.Grey) -> list[list[Glyph]]:
    """Whatever may be a digit in a picture uint8 [h, w]: rows from the top, each from left to right."""
    drawn = already(grey)
    if drawn is not None:
        return [[drawn]]
    ready = prepared(grey)
    rows = segment.several(ready.mask, smallest=SPECK * ready.factor)
    return [[drawn_anew(region, ready) for region in row] for row in rows]


def prepared(grey: picture.Grey) -> Prepared:
    """The picture uint8 [h, w], or the sheet that lies in it, scaled, its paper evened out, its ink told from it."""
    lying = sheet.find(grey)
    x, y, width, height = box = lying.box if lying else (0, 0, grey.shape[1], grey.shape[0])
    scaled, factor = picture.fit(grey[y : y + height, x : x + width], smallest=SMALLEST, largest=LARGEST)
    if lying:
        scaled = lying.alone(scaled)
    ink = threshold.flatten(scaled)
    return Prepared(grey=scaled, box=box, factor=factor, ink=ink, mask=ink > threshold.level(ink))


def parted(glyph: Glyph) -> list[tuple[Glyph, Glyph]]:
    """The ways in which one glyph may be two digits that touch, side by side; none for one as narrow as a digit is."""
    return [(_piece(glyph, left), _piece(glyph, right)) for left, right in segment.cuts(glyph.mask)]


def _piece(glyph: Glyph, region: segment.Region) -> Glyph:
    """The glyph of a part of another's strokes."""
    (height, width), (tall, wide) = region.mask.shape, glyph.mask.shape
    x, y, w, h = glyph.box
    across, down = w / wide, h / tall
    box = (
        x + int(across * region.x), y + int(down * region.y),
        max(1, round(across * width)), max(1, round(down * height)),
    )  # fmt: skip
    return Glyph(image=normalise.glyph(region.mask), box=box, mask=region.mask)


def drawn_anew(region: segment.Region, ready: Prepared) -> Glyph:
    """The glyph of a region found in a picture made ready."""
    return Glyph(image=normalise.glyph(region.mask), box=original_box(region, ready), mask=region.mask)


def already(grey: picture.Grey) -> Glyph | None:
    """A picture that is a glyph as it stands, such as one of MNIST's own images saved to a file; else None.

    All 70,000 of MNIST have a plain background, ink in a box whose longer side is 20, and its centre of mass within
    half a pixel of (14, 14): cutting such a picture out and drawing it anew could only blur it.
    """
    if grey.shape != (GLYPH.height, GLYPH.height):
        return None
    image = 255 - grey if normalise.median(grey) > 127 else grey
    x, y, width, height = cv2.boundingRect(image)
    if not normalise.BOX - 1 <= max(width, height) <= normalise.BOX:
        return None
    moments = cv2.moments(image)
    off = max(abs(moments[m] / moments["m00"] - GLYPH.height / 2) for m in ("m10", "m01"))
    strokes = image[y : y + height, x : x + width]
    mask = normalise.trim(strokes > strokes.max() / 2)
    return Glyph(image=image, box=(x, y, width, height), mask=mask) if off < 0.6 else None


def original_box(region: segment.Region, ready: Prepared) -> Box:
    """A region's box in the pixels of the picture that was made ready."""
    (height, width), (x, y, wide, tall) = region.mask.shape, ready.box
    left, top = int(region.x / ready.factor), int(region.y / ready.factor)
    right = min(wide, round((region.x + width) / ready.factor))
    bottom = min(tall, round((region.y + height) / ready.factor))
    return x + left, y + top, max(1, right - left), max(1, bottom - top)


def within(ready: Prepared, box: Box) -> Box:
    """A box of the picture as one of the part that was made ready."""
    return box[0] - ready.box[0], box[1] - ready.box[1], box[2], box[3]
