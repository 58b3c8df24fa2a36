"""Pictures -> digits: cuts the glyph out of each picture and lets a model name it.

    reader = Reader(models.open_runtime(model))
    reading = reader.read(picture.read(path))
    reading.text, reading.digits[0].confidence

One digit a picture, or none on a blank page. Needs numpy, OpenCV and the model's runtime, no training framework.
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


@dataclass(frozen=True, kw_only=True)
class Digit:
    """A digit that was read: its class, the model's probability for it and for all classes, and where it is."""

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    box: glyphs.Box

    def as_dict(self, *, probabilities: bool = False) -> dict[str, Any]:
        """What `k2l predict --json` prints of it."""
        facts: dict[str, Any] = {"digit": self.digit, "confidence": self.confidence, "box": list(self.box)}
        return facts | {"probabilities": list(self.probabilities)} if probabilities else facts


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a picture says: its digits in reading order."""

    digits: tuple[Digit, ...] = ()

    @property
    def text(self) -> str:
        """The digits alone; "" for a blank page."""
        return "".join(str(digit.digit) for digit in self.digits)

    def as_dict(self, *, probabilities: bool = False) -> dict[str, Any]:
        """What `k2l predict --json` prints of a picture, less its file. Nothing is rejected yet."""
        digits = [digit.as_dict(probabilities=probabilities) for digit in self.digits]
        return {"text": self.text, "digits": digits, "rejected": []}


@dataclass(frozen=True)
class Reader:
    """A model that reads pictures; one for all of them, the model is loaded once."""

    runtime: runtimes.Runtime

    def read(self, grey: picture.Grey) -> Reading:
        """The digit in a picture uint8 [h, w]."""
        glyph = glyphs.single(grey)
        if glyph is None:
            return Reading()
        probabilities = softmax(self.runtime.logits(glyph.image[np.newaxis]))[0]
        return Reading(digits=(digit_of(probabilities, glyph.box),))


def digit_of(probabilities_k: NDArray[np.float64], box: glyphs.Box) -> Digit:
    """The likeliest class of one glyph."""
    best = int(probabilities_k.argmax())
    shares = tuple(round(float(share), 6) for share in probabilities_k)
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
