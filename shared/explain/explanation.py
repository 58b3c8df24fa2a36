"""One picture's way through one network, with what is to be told of it; `shared.explain.explanation_plots` draws it.

    told = explain(network, arrays, image, logits_of=runtime.logits)
    told.answer, told.probabilities, told.occlusion, told.lines()

The values are worked out by hand (`shared.explain.numpy_forward`) from the weights, so that it is the same for PyTorch
and Keras, here and in the notebooks. Reads no files and draws nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.explain import attribution, numpy_forward
from shared.networks.architectures import (
    Architecture,
    BatchNorm,
    Conv,
    Crop,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Relu,
    Row,
    trace,
)
from shared.training.metrics import softmax

SOFTMAX = "softmax"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A step in words: the layer's name, the shape of what it gives, its parameters, and what it did."""

    name: str
    shape: tuple[int, ...]
    parameters: int
    says: str

    @property
    def size(self) -> str:
        """The shape for people."""
        return " x ".join(f"{side:,}" for side in self.shape)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A picture uint8 as the network takes it, the network, and what came of it; `true` is its class, where known.

    `name` is what the trained network is called, where that is not its architecture's name.

    `values` has what each layer gave, without the batch: "input" first, the logits [k] last. `occlusion` and
    `grad_cam`, each [h, w], are for the answer; `grad_cam_layer` says whose maps the latter is of.
    """

    network: Architecture
    arrays: Mapping[str, npt.NDArray[Any]]
    classes: Sequence[str]
    image: npt.NDArray[np.uint8]
    values: dict[str, npt.NDArray[np.float32]]
    logits_of: Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]
    true: int | None = None
    name: str = ""

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """What the last layer gave, [k]."""
        return list(self.values.values())[-1]

    @cached_property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """Softmax of the logits, [k]."""
        return np.asarray(softmax(self.logits[None])[0])

    @property
    def answer(self) -> int:
        """The likeliest class."""
        return int(self.logits.argmax())

    @property
    def confidence(self) -> float:
        """The answer's probability."""
        return float(self.probabilities[self.answer])

    @property
    def wrong(self) -> bool:
        """Whether it is known to be another class."""
        return self.true is not None and self.true != self.answer

    @cached_property
    def occlusion(self) -> attribution.Map:
        """What covering each place costs the answer, in log-odds."""
        return self.occlusion_of(self.answer)

    @cached_property
    def grad_cam(self) -> attribution.Map:
        """Where the maps light up that count for the answer."""
        return self._grad_cam[0]

    @property
    def grad_cam_layer(self) -> str:
        """The layer whose maps those are."""
        return self._grad_cam[1]

    @cached_property
    def _grad_cam(self) -> tuple[attribution.Map, str]:
        batch = {name: value[None] for name, value in self.values.items()}
        return attribution.grad_cam(self.network, self.arrays, batch, self.answer)

    def occlusion_of(self, label: int) -> attribution.Map:
        """What covering each place costs a class, in log-odds."""
        return attribution.occlusion(self.image, self.logits_of, label)

    def worst(self) -> tuple[int, int, int, float]:
        """Column and row of the place whose covering costs the answer most, what is read then, and how surely."""
        row, column = np.unravel_index(int(self.occlusion.argmax()), self.occlusion.shape)
        covered = attribution.cover(self.image, int(row), int(column))
        shares = softmax(self.logits_of(covered[None]))[0]
        return int(column), int(row), int(shares.argmax()), float(shares.max())

    def verdict(self) -> str:
        """The answer in a few words."""
        truth = f"; it is {self.classes[self.true]}" if self.true is not None and self.wrong else ""
        return (
            f"{self.name or self.network.name} reads {self.classes[self.answer]}, {share(self.confidence)} sure{truth}"
        )

    def lines(self) -> Iterator[Line]:
        """Each step in words, from the picture to the probabilities."""
        ink = int((self.image > 127).sum())
        shape = self.values[numpy_forward.INPUT_NAME].shape
        yield Line(name="input", shape=shape, parameters=0, says=f"0 is paper, 1 is ink; {ink} pixels are mostly ink")
        before = shape
        for row in trace(self.network):
            says = _says(row, before, self.values[row.name])
            yield Line(name=row.name, shape=row.shape, parameters=row.parameters, says=says)
            before = row.shape
        first, second = np.argsort(-self.logits)[:2]
        says = ", ".join(f"{self.classes[k]} {share(float(self.probabilities[k]))}" for k in (first, second))
        yield Line(name=SOFTMAX, shape=self.logits.shape, parameters=0, says=f"e^score over the sum of all: {says}")

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers: what `k2l explain --json` prints, less where the picture is from."""
        column, row, instead, sure = self.worst()
        return {
            "architecture": self.network.name,
            "answer": self.classes[self.answer],
            "true": None if self.true is None else self.classes[self.true],
            "confidence": round(self.confidence, 6),
            "logits": _rounded(self.logits),
            "probabilities": _rounded(self.probabilities, 6),
            "layers": [self._facts(line) for line in self.lines()],
            "occlusion": {
                "size": attribution.PATCH,
                "worst": {"x": column, "y": row, "answer": self.classes[instead], "confidence": round(sure, 6)},
                "log_odds": [_rounded(line) for line in self.occlusion],
            },
            "grad_cam": {"layer": self.grad_cam_layer, "map": [_rounded(line, 6) for line in self.grad_cam]},
        }

    def _facts(self, line: Line) -> dict[str, Any]:
        values = self.probabilities if line.name == SOFTMAX else self.values[line.name]
        return {
            "layer": line.name,
            "shape": list(line.shape),
            "parameters": line.parameters,
            "least": round(float(values.min()), 4),
            "most": round(float(values.max()), 4),
            "zeros": int((values == 0).sum()),
            "says": line.says,
        }


def explain(
    network: Architecture,
    arrays: Mapping[str, npt.NDArray[Any]],
    image: npt.NDArray[np.uint8],
    *,
    logits_of: Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]] | None = None,
    classes: Sequence[str],
    true: int | None = None,
    name: str = "",
) -> Explanation:
    """A picture uint8 through the network that takes it. `logits_of`: the same network at work, quicker than by hand.

    `name` is what the trained network is called, where that is not its architecture's name.
    """
    batch = numpy_forward.forward(network, arrays, image[None])
    by_itself = logits_of or (lambda images: numpy_forward.logits(network, arrays, images))
    values = {name: value[0] for name, value in batch.items()}
    return Explanation(
        network=network,
        arrays=arrays,
        classes=classes,
        image=image,
        values=values,
        logits_of=by_itself,
        true=true,
        name=name,
    )


def share(probability: float) -> str:
    """A probability as percent; what is nearly all keeps the digits that say how nearly."""
    if probability > 0.9999:
        return "over 99.99%"
    if probability < 0.001:
        return "under 0.1%"
    return f"{probability:.2%}" if probability >= 0.999 else f"{probability:.1%}"


def _says(row: Row, before: tuple[int, ...], values: npt.NDArray[np.float32]) -> str:
    """What a layer did to what it was given."""
    least, most = f"{values.min():.1f}", f"{values.max():.1f}"
    match row.layer:
        case Crop(size=n):
            return f"the middle {n} x {n}: a digit's frame is empty"
        case Conv(filters=n, kernel=k):
            over = "the picture" if row.name == "conv1" else f"all {before[0]} maps"
            return f"{n} filters of {k} x {k} slide over {over}: answers from {least} to {most}"
        case BatchNorm():
            return f"each map moved and scaled as learnt: now {least} to {most}"
        case Relu():
            return f"below 0 becomes 0: {share(float((values == 0).mean()))} are 0 now"
        case MaxPool(size=n):
            return f"the strongest of each {n} x {n} stays"
        case GlobalAveragePool():
            return "the mean of each map: what was seen, wherever it was"
        case Flatten():
            return "all maps in one row of numbers"
        case Dense(units=n):
            return f"{n} weighted sums of all {before[0]:,} numbers: {least} to {most}"
        case Dropout(rate=rate):
            return f"nothing: only in training it silences {rate:.0%} of them"


def _rounded(values: npt.NDArray[Any], digits: int = 4) -> list[float]:
    return [round(float(value), digits) for value in values]
