"""Pictures -> digits: cuts the glyphs out of each picture and lets a model name them.

    reader = Reader(models.open_runtime(model))
    reading = reader.read(picture.read(path))
    reading.text, reading.digits[0].confidence          # "0123|45", …

What the model is not sure of is rejected, and said where it is. Needs numpy, OpenCV and the model's runtime, no
training framework.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.digits import glyphs
from local.models.registry import SURE
from local.pictures import picture
from local.runtimes import loading
from shared.core.errors import ModelError
from shared.data.registry import DIGITS, GLYPH
from shared.training.metrics import softmax

SURE_PIECES = 0.9  # of each of two digits that touch: half an H is nearly a 1
WORD = 4  # signs; in a shorter row, what is not sure says nothing about the others


@dataclass(frozen=True, kw_only=True)
class Digit:
    """A digit that was read: its class, the model's probability for it and for the ten classes, and its glyph."""

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    glyph: glyphs.Glyph

    @property
    def box(self) -> glyphs.Box:
        """Where it is: x, y, width, height in the picture's pixels."""
        return self.glyph.box

    def as_dict(self, *, probabilities: bool = False, top: int = 1) -> dict[str, Any]:
        """What `k2l predict --json` prints of it; `top` of its likeliest classes, where that is more than one."""
        facts: dict[str, Any] = {"digit": self.digit, "confidence": self.confidence, "box": list(self.box)}
        if top > 1:
            likeliest = sorted(enumerate(self.probabilities), key=lambda one: -one[1])[:top]
            facts["top"] = [{"digit": label, "confidence": share} for label, share in likeliest]
        if probabilities:
            facts["probabilities"] = list(self.probabilities)
        return facts

    def as_rejected(self) -> dict[str, Any]:
        """What is printed of it where it is none."""
        return {"box": list(self.box), "confidence": self.confidence}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a picture says: its rows of digits in reading order, and what was taken for no digit."""

    rows: tuple[tuple[Digit, ...], ...] = ()
    rejected: tuple[Digit, ...] = ()

    @property
    def digits(self) -> tuple[Digit, ...]:
        """Those of all rows."""
        return tuple(digit for row in self.rows for digit in row)

    @property
    def text(self) -> str:
        """The digits alone, rows parted by "|"; "" for a blank page."""
        return "|".join("".join(str(digit.digit) for digit in row) for row in self.rows)

    def as_dict(self, *, probabilities: bool = False, top: int = 1) -> dict[str, Any]:
        """What `k2l predict --json` prints of a picture, less its file."""
        digits = [digit.as_dict(probabilities=probabilities, top=top) for digit in self.digits]
        return {"text": self.text, "digits": digits, "rejected": [one.as_rejected() for one in self.rejected]}


@dataclass(frozen=True)
class Reader:
    """A model that reads pictures, loaded once for all of them. `sure`: the least probability of a digit.

    Raises ModelError for a network of other images than glyphs.
    """

    runtime: loading.Runtime
    sure: float = SURE

    def __post_init__(self) -> None:
        if (self.runtime.spec.resize, self.runtime.spec.shape) != (GLYPH.resize, GLYPH.shape):
            raise ModelError(
                f"this network takes {self.runtime.spec} pictures, and digits are read by one of {GLYPH} glyphs: "
                "name a model that was trained on digits."
            )

    def read(self, grey: picture.Grey, *, single: bool = False) -> Reading:
        """The digits in a picture uint8 [h, w]; with `single` it is one digit, or none."""
        if single:
            only = glyphs.single(grey)
            rows = [self._named([only])] if only else []
        else:
            found = glyphs.several(grey)
            named = iter(self._named([glyph for row in found for glyph in row]))
            rows = [[piece for _ in row for piece in self._pieces(next(named))] for row in found]
        digits: list[tuple[Digit, ...]] = []
        rejected: list[Digit] = []
        for row in rows:
            kept = () if self._is_text(row) else tuple(filter(self._sure, row))
            digits += [kept] if kept else []
            rejected += [one for one in row if not (kept and self._sure(one))]
        return Reading(rows=tuple(digits), rejected=tuple(rejected))

    def _is_text(self, row: Sequence[Digit]) -> bool:
        """Whether a row is words, in which an O is no 0: it is long, and more of it is no digit than is one."""
        return len(row) >= WORD and 2 * sum(map(self._sure, row)) < len(row)

    def _sure(self, digit: Digit) -> bool:
        return digit.confidence >= self.sure

    def _named(self, found: Sequence[glyphs.Glyph]) -> list[Digit]:
        """Each glyph with what the model says of it."""
        if not found:
            return []
        probabilities = softmax(self.runtime.logits(np.stack([glyph.image for glyph in found])))
        return [digit_of(shares, glyph) for shares, glyph in zip(probabilities, found, strict=True)]

    def _pieces(self, digit: Digit) -> list[Digit]:
        """The digits that one not sure of is made of, where they touch and each is surely one; else itself."""
        pairs = [] if self._sure(digit) else glyphs.parted(digit.glyph)
        if not pairs:
            return [digit]
        named = self._named([glyph for pair in pairs for glyph in pair])
        left, right = max(
            zip(named[::2], named[1::2], strict=True), key=lambda pair: sum(one.confidence for one in pair)
        )
        pieces = [*self._pieces(left), *self._pieces(right)]
        sure = max(self.sure, SURE_PIECES)
        return pieces if all(piece.confidence >= sure for piece in pieces) else [digit]


def digit_of(probabilities_k: NDArray[np.float64], glyph: glyphs.Glyph) -> Digit:
    """The likeliest digit of one glyph."""
    shares = tuple(
        round(float(share), 6) for share in probabilities_k[: len(DIGITS)]
    )  # one more class is for what is no digit
    best = max(range(len(shares)), key=shares.__getitem__)
    return Digit(digit=best, confidence=shares[best], probabilities=shares, glyph=glyph)
