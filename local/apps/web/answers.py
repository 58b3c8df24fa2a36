"""One picture, every file of a network: what each says, side by side, and how long it takes.

    networks = Networks()
    seen = networks.read("camera", grey, bgr, single=True)   # a picture that `local.pictures.picture` decoded
    seen.text, seen.digits[0].glyph.image                    # as `k2l predict` reads it
    seen.answers[1].milliseconds, seen.answers[1].shares[0]  # the int8 file: its time, its probabilities

A file is loaded when its network is first asked, and kept. Knows nothing of a browser.
"""

import statistics
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from local.digits import overlay
from local.digits.reader import Digit, Reader, Reading
from local.evaluation.benchmark import timed
from local.model_files import formats
from local.models import registry
from local.pictures import picture
from local.runtimes import loading
from shared.training.metrics import softmax

LIGHT = (".onnx", ".tflite")  # suffixes of what runs without a training framework
FULL = "fp32"
SMALLER = ("int8", "float16")
WARM_UP, CALLS = 3, 9  # calls before the timed ones, and those
Shares = tuple[float, ...]  # a probability a class


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one file says: its own reading, and `shares`, its probabilities of each of the digits shown.

    They are ten, one a digit, and an eleventh where the network has a class for what is none.

    `milliseconds` is the median time of one digit on one thread, warm-up left out; None where there was none.
    """

    file: str
    precision: str
    runtime: str
    bytes: int
    reading: Reading
    shares: tuple[Shares, ...]
    milliseconds: float | None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A picture and what a network's files say of it, the float one first.

    `bgr` uint8 [h, w, 3] is the picture as it is shown, `factor` how much smaller than what was read.
    """

    model: str
    bgr: picture.Colour
    factor: float
    answers: tuple[Answer, ...]

    @property
    def reading(self) -> Reading:
        """The first file's."""
        return self.answers[0].reading

    @property
    def text(self) -> str:
        """The digits, rows parted by "|"."""
        return self.reading.text

    @property
    def digits(self) -> tuple[Digit, ...]:
        """What is shown: the digits in reading order, then what was taken for none."""
        return (*self.reading.digits, *self.reading.rejected)

    @property
    def annotated(self) -> picture.Colour:
        """The picture with its boxes and labels: uint8 [h, w, 3], blue, green, red."""
        return overlay.boxes(self.bgr, self.reading, factor=self.factor)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A file of a network, ready to read."""

    model: registry.Model
    reader: Reader

    def answer(self, reading: Reading, shown: Sequence[Digit]) -> Answer:
        """What it read, with its probabilities of the digits that are shown, whoever found those."""
        file, runtime = self.model.file, self.reader.runtime
        images = [digit.glyph.image for digit in shown]
        return Answer(
            file=file.name,
            precision=precision_of(file.name),
            runtime=runtime.name,
            bytes=file.stat().st_size,
            reading=reading,
            shares=_shares(runtime, images),
            milliseconds=_milliseconds(runtime, images[0]) if images else None,
        )


class Networks:
    """Those that can be chosen, each file loaded once; one picture at a time, for not every runtime bears two."""

    def __init__(self) -> None:
        self._loaded: dict[str, list[Loaded]] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> list[Loaded]:
        """The network's files that run here without a training framework, or else its best one. Raises ModelError."""
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = [_load(model) for model in _files(name)]
            return self._loaded[name]

    def read(self, name: str, grey: picture.Grey, bgr: picture.Colour, *, single: bool = False) -> Seen:
        """What the files of a network say of a picture uint8 [h, w]; `bgr` is how it is shown. Raises ModelError."""
        files = self.open(name)
        with self._lock:
            readings = [one.reader.read(grey, single=single) for one in files]
            shown = (*readings[0].digits, *readings[0].rejected)
            answers = tuple(one.answer(reading, shown) for one, reading in zip(files, readings, strict=True))
        return Seen(model=name, bgr=bgr, factor=bgr.shape[1] / grey.shape[1], answers=answers)


def precision_of(file: str) -> str:
    """fp32, or what the middle of a file's name says: int8 of `model.int8.onnx`."""
    return next((name for name in SMALLER if f".{name}." in file), FULL)


def _files(name: str) -> list[registry.Model]:
    every = registry.files(name)
    light = [one for one in every if one.file.suffix in LIGHT and formats.installed(one.file)]
    return sorted(light, key=lambda one: precision_of(one.file.name) != FULL) or every[:1]


def _load(model: registry.Model) -> Loaded:
    return Loaded(model=model, reader=Reader(registry.open_runtime(model, threads=1), model.sure))


def _shares(runtime: loading.Runtime, images: Sequence[NDArray[np.uint8]]) -> tuple[Shares, ...]:
    """The probabilities of each glyph."""
    if not images:
        return ()
    probabilities = softmax(runtime.logits(np.stack(images)))
    return tuple(tuple(float(share) for share in one) for one in probabilities)


def _milliseconds(runtime: loading.Runtime, image_hw: NDArray[np.uint8]) -> float:
    """The median time of one glyph, once it has run a few times."""
    images = image_hw[None]
    times = [timed(lambda: runtime.logits(images)) for _ in range(WARM_UP + CALLS)]
    return statistics.median(times[WARM_UP:]) / 1e6
