"""Readings of frame after frame -> digits that stay: each one followed, its label smoothed.

    tracker = Tracker(sure=0.5)
    reading = tracker.follow(reader.read(grey))       # the same kind of Reading, steadier

A pen's shadow or a blurred frame changes an answer for a moment. Each glyph is taken for the one that was nearest to
it in the frame before, and its probabilities are averaged over time (an exponential mean).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from local.digits import segment
from local.digits.glyphs import Box
from local.digits.reader import Digit, Reading

WEIGHT = 0.35  # of the newest frame in the mean
NEAR = 0.6  # of the longer side: what is farther away is another one
MISSED = 3  # frames without it, after which a digit is gone
SEEN = 2  # frames with it, before which it is not there yet
LINGERS = 6  # frames for which one that is shown may be refused
KEPT = 0.7  # of the least probability: one that is shown stays until it is below that


@dataclass(kw_only=True)
class Track:
    """One glyph through time: the last one seen of it, its mean probabilities, and whether it is shown as a digit.

    `refused` counts the frames since the reader took it for a digit: it may have other reasons than a probability.
    """

    last: Digit
    shares: NDArray[np.float64]
    seen: int = 1
    missed: int = 0
    refused: int = 0
    shown: bool = False

    def met(self, digit: Digit, *, taken: bool, sure: float) -> None:
        """It is there again, and was taken for a digit or not."""
        self.last, self.missed, self.seen = digit, 0, self.seen + 1
        self.refused = 0 if taken else self.refused + 1
        self.shares = WEIGHT * np.array(digit.probabilities) + (1 - WEIGHT) * self.shares
        mean = float(self.shares.max())
        if self.shown:
            self.shown = mean >= KEPT * sure and self.refused <= LINGERS
        else:
            self.shown = taken and self.seen >= SEEN and mean >= sure

    def as_digit(self) -> Digit:
        """What is to be said of it."""
        best = int(self.shares.argmax())
        shares = tuple(round(float(share), 6) for share in self.shares)
        return replace(self.last, digit=best, confidence=shares[best], probabilities=shares)


class Tracker:
    """Follows the glyphs of a film or a camera. `sure`: the least probability of a digit."""

    def __init__(self, sure: float) -> None:
        self.sure = sure
        self.tracks: list[Track] = []

    def follow(self, reading: Reading) -> Reading:
        """The reading of the next frame, smoothed."""
        found = [*reading.digits, *reading.rejected]
        old = self.tracks
        pairs = nearest([track.last.box for track in old], [digit.box for digit in found])
        for one, other in pairs:
            old[one].met(found[other], taken=other < len(reading.digits), sure=self.sure)
        missing = set(range(len(old))) - {one for one, _ in pairs}
        for at in missing:
            old[at].missed += 1
        new = set(range(len(found))) - {other for _, other in pairs}
        self.tracks = [track for track in old if track.missed <= MISSED]
        self.tracks += [Track(last=found[at], shares=np.array(found[at].probabilities)) for at in sorted(new)]
        return self._reading()

    def _reading(self) -> Reading:
        shown = [track.as_digit() for track in self.tracks if track.shown]
        rows = segment.in_rows([digit.box for digit in shown])
        others = tuple(track.as_digit() for track in self.tracks if not track.shown and not track.missed)
        return Reading(rows=tuple(tuple(shown[at] for at in row) for row in rows), rejected=others)


def nearest(old: list[Box], new: list[Box]) -> list[tuple[int, int]]:
    """Which of the old boxes each new one is: pairs of indices, the nearest first, each box once, none too far."""
    if not old or not new:
        return []
    (before, tall), (now, _) = _middles(old), _middles(new)
    apart = np.hypot(*np.moveaxis(before[:, None] - now[None], -1, 0)) / (NEAR * tall[:, None])
    pairs: list[tuple[int, int]] = []
    for at in np.argsort(apart, axis=None, kind="stable"):
        one, other = (int(index) for index in np.unravel_index(at, apart.shape))
        if apart[one, other] > 1:
            break
        if all(one != first and other != second for first, second in pairs):
            pairs.append((one, other))
    return pairs


def _middles(boxes: list[Box]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres [n, 2] and longer sides [n]."""
    array = np.array(boxes, np.float64)
    return array[:, :2] + array[:, 2:] / 2, array[:, 2:].max(axis=1)
