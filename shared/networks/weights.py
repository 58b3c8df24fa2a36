"""A network's weights as plain arrays, whichever framework holds them: PyTorch's names, shapes and order of axes.

    arrays = of_torch(module.state_dict())          # {"conv1.weight": [16, 1, 3, 3], …}
    arrays = of_keras(model, network)               # the same, to the bit, where the weights are the same

Driven by `shared.networks.architectures.trace` alone, so that every network is covered. Three things differ in Keras:
the order of the axes, what batch norm calls its four vectors, and the order in which a picture is flattened: PyTorch
goes channel by channel (CHW), TensorFlow pixel by pixel (HWC), so that the rows of the dense layer behind change
places. Imports neither framework: what it is given is only asked for its arrays. `local.export.convert_weights` builds
from them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.core.errors import ModelError
from shared.networks.architectures import (
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

Arrays = dict[str, NDArray[Any]]

# What batch norm calls its vectors in PyTorch and in Keras. PyTorch also counts the batches it has seen, which only
# a cumulative average would look at.
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
LAST, COUNT = "running_var", "num_batches_tracked"  # the one follows the other


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


def of_torch(weights: Mapping[str, Any]) -> Arrays:
    """A state dict, tensors or arrays, as arrays; without the batches that batch norm has counted."""
    return {key: array_of(value) for key, value in weights.items() if not key.endswith(COUNT)}


def of_keras(model: Any, network: Architecture) -> Arrays:
    """The weights of a `keras.Model` of that network; its layers may have names of their own.

    Raises ModelError where the model has other layers or shapes.
    """
    return {twin.torch: twin.to_torch(values) for twin, values in _arrays(model, network)}


def _arrays(model: Any, network: Architecture) -> Iterator[tuple[Twin, NDArray[Any]]]:
    """Each array that the Keras model should have, held against the shape it should have."""
    for layer, row, twins in layers_of(model, network):
        if len(layer.weights) > len(twins):  # a bias, for one, that would be lost
            ours, theirs = len(twins), ", ".join(one.name for one in layer.weights)
            raise ModelError(f"{row.name} of {network.name} has {ours} arrays, and {layer.name} of Keras {theirs}.")
        for twin in twins:
            found = getattr(layer, twin.keras, None)
            values = None if found is None else array_of(found)
            yield twin, fitting(values, twin.torch, twin.keras_shape, network)


def layers_of(model: Any, network: Architecture) -> Iterator[tuple[Any, Row, list[Twin]]]:
    """Each layer of a Keras model with its row of the trace and its arrays.

    `grid` is the shape it is given, from before it was flattened.
    """
    rows = list(trace(network))
    grid: Shape = network.input.shape
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


def array_of(values: Any) -> NDArray[Any]:
    """A tensor of either framework, or an array, as an array; shares its memory where it can."""
    values = values.detach().cpu() if hasattr(values, "detach") else values
    return np.asarray(values)


def fitting(values: NDArray[Any] | None, key: str, shape: Shape, network: Architecture) -> NDArray[Any]:
    """The values, once they are known to be there and to have that shape."""
    if values is None:
        raise ModelError(f"{key} of {network.name} is missing: these are another network's weights.")
    if values.shape != shape:
        raise ModelError(f"{key} of {network.name} must be {list(shape)}, and is {list(values.shape)}.")
    return values
