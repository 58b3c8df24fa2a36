"""Weights from one framework into the other, exactly: numbers change their places, never their values.

    model = to_keras(torch.load("model.pth", weights_only=True), architecture("lite"))
    weights = to_torch(model, architecture("lite"))          # a state dict

Driven by `shared.architectures.trace` alone, so that every network crosses over, both ways. Three things differ: the
order of the axes, what batch norm calls its four vectors, and the order in which a picture is flattened: PyTorch goes
channel by channel (CHW), TensorFlow pixel by pixel (HWC), so that the rows of the dense layer behind change places.
Epsilon is 1e-5 in both builders. Runs no network, and reads and writes no files: `local.export` does.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared.architectures import (
    INPUT,
    Architecture,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Relu,
    Row,
    Shape,
    trace,
)
from shared.errors import ModelError

if TYPE_CHECKING:
    import keras
    import torch

# What batch norm calls its vectors in PyTorch and in Keras. PyTorch also counts the batches it has seen, which only
# a cumulative average would look at.
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
COUNT = "num_batches_tracked"


@dataclass(frozen=True, kw_only=True)
class Twin:
    """One array in both frameworks, by name and shape.

    `view` is PyTorch's shape with a flattened axis taken apart, `axes` are the view's in Keras' order.
    """

    torch: str
    keras: str
    torch_shape: Shape
    keras_shape: Shape
    view: Shape
    axes: tuple[int, ...]

    def to_keras(self, values: NDArray[Any]) -> NDArray[Any]:
        """PyTorch's array as Keras has it."""
        return values.reshape(self.view).transpose(self.axes).reshape(self.keras_shape)

    def to_torch(self, values: NDArray[Any]) -> NDArray[Any]:
        """Keras' array as PyTorch has it."""
        permuted = values.reshape([self.view[axis] for axis in self.axes])
        return np.ascontiguousarray(permuted.transpose(np.argsort(self.axes)).reshape(self.torch_shape))


def to_keras(weights: Mapping[str, Any], network: Architecture) -> "keras.Sequential":
    """The network as a Keras model with these weights; `weights` is PyTorch's state dict, tensors or arrays.

    Raises ModelError where an array is missing, is too many, or has another shape.
    """
    from shared.build_keras import build_keras

    model = build_keras(network)
    twins = [(layer, twin) for layer, _, twins in _layers(model, network) for twin in twins]
    arrays = {key: _array(value) for key, value in weights.items() if not key.endswith(COUNT)}
    if unknown := arrays.keys() - {twin.torch for _, twin in twins}:
        raise ModelError(f"{network.name} has no {', '.join(sorted(unknown))}: these are another network's weights.")
    for layer, twin in twins:
        values = _fitting(arrays.get(twin.torch), twin.torch, twin.torch_shape, network)
        getattr(layer, twin.keras).assign(twin.to_keras(values))
    return model


def to_torch(model: "keras.Model", network: Architecture) -> "dict[str, torch.Tensor]":
    """The weights of a Keras model of that network as PyTorch's state dict; its layers may have names of their own.

    Raises ModelError where the model has other layers or shapes.
    """
    import torch

    weights = {}
    for row, arrays in _arrays(model, network):
        for twin, values in arrays:
            weights[twin.torch] = torch.from_numpy(twin.to_torch(values))
        if isinstance(row.layer, BatchNorm):
            weights[f"{row.name}.{COUNT}"] = torch.tensor(0)
    return weights


def check(model: "keras.Model", network: Architecture) -> None:
    """Returns if a Keras model has the layers and shapes of the network; ModelError if it has others."""
    for _ in _arrays(model, network):
        pass


def _arrays(model: "keras.Model", network: Architecture) -> Iterator[tuple[Row, list[tuple[Twin, NDArray[Any]]]]]:
    """Each row of the trace with the arrays that the Keras model has for it, held against the shapes it should have."""
    for layer, row, twins in _layers(model, network):
        if len(layer.weights) > len(twins):  # a bias, for one, that would be lost
            ours, theirs = len(twins), ", ".join(one.name for one in layer.weights)
            raise ModelError(f"{row.name} of {network.name} has {ours} arrays, and {layer.name} of Keras {theirs}.")
        found = [(twin, getattr(layer, twin.keras, None)) for twin in twins]
        yield (
            row,
            [
                (twin, _fitting(None if one is None else _array(one), twin.torch, twin.keras_shape, network))
                for twin, one in found
            ],
        )


def _layers(model: "keras.Model", network: Architecture) -> Iterator[tuple[Any, Row, list[Twin]]]:
    """Each layer of a Keras model with its row of the trace and its arrays.

    `grid` is the shape it is given, from before it was flattened.
    """
    rows = list(trace(network))
    grid: Shape = INPUT
    if len(model.layers) != len(rows):
        raise ModelError(f"{network.name} has {len(rows)} layers, and the Keras model {len(model.layers)}.")
    for layer, row in zip(model.layers, rows, strict=True):
        yield layer, row, list(_twins(row.name, row.layer, grid))
        if not isinstance(row.layer, Flatten | Relu | Dropout):
            grid = row.shape


def _twins(name: str, layer: Layer, grid: Shape) -> Iterator[Twin]:
    """The arrays of one layer that is given `grid`."""
    match layer:
        case Conv(filters=n, kernel=k, bias=bias):
            view = (n, grid[0], k, k)
            yield _weight(name, view, view, (k, k, grid[0], n))
            if bias:
                yield _vector(name, "bias", "bias", n)
        case Dense(units=n):
            values = math.prod(grid)
            yield _weight(name, (n, *grid), (n, values), (values, n))
            yield _vector(name, "bias", "bias", n)
        case BatchNorm():
            for ours, theirs in NORM.items():
                yield _vector(name, ours, theirs, grid[0])


def _weight(name: str, view: Shape, torch_shape: Shape, keras_shape: Shape) -> Twin:
    """OIHW to HWIO, and what is dense from [out, in] to [in, out]: outputs and inputs, in that order, go last."""
    return Twin(
        torch=f"{name}.weight",
        keras="kernel",
        torch_shape=torch_shape,
        keras_shape=keras_shape,
        view=view,
        axes=(*range(2, len(view)), 1, 0),
    )


def _vector(name: str, ours: str, theirs: str, size: int) -> Twin:
    shape = (size,)
    return Twin(torch=f"{name}.{ours}", keras=theirs, torch_shape=shape, keras_shape=shape, view=shape, axes=(0,))


def _array(values: Any) -> NDArray[Any]:
    """A tensor of either framework, or an array, as an array; shares its memory where it can."""
    values = values.detach().cpu() if hasattr(values, "detach") else values
    return np.asarray(values)


def _fitting(values: NDArray[Any] | None, key: str, shape: Shape, network: Architecture) -> NDArray[Any]:
    """The values, once they are known to be there and to have that shape."""
    if values is None:
        raise ModelError(f"{key} of {network.name} is missing: these are another network's weights.")
    if values.shape != shape:
        raise ModelError(f"{key} of {network.name} must be {list(shape)}, and is {list(values.shape)}.")
    return values
