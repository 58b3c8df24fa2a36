"""The networks by hand: what every layer makes of a picture, and how a gradient goes back through it. numpy alone.

    values = forward(network, arrays, images)                   # {"input": …, "conv1": …, …, "dense2": the logits}
    gradients = backward(network, arrays, values, d_logits)     # the same names: how the loss moves with each value

`arrays` are a network's weights as `shared.networks.weights` gives them, of either framework; values are float32,
channels first. They are the frameworks' own numbers to 1e-4, and this is how they come about: for looking between the
layers, and for reading. Trains nothing: dropout and batch norm are as they are in use.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.data.preprocessing import to_float
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
    trace,
)

Array = npt.NDArray[np.float32]
Weights = Mapping[str, npt.NDArray[Any]]
INPUT_NAME = "input"
EPSILON = 1e-5  # of batch norm, in both builders


def forward(network: Architecture, arrays: Weights, images: npt.NDArray[np.uint8]) -> dict[str, Array]:
    """What each layer gives for images uint8, by its name in the trace; the last are the logits [n, k]."""
    values = {INPUT_NAME: to_float(images, network.input)}
    latest = values[INPUT_NAME]
    for row in trace(network):
        latest = _forward(row.layer, _own(arrays, row.name), latest)
        values[row.name] = latest
    return values


def backward(
    network: Architecture, arrays: Weights, values: Mapping[str, Array], gradient: Array, *, to: str = INPUT_NAME
) -> dict[str, Array]:
    """Backpropagation: the derivative of something by every value that `forward` gave, down to the layer `to`.

    `gradient` [n, k] is its derivative by the logits. The chain rule, one layer after the other, the last one first.
    """
    rows = list(trace(network))
    names = [INPUT_NAME, *(row.name for row in rows)]
    gradients = {names[-1]: gradient}
    for row, before in zip(reversed(rows), reversed(names[:-1]), strict=True):
        if row.name == to:
            break
        gradient = _backward(row.layer, _own(arrays, row.name), values[before], gradient)
        gradients[before] = gradient
    return gradients


def logits(network: Architecture, arrays: Weights, images: npt.NDArray[np.uint8]) -> Array:
    """Logits float32 [n, k] of images uint8."""
    *_, last = forward(network, arrays, images).values()
    return last


def convolution(maps: Array, filters: Array, bias: Array | None = None, *, stride: int = 1, pad: int = 0) -> Array:
    """Every filter [o, c, k, k] over every window of maps [n, c, h, w]: multiply, add up, move on by `stride`."""
    k = filters.shape[-1]
    padded = np.pad(maps, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    answers = np.tensordot(windows, filters, axes=((1, 4, 5), (1, 2, 3)))  # [n, h, w, o]
    answers = np.moveaxis(answers, -1, 1)
    return answers if bias is None else answers + bias[:, None, None]


def relu(values: Array) -> Array:
    """What is negative becomes 0."""
    return np.maximum(values, np.float32(0))


def max_pool(maps: Array, size: int = 2) -> Array:
    """The largest of each `size` x `size` window of maps [n, c, h, w]; what fills no window is left out."""
    return np.asarray(_windows(maps, size).max(axis=-1))


def dense(values: Array, weights: Array, bias: Array) -> Array:
    """Each unit's own weighted sum of all values [n, i]: weights [o, i], bias [o]."""
    return np.asarray(values @ weights.T + bias)


def batch_norm(maps: Array, own: Weights) -> Array:
    """Each map [n, c, h, w] less its mean in training, over its deviation there; then scaled and moved as learnt."""
    return np.asarray((maps - _column(own["running_mean"])) * _column(_scale(own)) + _column(own["bias"]))


