"""Where the sheet of paper lies in a picture that shows more: a desk around it, or the room it is held up in.

    lying = find(grey)                    # Sheet(box, cover, paper), or None: no sheet, or nothing beside it
    page = lying.alone(cut)               # the picture cut to the box, with paper where anything else was

A sheet is plain once its strokes are closed over (Serra 1982), ends where the light jumps, as extremal regions do
(Matas et al. 2002), is lighter than what is around it (darker, if the ink is light), has few and straight sides
(Douglas and Peucker 1973), and is written on. A shadow across a page has such an edge too, but the same hand wrote
beyond it: both sides are then the page, if together they have a sheet's shape. In doubt the picture stays as it is.

All of this is decided on a small copy of the picture, in a third of a millisecond where the page fills it. No digit is
read here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from local.pictures.picture import Grey
from shared.data.normalise import median

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]

COPY_SIDE = 160  # pixels of the copy's longer side; a picture no larger is all sheet
NARROWEST = 40  # pixels of its shorter side

# A region of the copy:
STROKE = 5  # pixels: thinner strokes do not part it
EDGES = 0.1, 0.2  # of the light: where it jumps by as much, a region ends; the weaker edges may part a sheet too
LEAST_EDGE = 8  # grey levels: a smaller jump is grain
LEAST, MOST = 0.06, 0.97  # of the picture: a sheet's share
SMOOTH = 9  # pixels: what is narrower and hangs on to the sheet is none of it
CONVEX, WHOLE = 0.85, 0.97  # of the hull: a sheet, which a hand may cover in part; two parts of one
CORNER = 0.025  # of the way round: a straight side bends less
BORDER = 2  # pixels: a side so near is the picture's own
LIGHTER = 1.05  # times what is around

# What is written on it:
INKED = 0.12  # of the paper's light: ink is darker by as much
MOST_INK = 0.35  # of the sheet
WRITTEN = 4  # pixels: a digit is longer
THICK = 11  # pixels: no stroke is wider
BEYOND = 3  # pixels of a stroke on the other side of an edge
ALIKE, TONE = 2.5, 0.2  # times the length, and of the light: the same hand and pen
PART = 0.01  # of the picture: a smaller region is no part of a page


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A sheet in a picture: `box` is its x, y, width, height in the picture's pixels.

    `cover` and `paper`, uint8 [h, w], are of a small copy of what is in the box: 255 where the sheet is, and the shade
    of its paper, there and as it would go on beside the sheet.
    """

    box: tuple[int, int, int, int]
    cover: Grey
    paper: Grey

    def alone(self, cut: Grey) -> Grey:
        """The picture cut to the box, at whatever scale, with nothing but the sheet in it."""
        size = cut.shape[1], cut.shape[0]
        paper = cv2.resize(self.paper, size, interpolation=cv2.INTER_LINEAR)
        cover = cv2.resize(self.cover, size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.copyTo(cut, (cover > 127).view(np.uint8), paper), np.uint8)


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The plain regions of a small copy: `labels` [h, w] from 1, 0 on the edges between them, and their `areas` from 0.

    `light` uint8 [h, w] is the copy, turned so that ink is dark, and `closed` the same without its strokes.
    """

    light: Grey
    closed: Grey
    labels: Ints
    areas: Ints


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A region shaped like a sheet.

    `cover` is the region with its holes filled, `free` how many of its sides end within the picture, `score` how much
    it stands out.
    """

    plain: Plain
    region: Mask
    cover: Mask
    free: int
    score: float


@dataclass(frozen=True, kw_only=True)
class Strokes:
    """What is narrow and dark in a copy: `labels` [h, w] from 1, and which are `beyond` a piece, by the same hand."""

    labels: Ints
    beyond: Mask
    own: bool  # whether any is on the piece


def find(grey: Grey) -> Sheet | None:
    """The sheet in a picture uint8 [h, w]; None where there is none to be seen, or nothing else."""
    height, width = grey.shape
    factor = COPY_SIDE / max(height, width)
    size = round(width * factor), round(height * factor)
    if factor >= 1 or min(size) < NARROWEST:
        return None
    small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    for light in (small, 255 - small):
        views = list(regions(light))
        if any(plain.areas.max() > MOST * small.size for plain in views):
            return None
        found = [piece for plain in views for piece in pieces(plain)]
        best = next((piece for piece in sorted(found, key=lambda one: -one.score) if _outermost(piece, found)), None)
        if best is not None:
            lying = whole(best)
            return None if lying is None else cut_out(lying, grey.shape, turned=light is not small)
    return None


def regions(light: Grey) -> Iterator[Plain]:
    """The plain regions of a small copy with dark ink, uint8 [h, w], between strong edges and between weaker ones."""
    closed = _closed(light, STROKE)
    top = cv2.dilate(closed, _square(3))
    jump = cv2.subtract(top, cv2.erode(closed, _square(3)))
    for edge in EDGES:
        mask = cv2.compare(jump, np.maximum(edge * top, LEAST_EDGE).astype(np.uint8), cv2.CMP_LE)
        _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 4, cv2.CV_32S, cv2.CCL_DEFAULT)
        areas = stats[:, 4].astype(np.int32)
        areas[0] = 0  # the edges
        yield Plain(light=light, closed=closed, labels=np.asarray(labels, np.int32), areas=areas)


