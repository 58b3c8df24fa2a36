"""Weights from one framework into the other, exactly: numbers change their places, never their values.

    model = to_keras(torch.load("model.pth", weights_only=True), architecture("lite"))
    weights = to_torch(model, architecture("lite"))          # a state dict

Driven by `shared.networks.architectures.trace` alone, so that every network crosses over, both ways. Three things
differ: the order of the axes, what batch norm calls its four vectors, and the order in which a picture is flattened:
PyTorch goes channel by channel (CHW), TensorFlow pixel by pixel (HWC), so that the rows of the dense layer behind
change places. Epsilon is 1e-5 in both builders. Runs no network, and reads and writes no files: `local.export.export`
does. What stands where in which framework is `shared.networks.weights`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.core.errors import ModelError
from shared.networks.architectures import Architecture
from shared.networks.weights import COUNT, LAST, fitting, layers_of, of_keras, of_torch

if TYPE_CHECKING:
    import keras
    import torch


def to_keras(weights: Mapping[str, Any], network: Architecture) -> "keras.Sequential":
    """The network as a Keras model with these weights; `weights` is PyTorch's state dict, tensors or arrays.

    Raises ModelError where an array is missing, is too many, or has another shape.
    """
    from shared.networks.build_keras import build_keras

    model = build_keras(network)
    twins = [(layer, twin) for layer, _, twins in layers_of(model, network) for twin in twins]
    arrays = of_torch(weights)
    if unknown := arrays.keys() - {twin.torch for _, twin in twins}:
        raise ModelError(f"{network.name} has no {', '.join(sorted(unknown))}: these are another network's weights.")
    for layer, twin in twins:
        values = fitting(arrays.get(twin.torch), twin.torch, twin.torch_shape, network)
        getattr(layer, twin.keras).assign(twin.to_keras(values))
    return model


def to_torch(model: "keras.Model", network: Architecture) -> "dict[str, torch.Tensor]":
    """The weights of a Keras model of that network as PyTorch's state dict; its layers may have names of their own.

    Raises ModelError where the model has other layers or shapes.
    """
    import torch

    weights = {}
    for key, values in of_keras(model, network).items():
        weights[key] = torch.from_numpy(values)
        if key.endswith(LAST):
            weights[key.replace(LAST, COUNT)] = torch.tensor(0)
    return weights


def check(model: "keras.Model", network: Architecture) -> None:
    """Returns if a Keras model has the layers and shapes of the network; ModelError if it has others."""
    of_keras(model, network)