def _own(arrays: Weights, name: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of one layer, by their own names: weight, bias."""
    return {key.partition(".")[2]: value for key, value in arrays.items() if key.partition(".")[0] == name}


def _forward(layer: Layer, own: Weights, x: Array) -> Array:
    match layer:
        case Crop(size=size):
            return np.asarray(x[_middle(x.shape, size)])
        case Conv(kernel=k, stride=stride, same=same):
            return convolution(x, own["weight"], own.get("bias"), stride=stride, pad=k // 2 if same else 0)
        case BatchNorm():
            return batch_norm(x, own)
        case Relu():
            return relu(x)
        case MaxPool(size=size):
            return max_pool(x, size)
        case GlobalAveragePool():
            return np.asarray(x.mean(axis=(2, 3)))
        case Flatten():
            return x.reshape(len(x), -1)
        case Dense():
            return dense(x, own["weight"], own["bias"])
        case Dropout():  # is for training
            return x


def _backward(layer: Layer, own: Weights, x: Array, gradient: Array) -> Array:
    """The derivative by what the layer was given, `x`, from the one by what it gave."""
    match layer:
        case Crop(size=size):
            back = np.zeros_like(x)
            back[_middle(x.shape, size)] = gradient
            return back
        case Conv(kernel=k, stride=stride, same=same):
            return _spread(gradient, own["weight"], x, stride=stride, pad=k // 2 if same else 0)
        case BatchNorm():
            return np.asarray(gradient * _column(_scale(own)))
        case Relu():
            return np.asarray(gradient * (x > 0))
        case MaxPool(size=size):
            return _to_strongest(gradient, x, size)
        case GlobalAveragePool():
            pixels = x.shape[2] * x.shape[3]
            return np.broadcast_to(gradient[:, :, None, None] / np.float32(pixels), x.shape)
        case Flatten():
            return gradient.reshape(x.shape)
        case Dense():
            return np.asarray(gradient @ own["weight"])
        case Dropout():
            return gradient


def _middle(shape: tuple[int, ...], size: int) -> tuple[Any, ...]:
    """Where the `size` x `size` middle of maps [n, c, h, w] lies."""
    top, left = ((side - size) // 2 for side in shape[-2:])
    return ..., slice(top, top + size), slice(left, left + size)


def _spread(gradient: Array, filters: Array, x: Array, *, stride: int, pad: int) -> Array:
    """A convolution's way back: each answer's gradient goes to the pixels of its window, as the filter weighs them."""
    (n, c, height, width), k = x.shape, filters.shape[-1]
    down, across = (stride * side for side in gradient.shape[2:])
    back = np.zeros((n, c, height + 2 * pad, width + 2 * pad), np.float32)
    for row, column in np.ndindex(k, k):
        part = np.moveaxis(np.tensordot(gradient, filters[:, :, row, column], axes=((1,), (0,))), -1, 1)
        back[:, :, row : row + down : stride, column : column + across : stride] += part
    return back[:, :, pad : pad + height, pad : pad + width]


def _to_strongest(gradient: Array, x: Array, size: int) -> Array:
    """Max pooling's way back: all of it to the pixel that was the largest of its window, the first of equals."""
    n, c, height, width = gradient.shape
    one_hot = np.arange(size * size) == _windows(x, size).argmax(axis=-1)[..., None]
    tiles = (one_hot * gradient[..., None]).reshape(n, c, height, width, size, size)
    back = np.zeros_like(x)
    back[:, :, : height * size, : width * size] = tiles.swapaxes(3, 4).reshape(n, c, height * size, width * size)
    return back


def _windows(maps: Array, size: int) -> Array:
    """Maps [n, c, h, w] as windows without overlap: [n, c, h / size, w / size, size * size]."""
    n, c, height, width = maps.shape
    h, w = height // size, width // size
    tiles = maps[:, :, : h * size, : w * size].reshape(n, c, h, size, w, size)
    return tiles.swapaxes(3, 4).reshape(n, c, h, w, size * size)


def _column(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One value a channel, to go with maps [n, c, h, w]."""
    return values[:, None, None]


def _scale(own: Weights) -> npt.NDArray[Any]:
    return np.asarray(own["weight"] / np.sqrt(own["running_var"] + np.float32(EPSILON)))
