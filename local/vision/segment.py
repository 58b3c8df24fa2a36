"""Mask of ink -> the strokes that belong to one digit, as a mask of their own and a box.

    region = main(mask, smallest=5)       # None: nothing here is big enough to be a digit

One digit a picture: the component that is largest, most central and not cut by the border, with the loose strokes
next to it (a 5's bar, a pencil's gaps). Specks, shadows at the edge and the sheet's own edge are left out.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

SMALLEST = 0.04  # of the picture's longer side: a speck is smaller
STROKE_SHARE = 0.03  # of the main component's area: a loose stroke has as much
REACH = 0.2  # of the main component's longer side: a loose stroke is as near


@dataclass(frozen=True, kw_only=True)
class Region:
    """The strokes of one digit: `mask` bool [h, w] cut to their box, and the box's corner in the picture."""

    mask: Mask
    x: int
    y: int


@dataclass(frozen=True, kw_only=True)
class Components:
    """Connected components of a mask: labels [h, w] from 1, and for each its box, area and centre (arrays [n, …])."""

    labels: NDArray[np.int32]
    boxes: NDArray[np.int32]  # [n, 4] x, y, width, height
    areas: NDArray[np.int32]
    centres: NDArray[np.float64]  # [n, 2] x, y

    @property
    def extents(self) -> NDArray[np.int32]:
        """The longer side of each box."""
        return np.asarray(self.boxes[:, 2:].max(axis=1))

    @property
    def cut(self) -> NDArray[np.bool_]:
        """Which components touch the picture's border."""
        height, width = self.labels.shape
        x, y, w, h = self.boxes.T
        return np.asarray((x == 0) | (y == 0) | (x + w == width) | (y + h == height))


def components(mask: Mask) -> Components:
    """The 8-connected components of a mask."""
    _, labels, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    found = stats[1:].astype(np.int32)  # the first is the background
    return Components(
        labels=np.asarray(labels, np.int32),
        boxes=found[:, :4],
        areas=found[:, 4],
        centres=np.asarray(centres[1:], np.float64),
    )


def main(mask: Mask, *, smallest: float) -> Region | None:
    """The strokes of the picture's one digit, or None where nothing has a side of `smallest` pixels."""
    parts = components(mask)
    if not parts.areas.size:
        return None
    chosen = int(prominence(parts).argmax())
    if parts.extents[chosen] < max(smallest, SMALLEST * max(mask.shape)):
        return None
    together = np.isin(parts.labels, np.flatnonzero(belonging(parts, chosen)) + 1)
    return cut_out(together)


def prominence(parts: Components) -> NDArray[np.float64]:
    """How much each component looks like what the picture was taken of: large, near the middle, whole."""
    height, width = parts.labels.shape
    off_centre = (parts.centres - (width / 2, height / 2)) / (width, height)
    nearness = np.exp(-4 * (off_centre**2).sum(axis=1))
    return np.asarray(np.sqrt(parts.areas) * parts.extents * nearness * np.where(parts.cut, 0.5, 1.0))


def belonging(parts: Components, chosen: int) -> NDArray[np.bool_]:
    """Which components are strokes of the chosen one's digit: near it, not specks, no newcomers from the border."""
    near = gaps(parts.boxes, parts.boxes[chosen]) <= REACH * parts.extents[chosen] + 1
    enough = parts.areas >= STROKE_SHARE * parts.areas[chosen]
    whole = ~parts.cut | parts.cut[chosen]
    return np.asarray((near & enough & whole) | (np.arange(len(parts.areas)) == chosen))


def gaps(boxes: NDArray[np.int32], to: NDArray[np.int32]) -> NDArray[np.float64]:
    """The distance between each box [n, 4] and one box [4], in pixels, 0 where they meet."""
    start, end = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    apart = np.maximum(np.maximum(start - (to[:2] + to[2:]), to[:2] - end), 0)
    return np.asarray(np.hypot(apart[:, 0], apart[:, 1]))


def cut_out(mask: Mask) -> Region:
    """A mask cut to the box of what is set in it."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return Region(mask=mask[y : y + height, x : x + width], x=x, y=y)
