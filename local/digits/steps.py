"""Each step of the way from a picture to its glyphs, as a picture to look at.

    steps(grey)                           # {"1-scaled": uint8 [h, w], …, "8-glyphs": …}, in their order

For whoever wonders why a digit was not found: the step at which it is lost is the one to look into.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from local.digits import glyphs, segment, threshold
from local.pictures import picture

COLUMNS = 10  # glyphs in a row of the sheet
COLOURS = ((60, 200, 80), (220, 150, 50), (60, 80, 230), (200, 80, 200), (40, 190, 220))  # blue, green, red


def steps(grey: picture.Grey, *, single: bool = False) -> dict[str, NDArray[np.uint8]]:
    """Pictures uint8, grey [h, w] or blue, green, red [h, w, 3]: the whole one scaled, then of the sheet in it, where

    there is one: itself, paper, ink, mask, unruled, found, glyphs.
    """
    ready = glyphs.prepared(grey)
    only = glyphs.single(grey) if single else None
    rows = ([[only]] if only else []) if single else glyphs.several(grey)
    return {
        "1-scaled": picture.fit(grey, smallest=glyphs.SMALLEST, largest=glyphs.LARGEST)[0],
        "2-sheet": ready.grey,
        "3-paper": threshold.page(ready.grey).paper,
        "4-ink": np.asarray(255 - 255 * ready.ink.clip(0, 1), np.uint8),
        "5-mask": black_on_white(ready.mask),
        "6-unruled": black_on_white(segment.without_rules(ready.mask)),
        "7-found": found(ready, rows),
        "8-glyphs": sheet([glyph for row in rows for glyph in row]),
    }


def black_on_white(mask: segment.Mask) -> NDArray[np.uint8]:
    """A mask as ink on paper."""
    return np.where(mask, 0, 255).astype(np.uint8)


def found(ready: glyphs.Prepared, rows: list[list[glyphs.Glyph]]) -> NDArray[np.uint8]:
    """The sheet with a box round each glyph: a colour a row, and its place in reading order."""
    seen = cv2.cvtColor(ready.grey, cv2.COLOR_GRAY2BGR)
    place = 0
    for at, row in enumerate(rows):
        colour = COLOURS[at % len(COLOURS)]
        for glyph in row:
            place += 1
            x, y, w, h = (round(side * ready.factor) for side in glyphs.within(ready, glyph.box))
            cv2.rectangle(seen, (x - 2, y - 2), (x + w + 2, y + h + 2), colour, 1)
            cv2.putText(seen, str(place), (x, max(10, y - 4)), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
    return np.asarray(seen, np.uint8)


def sheet(found: list[glyphs.Glyph]) -> NDArray[np.uint8]:
    """The glyphs as the network gets them, ten a row, four times as large."""
    images = [np.pad(glyph.image, 1, constant_values=90) for glyph in found] or [np.zeros((30, 30), np.uint8)]
    images += [np.zeros((30, 30), np.uint8)] * (-len(images) % min(COLUMNS, len(images)))
    across = min(COLUMNS, len(images))
    rows = [np.hstack(images[at : at + across]) for at in range(0, len(images), across)]
    return np.asarray(cv2.resize(np.vstack(rows), None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST), np.uint8)
