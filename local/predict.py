"""Pictures -> digits: cuts the glyphs out of each picture and lets a model name them.

    reader = Reader(models.open_runtime(model))
    reading = reader.read(picture.read(path))
    reading.text, reading.digits[0].confidence          # "0123|45", …

What the model is not sure of is rejected, and said where it is. Needs numpy, OpenCV and the model's runtime, no
training framework.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local import runtimes
from local.vision import glyphs, picture
from shared.errors import PictureError
from shared.metrics import softmax

SURE = 0.5  # probability; below it, something is called no digit rather than a wrong one
DIGITS = 10  # classes; one more in a model is for what is no digit


@dataclass(frozen=True, kw_only=True)
class Digit:
    """A digit that was read: its class, the model's probability for it and for the ten classes, and where it is."""

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    box: glyphs.Box

    def as_dict(self, *, probabilities: bool = False) -> dict[str, Any]:
        """What `k2l predict --json` prints of it."""
        facts: dict[str, Any] = {"digit": self.digit, "confidence": self.confidence, "box": list(self.box)}
        return facts | {"probabilities": list(self.probabilities)} if probabilities else facts

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

    def as_dict(self, *, probabilities: bool = False) -> dict[str, Any]:
        """What `k2l predict --json` prints of a picture, less its file."""
        digits = [digit.as_dict(probabilities=probabilities) for digit in self.digits]
        return {"text": self.text, "digits": digits, "rejected": [one.as_rejected() for one in self.rejected]}


@dataclass(frozen=True)
class Reader:
    """A model that reads pictures, loaded once for all of them. `sure`: the least probability of a digit."""

    runtime: runtimes.Runtime
    sure: float = SURE

    def read(self, grey: picture.Grey, *, single: bool = False) -> Reading:
        """The digits in a picture uint8 [h, w]; with `single` it is one digit, or none."""
        if single:
            only = glyphs.single(grey)
            found = [[only]] if only else []
        else:
            found = glyphs.several(grey)
        if not found:
            return Reading()
        logits = self.runtime.logits(np.stack([glyph.image for row in found for glyph in row]))
        named = iter(softmax(logits))
        rows = [[digit_of(next(named), glyph.box) for glyph in row] for row in found]
        digits = (tuple(one for one in row if one.confidence >= self.sure) for row in rows)
        return Reading(
            rows=tuple(row for row in digits if row),
            rejected=tuple(one for row in rows for one in row if one.confidence < self.sure),
        )


def digit_of(probabilities_k: NDArray[np.float64], box: glyphs.Box) -> Digit:
    """The likeliest digit of one glyph."""
    shares = tuple(round(float(share), 6) for share in probabilities_k[:DIGITS])
    best = max(range(len(shares)), key=shares.__getitem__)
    return Digit(digit=best, confidence=shares[best], probabilities=shares, box=box)


def pictures(names: Iterable[str]) -> list[Path]:
    """The picture files meant by names of files, folders and glob patterns, in their order, none twice.

    Raises PictureError for a folder without pictures and a pattern without matches. A file is taken as it is named;
    whether it is there and a picture is found out on reading it.
    """
    return list(dict.fromkeys(path for name in names for path in _expand(name)))


def _expand(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        found = sorted(child for child in path.iterdir() if child.suffix.lower() in picture.SUFFIXES)
        if not found:
            raise PictureError(f"{name}: no pictures in this folder (looked for {' '.join(picture.SUFFIXES)})")
        return found
    if path.exists() or not set(name) & set("*?["):
        return [path]
    matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not matches:
        raise PictureError(f"{name}: no file matches this pattern")
    return [match for match in matches if match.is_file()]