def pieces(plain: Plain) -> Iterator[Piece]:
    """Those of the regions that have a sheet's shape, or have it once what hangs on to them is gone."""
    for at in np.flatnonzero(plain.areas > LEAST / 2 * plain.labels.size):
        region = plain.labels == at
        piece = shaped(plain, region) or shaped(plain, _smoothed(region, cv2.MORPH_OPEN))
        if piece is not None:
            yield piece


def shaped(plain: Plain, region: Mask, convex: float = CONVEX) -> Piece | None:
    """A region bool [h, w] as a piece, where it is large, convex, straight and lighter than what is around it."""
    outline = max(_outlines(region), key=cv2.contourArea, default=None)
    if outline is None:
        return None
    area, hull = cv2.contourArea(outline), cv2.convexHull(outline)
    if area < LEAST * region.size or area < convex * cv2.contourArea(hull):
        return None
    corners = cv2.approxPolyDP(hull, CORNER * cv2.arcLength(hull, True), True)
    free = free_sides(corners.reshape(-1, 2), region.shape)
    if not 1 <= free <= 4:
        return None
    cover = _filled([outline], region.shape)
    rim = cv2.dilate(cover, _square(9)) - cv2.dilate(cover, _square(5))
    paper, around = (cv2.mean(plain.light, where)[0] for where in (region.view(np.uint8), rim))
    if paper < LIGHTER * around:
        return None
    return Piece(plain=plain, region=region, cover=cover > 0, free=free, score=area * (paper - around))


def free_sides(corners: NDArray[np.generic], shape: tuple[int, ...]) -> int:
    """How many sides of a polygon, corners [n, 2] as x, y, are none of the picture's own border."""
    ends, last = np.asarray(corners, np.int32), np.array(shape[::-1]) - 1
    following = np.roll(ends, -1, axis=0)
    before = (ends <= BORDER) & (following <= BORDER)
    after = (ends >= last - BORDER) & (following >= last - BORDER)
    return int((~(before | after).any(axis=1)).sum())


def _outermost(piece: Piece, others: list[Piece]) -> bool:
    """Whether it is written on, and is not the desk that the sheet lies on."""

    def within(one: Piece) -> bool:
        return float((piece.cover & ~piece.region)[one.cover].mean()) > 0.5

    return inked(piece) and not any(within(one) and inked(one) for one in others)


def inked(piece: Piece) -> bool:
    """Whether something is written there, away from the rim, and not so much that it is no writing."""
    ink = darker(piece.plain, piece.region, piece.cover)
    if ink.sum() > MOST_INK * piece.cover.sum():
        return False
    _, stats = _components(ink & _inner(piece.cover, SMOOTH))
    return bool(stats[1:, 2:4].max(initial=0) >= WRITTEN)


