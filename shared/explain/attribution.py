"""Where in a picture a network found its answer: two maps of its size, each with its own question.

    covered = occlusion(image, logits_of, label)                  # what does covering this place cost?
    seen, layer = grad_cam(network, arrays, values, label)        # where do the maps that count for it light up?

Both are for one class: the answer, or the one that it should have been. They show where, never why, and a network can
be right for a reason that no map shows. numpy alone; `shared.explain.numpy_forward` does the walking back.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.explain import numpy_forward
from shared.networks.architectures import (
    Architecture,
    BatchNorm,
    Conv,
    Crop,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Relu,
    Shape,
    trace,
)

PATCH = 5  # pixels a side that are covered at once: a stroke is 2 to 4 wide
SMALLEST = 4  # pixels a side of a map that can still say where

Image = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float64]


def log_odds(logits_nk: npt.NDArray[Any], label: int) -> npt.NDArray[np.float64]:
    """log(p / (1 - p)) of a class, from logits [n, k]: 2.3 more is ten times the odds.

    Exact where the probability itself would be 1 to the last digit.
    """
    values = logits_nk.astype(np.float64)
    others = np.delete(values, label, axis=1)
    most = others.max(axis=1)
    return np.asarray(values[:, label] - most - np.log(np.exp(others - most[:, None]).sum(axis=1)))


def occlusion(image: Image, logits_of: Callable[[Image], npt.NDArray[Any]], label: int, *, size: int = PATCH) -> Map:
    """How much the log-odds of `label` fall when `size` x `size` pixels around each pixel are painted over with paper.

    Above 0 the place speaks for the class, below 0 against it, and 0 is where there is no ink to cover. After Zeiler &
    Fergus 2014, "Visualizing and Understanding Convolutional Networks", with paper in place of their grey.
    `logits_of` takes images uint8, several of them: any runtime's will do.
    """
    every = {place: cover(image, *place, size=size) for place in np.ndindex(image.shape[:2])}
    covered = {place: picture for place, picture in every.items() if (picture != image).any()}
    fall = np.zeros(image.shape[:2])
    if covered:
        odds = log_odds(logits_of(np.stack([image, *covered.values()])), label)
        fall[tuple(np.transpose(list(covered)))] = odds[0] - odds[1:]
    return fall


def grad_cam(
    network: Architecture, arrays: numpy_forward.Weights, values: Mapping[str, numpy_forward.Array], label: int
) -> tuple[Map, str]:
    """Where the last maps light up that count for `label`, and the layer they are of. `values` are of one image.

    Selvaraju et al. 2017: each map of a layer is weighed by the mean derivative of the class's logit by its values;
    their sum, where it is above 0, is drawn over the picture. The layer is the last ReLU behind a convolution whose
    maps have 4 pixels a side or more: the 2x2 of `lite`'s last one could not say where.
    """
    layer = last_maps(network)
    one_hot = np.zeros_like(list(values.values())[-1])
    one_hot[:, label] = 1
    gradient = numpy_forward.backward(network, arrays, values, one_hot, to=layer)[layer]
    weights = gradient[0].mean(axis=(1, 2))
    seen = np.maximum(np.tensordot(weights, values[layer][0], axes=1), 0)
    places = field(network, layer)
    return enlarged(seen, places, network.input.shape[1:]), layer


def last_maps(network: Architecture) -> str:
    """The name of the last ReLU whose maps have at least 4 pixels a side; of the last one, where none has."""
    rows = [row for row in trace(network) if isinstance(row.layer, Relu) and len(row.shape) == 3]
    large = [row for row in rows if min(row.shape[1:]) >= SMALLEST]
    return (large or rows)[-1].name


Field = tuple[tuple[float, float], int]  # of the first pixel's middle, down and right; from each to the next


def field(network: Architecture, name: str) -> Field:
    """Where a layer's maps lie on the picture: the place of their first pixel's middle, and of each next one from it.

    Layers without padding and pooling move the first one inwards, so that a map is not simply the picture made small.
    """
    sides: Shape = network.input.shape[1:]
    (top, left), step = (0.0, 0.0), 1
    for row in trace(network):
        (down, right), wider = (_moved(row.layer, side)[0] for side in sides), _moved(row.layer, sides[0])[1]
        (top, left), step = (top + step * down, left + step * right), step * wider
        if row.name == name:
            break
        sides = row.shape[1:]
    return (top, left), step


def enlarged(small: npt.NDArray[Any], places: Field, size: tuple[int, ...]) -> Map:
    """A map [h, w] at the picture's size: straight lines between its pixels' middles, and from the outermost to 0."""
    firsts, step = places
    rows, columns = (first + step * np.arange(-1, count + 1) for first, count in zip(firsts, small.shape, strict=True))
    small = np.pad(small, 1)
    down = np.stack([np.interp(np.arange(size[0]), rows, column) for column in small.T], axis=1)
    return np.stack([np.interp(np.arange(size[1]), columns, row) for row in down])


def _moved(layer: Layer, side: int) -> tuple[float, int]:
    """What a layer does to the place of the first pixel, and to the distance of two, in pixels it is given."""
    match layer:
        case Crop(size=size):
            return (side - size) // 2, 1
        case Conv(kernel=k, stride=stride, same=same):
            return (0 if same else (k - 1) / 2), stride
        case MaxPool(size=size):
            return (size - 1) / 2, size
        case BatchNorm() | Relu() | GlobalAveragePool() | Flatten() | Dense() | Dropout():
            return 0, 1


def cover(image: Image, row: int, column: int, *, size: int = PATCH) -> Image:
    """The picture with `size` x `size` pixels around a place painted over with paper."""
    before, behind = size // 2, size - size // 2
    covered = image.copy()
    covered[max(row - before, 0) : row + behind, max(column - before, 0) : column + behind] = 0
    return covered
