"""Builds a network of `shared.networks.architectures` in Keras 3. `shared.networks.build_torch` is its twin."""

from shared.frameworks.start_keras import keras
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


def build_keras(network: Architecture) -> keras.Sequential:
    """The network as a model: float32 images [n, h, w, c] as its `input` has them in, logits [n, classes] out.

    Channels come last, as TensorFlow has them. Layers have the names of the trace (`conv1`, `batchnorm1`, `dense2`),
    as in PyTorch.
    """
    name = network.name.replace("@", "-")  # TensorFlow's graphs take no @ in a name
    model = keras.Sequential([keras.Input(network.input.shape_hwc, name="images")], name=name)
    shape: Shape = network.input.shape
    for row in trace(network):
        model.add(_layer(row.layer, shape, row.name))
        shape = row.shape
    return model


def _layer(layer: Layer, shape: Shape, name: str) -> keras.layers.Layer:
    """One layer; `shape` is what it is given, channels first and without the batch."""
    match layer:
        case Crop(size=size):
            edges = ((side - size, (side - size) // 2) for side in shape[1:])
            return keras.layers.Cropping2D(tuple((before, both - before) for both, before in edges), name=name)
        case Conv(filters=n, kernel=k, stride=s, same=same, bias=bias):
            return keras.layers.Conv2D(n, k, s, padding="same" if same else "valid", use_bias=bias, name=name)
        case BatchNorm():
            # PyTorch's constants: Keras counts the momentum the other way round.
            return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)
        case Relu():
            return keras.layers.ReLU(name=name)
        case MaxPool(size=size):
            return keras.layers.MaxPooling2D(size, name=name)
        case GlobalAveragePool():
            return keras.layers.GlobalAveragePooling2D(name=name)
        case Flatten():
            return keras.layers.Flatten(name=name)
        case Dense(units=n):
            return keras.layers.Dense(n, name=name)
        case Dropout(rate=rate):
            return keras.layers.Dropout(rate, name=name)