def darker(plain: Plain, region: Mask, ground: Mask) -> Mask:
    """Where a ground bool [h, w] is darker than the plain region around there."""
    weight, window = region.astype(np.float32), (COPY_SIDE // 4 | 1,) * 2
    paper = cv2.blur(weight * plain.closed, window) / np.maximum(cv2.blur(weight, window), 1e-6)
    return np.asarray((plain.light < (1 - INKED) * paper - LEAST_EDGE / 2) & ground)


def strokes_of(piece: Piece) -> Strokes:
    """What may be written in the piece's picture, wherever."""
    light, outline = piece.plain.light, max(_outlines(piece.cover), key=len)
    hull = _filled([np.asarray(cv2.convexHull(outline), np.int32)], light.shape)
    wide = _closed(light, THICK)
    labels, stats = _components(cv2.subtract(wide, light) > np.maximum(LEAST_EDGE / 2, INKED * wide))
    count, areas, lengths = len(stats), stats[:, 4], stats[:, 2:4].max(axis=1)
    tones = np.bincount(labels.ravel(), weights=(light / np.maximum(wide, 1)).ravel(), minlength=count) / areas
    inside = np.bincount(labels[_inner(hull, STROKE)], minlength=count)
    outside = np.bincount(labels[cv2.dilate(hull, _square(STROKE)) == 0], minlength=count)
    written = (lengths >= WRITTEN) & (np.arange(count) > 0)
    own = written & (inside > areas / 2)
    if not own.any():
        return Strokes(labels=labels, beyond=np.zeros(count, bool), own=False)
    length, tone = median(lengths[own]), median(tones[own])
    alike = written & (lengths > length / ALIKE) & (lengths < length * ALIKE) & (np.abs(tones - tone) < TONE)
    return Strokes(labels=labels, beyond=alike & (outside >= BEYOND), own=True)


def whole(piece: Piece) -> Piece | None:
    """The piece with what of the sheet lies in another light, and less what lies over its rim.

    None for what may be a part of a page in the sun or in shadow: where at most a corner of it is seen, and the same
    hand wrote beyond it, or nobody knows whether it did.
    """
    plain, strokes, grown = piece.plain, strokes_of(piece), piece
    if piece.free < 3 and not strokes.own:
        return None
    parts = plain.areas > (PART * plain.labels.size if strokes.beyond.any() else plain.labels.size)
    for at in np.flatnonzero(parts):
        part = (plain.labels == at) & ~piece.cover  # a region may leak past the sheet
        if part.sum() < PART * part.size:
            continue
        ground = _filled(_outlines(part), part.shape).view(bool) & ~grown.cover
        if strokes.beyond[strokes.labels[darker(plain, part, ground)]].any():
            if piece.free < 3:
                return None
            both = shaped(plain, _smoothed(grown.cover | ground, cv2.MORPH_CLOSE), WHOLE)
            grown = replace(grown, cover=both.cover, region=grown.region | part) if both else grown
    cover = without_rim(_smoothed(grown.cover, cv2.MORPH_OPEN), strokes)
    return replace(grown, cover=cover, region=grown.region & cover)


def without_rim(cover: Mask, strokes: Strokes) -> Mask:
    """The cover bool [h, w] without what lies over its rim, such as fingers; a ruled sheet's lines are thinner."""
    thick = cv2.morphologyEx(((strokes.labels > 0) & cover).view(np.uint8), cv2.MORPH_OPEN, _square(3))
    labels, stats = _components(thick > 0)
    over = np.zeros(len(stats), bool)
    over[labels[cover & (cv2.erode(cover.view(np.uint8), _square(3)) == 0)]] = True
    over[0] = False
    return np.asarray(cover & (cv2.dilate(over[labels].view(np.uint8), _square(5)) == 0))


def cut_out(piece: Piece, shape: tuple[int, ...], *, turned: bool) -> Sheet | None:
    """The sheet that a piece is, in a picture [h, w]; None where nothing else is left. `turned`: its paper is dark."""
    inner, core = _inner(piece.cover, 3), _inner(piece.region, 3)
    if piece.cover.mean() > (1 + MOST) / 2 or not core.any():
        return None
    paper = cv2.GaussianBlur(_spread(piece.plain.closed, core), (0, 0), 2)
    x, y, width, height = cv2.boundingRect(inner.view(np.uint8))
    (tall, wide), margin = inner.shape, 2  # so that no ink touches the border
    left, top, right, bottom = max(0, x - margin), max(0, y - margin), x + width + margin, y + height + margin
    across = [round(at * shape[1] / wide) for at in (left, min(wide, right))]
    down = [round(at * shape[0] / tall) for at in (top, min(tall, bottom))]
    return Sheet(
        box=(across[0], down[0], across[1] - across[0], down[1] - down[0]),
        cover=255 * inner[top:bottom, left:right].astype(np.uint8),
        paper=np.asarray((255 - paper if turned else paper)[top:bottom, left:right], np.uint8),
    )


def _spread(values: Grey, where: Mask) -> Grey:
    """The values uint8 [h, w], and outside of `where` that of the nearest pixel inside."""
    _, labels = cv2.distanceTransformWithLabels((~where).view(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    kept = np.zeros(labels.max() + 1, np.uint8)
    kept[labels[where]] = values[where]
    return np.asarray(kept[labels])


def _square(side: int) -> Bytes:
    return np.ones((side, side), np.uint8)


def _closed(light: Grey, side: int) -> Grey:
    """The copy without what is dark and narrower than so many pixels; a dark border is not narrow: it goes on."""
    wide = cv2.copyMakeBorder(light, side, side, side, side, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.morphologyEx(wide, cv2.MORPH_CLOSE, _square(side))[side:-side, side:-side], np.uint8)


def _smoothed(mask: Mask, how: int) -> Mask:
    """The mask opened, or closed, as if it went on beyond the border."""
    wide = cv2.copyMakeBorder(mask.view(np.uint8), SMOOTH, SMOOTH, SMOOTH, SMOOTH, cv2.BORDER_REPLICATE)
    return cv2.morphologyEx(wide, how, _square(SMOOTH))[SMOOTH:-SMOOTH, SMOOTH:-SMOOTH] > 0


def _inner(mask: NDArray[np.generic], side: int) -> Mask:
    """The mask less its rim, which the picture's border is not."""
    plane = mask.view(np.uint8)
    return cv2.erode(plane, _square(side), borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0


def _outlines(mask: Mask) -> list[NDArray[np.int32]]:
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [np.asarray(contour, np.int32) for contour in contours]


def _filled(outlines: list[NDArray[np.int32]], shape: tuple[int, ...]) -> Bytes:
    plane = np.zeros(shape, np.uint8)
    cv2.fillPoly(plane, outlines, 1)
    return plane


def _components(mask: Mask) -> tuple[Ints, Ints]:
    """Labels [h, w] from 1, and for each from 0 its box and area [n, 5]."""
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask.view(np.uint8), 8, cv2.CV_32S, cv2.CCL_BBDT
    )
    return np.asarray(labels, np.int32), np.asarray(stats, np.int32)
