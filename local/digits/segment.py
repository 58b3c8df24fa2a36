"""Mask of ink -> the strokes that belong to one digit, as a mask of their own and a box.

    region = main(mask, smallest=5)       # None: nothing here is big enough to be a digit
    rows = several(mask, smallest=5)      # all that may be digits, in reading order

One digit a picture: the component that is largest, most central and not cut by the border, with the loose strokes
next to it (a 5's bar, a pencil's gaps). Specks, shadows at the edge and the sheet's own edge are left out.

Several digits: each component that is no speck, with the loose strokes next to it, once the ruled lines are gone. What
else is written there is among them: only a network can tell a letter from a digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.data.normalise import median

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]  # x, y, width, height

SMALLEST = 0.04  # of the picture's longer side: a speck is smaller
STROKE_SHARE = 0.03  # of the main component's area: a loose stroke has as much
REACH = 0.2  # of the main component's longer side: a loose stroke is as near

# Of several: shares of the usual digit's longer side.
WRITTEN = 0.03  # of the picture's longer side: what tells the usual size is as large
LOOSE = 0.6  # smaller ones may be a loose stroke of a larger one
CRACK = 0.06  # so near, two large ones are one broken in two
LEAST = 0.35  # smaller ones, left over, are commas and dots
SAME_ROW = 0.4  # of the lower one's height: neighbours in a row stand beside each other by as much

# Two that touch: shares of the strokes' height, and of their width.
WIDE = 1.05  # narrower ones are one digit
MIDDLE = 0.2  # no digit is narrower than that part of a pair
CUTS = 4  # ways to part them that are looked at

RULE_SPAN = 0.9  # of the picture: a ruled line reaches as far
RULE_RUN = 1 / 16  # of the picture: no slope of the sheet breaks a line into shorter runs
RULE_WIDTH = 0.01  # of the picture's longer side: a ruled line is thinner


@dataclass(frozen=True, kw_only=True)
class Region:
    """The strokes of one digit: `mask` bool [h, w] cut to their box, and the box's corner in the picture."""

    mask: Mask
    x: int
    y: int

    @property
    def box(self) -> Box:
        """x, y, width, height."""
        height, width = self.mask.shape
        return self.x, self.y, width, height


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
    _, labels, stats, centres = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask.astype(np.uint8), 8, cv2.CV_32S, cv2.CCL_BBDT
    )  # Grana et al. 2010: with statistics, a third of the time that OpenCV's default takes
    found = stats[1:].astype(np.int32)  # the first is the background
    return Components(
        labels=np.asarray(labels, np.int32),
        boxes=found[:, :4],
        areas=found[:, 4],
        centres=np.asarray(centres[1:], np.float64),
    )


def several(mask: Mask, *, smallest: float) -> list[list[Region]]:
    """What may be digits, at least `smallest` pixels long, in rows from the top, each from left to right."""
    parts = components(without_rules(mask))
    large = parts.extents >= max(smallest, WRITTEN * max(mask.shape))
    if not large.any():
        return []
    whole_ones = large & ~parts.cut
    usual = median(parts.extents[whole_ones if whole_ones.any() else large])
    owners = joined(parts, usual, smallest=smallest)
    main_ones = np.flatnonzero(owners == np.arange(len(owners)))
    main_ones = main_ones[parts.extents[main_ones] >= LEAST * usual]
    whole = main_ones[~parts.cut[main_ones]]
    regions = [together(parts, owners == at) for at in (whole if whole.size else main_ones)]
    return [[regions[at] for at in row] for row in in_rows([region.box for region in regions])]


def joined(parts: Components, usual: float, *, smallest: float) -> NDArray[np.intp]:
    """For each component the one it belongs to, itself or one larger; -1 for specks. `usual` is a digit's size."""
    extents = parts.extents
    owners = np.where(extents >= smallest, np.arange(len(extents)), -1)
    by_size = np.flatnonzero(owners >= 0)[np.argsort(extents[owners >= 0], kind="stable")]
    for at, part in enumerate(by_size):
        larger = by_size[at + 1 :][extents[by_size[at + 1 :]] < 3 * usual]
        if larger.size:
            loose = extents[part] < LOOSE * usual
            reach = REACH * extents[larger] + 1 if loose else np.full(larger.size, CRACK * usual)
            beyond = gaps(parts.boxes[larger], parts.boxes[part]) - reach
            if beyond.min() <= 0:
                owners[part] = larger[beyond.argmin()]
    for part in by_size[::-1]:  # the largest first: whom a stroke belongs to may belong to another
        owners[part] = owners[owners[part]]
    return owners


def together(parts: Components, chosen: NDArray[np.bool_]) -> Region:
    """The strokes of the chosen components, as one region."""
    start = parts.boxes[chosen, :2].min(axis=0)
    end = (parts.boxes[chosen, :2] + parts.boxes[chosen, 2:]).max(axis=0)
    labels = parts.labels[start[1] : end[1], start[0] : end[0]]
    return Region(mask=np.isin(labels, np.flatnonzero(chosen) + 1), x=int(start[0]), y=int(start[1]))


def in_rows(boxes: Sequence[Box]) -> list[list[int]]:
    """Indices of boxes in reading order, a list a row. Each is beside the last of its row: a row may climb or fall."""
    rows: list[list[int]] = []
    for at in sorted(range(len(boxes)), key=lambda at: boxes[at][0]):
        shared = [beside(boxes[row[-1]], boxes[at]) for row in rows]
        if shared and max(shared) > SAME_ROW:
            rows[int(np.argmax(shared))].append(at)
        else:
            rows.append([at])
    return sorted(rows, key=lambda row: float(np.mean([boxes[at][1] + boxes[at][3] / 2 for at in row])))


def beside(one: Box, other: Box) -> float:
    """How much of the lower one's height the two stand beside each other; negative where one is above."""
    (_, y, _, height), (_, others_y, _, others) = one, other
    return (min(y + height, others_y + others) - max(y, others_y)) / min(height, others)


def cuts(mask: Mask) -> list[tuple[Region, Region]]:
    """The likeliest ways to part strokes, bool [h, w], in a left and a right digit: upright, where the ink is thinnest.

    None for strokes too narrow to be two digits.
    """
    height, width = mask.shape
    if width < WIDE * height or width < 2 * CUTS:
        return []
    ink = cv2.blur(mask.sum(axis=0, dtype=np.float32)[None], (max(3, width // 20) | 1, 1))[0]
    first, last = int(MIDDLE * width), int((1 - MIDDLE) * width)
    columns = np.arange(first, last)
    apart = max(1, width // 12)
    chosen: list[int] = []
    for column in columns[np.argsort(ink[first:last], kind="stable")].tolist():
        if all(abs(column - other) >= apart for other in chosen):
            chosen.append(column)
    halves = [(cut_out(mask[:, :column]), cut_out(mask[:, column:]), column) for column in chosen[:CUTS]]
    return [(left, replace(right, x=right.x + column)) for left, right, column in halves]


def without_rules(mask: Mask) -> Mask:
    """The mask without the lines of ruled or squared paper; strokes that cross them stay whole.

    As staff lines are taken out of scanned music (Dalitz et al. 2008): of a line that reaches through the picture, all
    goes that is no thicker than the line.
    """
    return unruled(unruled(mask).T).T


def unruled(mask: Mask) -> Mask:
    """The mask without its horizontal lines."""
    height, width = mask.shape
    ink = mask.view(np.uint8)
    if cv2.reduce(ink, 0, cv2.REDUCE_MAX).mean() < RULE_SPAN / 2:  # no line passes through the columns without ink
        return mask
    run = max(8, round(RULE_RUN * width))
    runs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    if cv2.reduce(runs, 0, cv2.REDUCE_MAX).mean() < RULE_SPAN / 2:  # nearly always, and quickly told
        return mask
    chains = components(cv2.dilate(runs, np.ones((3, run), np.uint8)) > 0)
    long = np.flatnonzero(chains.boxes[:, 2] >= RULE_SPAN * width)
    if not long.size:
        return mask
    on_line = np.isin(chains.labels, long + 1)
    thick = max(2, round(RULE_WIDTH * max(height, width)))
    strokes = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((thick + 1, 1), np.uint8)) > 0
    return mask & (strokes | ~on_line)


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
