"""The networks, as data: a name, a tuple of layers, what it takes, and where it comes from.

    network = architecture("lite")               # for MNIST's digits, as the table states it
    network = architecture("lite", spec, 4)      # for pictures as an InputSpec has them, and four classes

`shared.networks.build_torch` and `shared.networks.build_keras` read the same tuple and build the same network; both
return logits. `trace` walks it once and gives each layer's output shape and trainable parameters, from which every
table is made. Standard library only.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared.core.errors import ConfigError, one_of
from shared.core.input_spec import InputSpec
from shared.data.registry import DATASETS, GLYPH

# What the table's parameters are counted for; `architecture` makes them for others too.
CLASSES, CAMERA_CLASSES = (len(DATASETS[name].classes) for name in ("mnist", "camera"))


@dataclass(frozen=True)
class Crop:
    """Keeps the `size` x `size` middle of the picture (a digit's frame is empty)."""

    size: int


@dataclass(frozen=True)
class Conv:
    """2-D convolution. `same` keeps height and width (stride 1 only); otherwise only whole windows count.

    `folded`: it may be computed as one of stride 1, see `for_training`.
    """

    filters: int
    kernel: int = 3
    stride: int = 1
    same: bool = True
    bias: bool = True
    folded: bool = False


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation (Ioffe & Szegedy 2015) over channels, epsilon 1e-5, scale and shift trainable."""


@dataclass(frozen=True)
class Relu:
    """max(0, x)."""


@dataclass(frozen=True)
class MaxPool:
    """The largest value of each `size` x `size` window, without overlap."""

    size: int = 2


@dataclass(frozen=True)
class GlobalAveragePool:
    """The mean of each channel: one number a channel."""


@dataclass(frozen=True)
class Flatten:
    """All values in a row, channel by channel (CHW); Keras builds from HWC and reorders the next dense layer."""


@dataclass(frozen=True)
class Dense:
    """Every input to every unit."""

    units: int


@dataclass(frozen=True)
class Dropout:
    """In training, zeroes this fraction of values at random (Srivastava et al. 2014)."""

    rate: float


Layer = Crop | Conv | BatchNorm | Relu | MaxPool | GlobalAveragePool | Flatten | Dense | Dropout
Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network: `parameters` is the stated number of trainable ones, held to the computed one by a test.

    `input` is what it takes; the last layer has a unit a class.
    """

    name: str
    layers: tuple[Layer, ...]
    parameters: int
    source: str
    input: InputSpec = GLYPH

    @property
    def family(self) -> str:
        """The name without a width."""
        return self.name.partition("@")[0]

    @property
    def classes(self) -> int:
        """How many it tells apart."""
        last = self.layers[-1]
        assert isinstance(last, Dense)
        return last.units


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer of a network at work: what it is, the shape it gives (without the batch), its parameters.

    `name` is its kind and which of them it is (`conv1`, `batchnorm1`, `dense2`), the same in every framework.
    """

    name: str
    layer: Layer
    shape: Shape
    parameters: int

    @property
    def kind(self) -> str:
        """The layer's class name, for tables."""
        return type(self.layer).__name__


def _head(units: int, dropout: float) -> tuple[Layer, ...]:
    return (Flatten(), Dense(units), Relu(), Dropout(dropout), Dense(CLASSES))


def _normed(
    filters: int, *, kernel: int = 3, stride: int = 1, same: bool = True, bias: bool = False
) -> tuple[Layer, ...]:
    return (Conv(filters, kernel, stride, same, bias), BatchNorm(), Relu())


def _small(first: int, second: int) -> tuple[Layer, ...]:
    """The ds_cnn networks: two convolutions with bias and batch norm, then a mean a channel."""
    block = [(*_normed(filters, bias=True), MaxPool()) for filters in (first, second)]
    return (*block[0], *block[1], GlobalAveragePool(), Dense(CLASSES))


_TABLE = (
    Architecture(
        name="compact",
        layers=(Conv(16), Relu(), MaxPool(), Conv(32), Relu(), MaxPool(), *_head(128, 0.25)),
        parameters=206_922,
        source="the smallest network of the MNIST tutorials: two convolutions and a dense layer",
    ),
    Architecture(
        name="baseline",
        layers=(Conv(32), Relu(), MaxPool(), Conv(64), Relu(), MaxPool(), *_head(128, 0.5)),
        parameters=421_642,
        source="the usual tutorial network, twice as wide as compact",
    ),
    Architecture(
        name="simple",
        layers=(
            Conv(32, same=False), Relu(), Conv(64, same=False), Relu(), MaxPool(), Dropout(0.25), *_head(128, 0.5),
        ),
        parameters=1_199_882,
        source="pytorch/examples, mnist/main.py (also Keras' old mnist_cnn.py)",
    ),
    Architecture(
        name="improved",
        layers=(
            *_normed(32, same=False), *_normed(32, same=False), MaxPool(),
            *_normed(64, same=False), *_normed(64, same=False),
            *_normed(128, same=False), *_normed(128, same=False),
            *_head(1072, 0.5),
        ),
        parameters=2_494_138,
        source="VGG's pairs of convolutions (Simonyan & Zisserman 2015) with batch norm, no padding (An et al. 2020)",
    ),
    Architecture(
        name="ds_cnn_v1",
        layers=_small(16, 32),
        parameters=5_226,
        source="the table of a public README (16-32); the code of that README has more layers",
    ),
    Architecture(
        name="ds_cnn_v2",
        layers=_small(14, 28),
        parameters=4_070,
        source="the same table (14-28); its receptive field of 10 pixels limits what it can learn",
    ),
    Architecture(
        name="ds_cnn_v3",
        layers=_small(18, 36),
        parameters=6_526,
        source="the same table (18-36)",
    ),
    Architecture(
        name="lite",
        layers=(
            *_normed(4, same=False), *_normed(8, same=False), MaxPool(),
            *_normed(12, same=False), *_normed(12, same=False), MaxPool(),
            *_normed(12, same=False), GlobalAveragePool(), Dense(CLASSES),
        ),
        parameters=4_006,
        source="ours: deep and narrow, within the 4,070 parameters of ds_cnn_v2",
    ),
    Architecture(
        name="sprint",
        layers=(
            Crop(24), *_normed(16, kernel=5, stride=2, same=False), *_normed(32, kernel=4, stride=2, same=False),
            Flatten(), Dense(192), Relu(), Dense(CLASSES),
        ),
        parameters=109_114,
        source="ours, based on tuomaso/train_mnist_fast: strided convolutions on the middle of the picture",
    ),
    Architecture(
        name="camera",
        layers=(
            *_normed(16, same=False), *_normed(16, same=False), MaxPool(),
            *_normed(64, same=False), *_normed(64, same=False), MaxPool(),
            *_normed(128, same=False), GlobalAveragePool(), Dense(CAMERA_CLASSES),
        ),
        parameters=124_251,
        source="ours, based on lite: few filters while the maps are large; an eleventh class is “no digit”",
    ),
    Architecture(
        name="best",
        layers=(
            *_normed(32, same=False), *_normed(64, same=False), MaxPool(),
            *_normed(96, same=False), *_normed(96, same=False), MaxPool(),
            *_normed(96, same=False), GlobalAveragePool(), Dense(CLASSES),
        ),
        parameters=241_642,
        source="lite, eight times as wide; its only dense layer is small, so that it learns little by heart",
    ),
)  # fmt: skip

ARCHITECTURES: dict[str, Architecture] = {one.name: one for one in _TABLE}


def architecture(name: str, spec: InputSpec | None = None, classes: int = 0) -> Architecture:
    """The network of that name, or, as `lite@1.5`, one and a half times as wide.

    It is for pictures as `spec` has them and so many classes; where these are not given, as the table has it. Raises
    ConfigError with all the names there are if there is none, for a width that is not in 0.1 to 8, and where the
    pictures are too small for the network.
    """
    network = _named(name)
    return _fitted(network, spec or network.input, classes or network.classes)


def _named(name: str) -> Architecture:
    family, at, width = name.partition("@")
    network = ARCHITECTURES[one_of("architecture", family, ARCHITECTURES)]
    if not at:
        return network
    try:
        factor = float(width)
    except ValueError:
        factor = 0.0
    if not 0.1 <= factor <= 8:  # also refuses NaN
        raise ConfigError(f"architecture {name!r}: write the width as a number of 0.1 to 8 behind the @.")
    return _widened(network, factor, name)


def _widened(network: Architecture, factor: float, name: str) -> Architecture:
    """The network with `factor` times the filters and units of each layer but the last, which has the classes."""

    def times(count: int) -> int:
        return max(1, round(count * factor))

    layers: list[Layer] = []
    for layer in network.layers[:-1]:
        match layer:
            case Conv(filters=n):
                layers.append(replace(layer, filters=times(n)))
            case Dense(units=n):
                layers.append(replace(layer, units=times(n)))
            case _:
                layers.append(layer)
    wide = replace(network, name=name, layers=(*layers, network.layers[-1]))
    return replace(wide, parameters=count_parameters(wide))


def _fitted(network: Architecture, spec: InputSpec, classes: int) -> Architecture:
    if (network.input, network.classes) == (spec, classes):
        return network
    layers = (*network.layers[:-1], Dense(classes))
    new = replace(network, input=spec, layers=layers)
    return replace(new, parameters=count_parameters(new))


def for_training(network: Architecture) -> Architecture:
    """The same function, with what makes a training step quicker.

    Each ReLU comes after the max pool it stands before, where a quarter of the values is left. Both are monotonic, so
    that either order gives the same numbers. A training step of `baseline` takes three quarters of the time; at
    inference the usual order is quicker, because runtimes fuse a ReLU into its convolution.

    A stride that divides the kernel is folded: a window of 4x4 pixels at every second one is a window of 2x2 tiles at
    every one, with a tile's pixels as channels (space to depth). A step of `sprint` takes six sevenths of the time,
    because oneDNN has no quick gradient for a stride.
    """
    layers = [
        replace(layer, folded=True) if isinstance(layer, Conv) and layer.stride > 1 and _tiles(layer) else layer
        for layer in network.layers
    ]
    for at in range(len(layers) - 1):
        if isinstance(layers[at], Relu) and isinstance(layers[at + 1], MaxPool):
            layers[at], layers[at + 1] = layers[at + 1], layers[at]
    return replace(network, layers=tuple(layers))


def _tiles(layer: Conv) -> bool:
    return not layer.same and layer.kernel % layer.stride == 0


def trace(network: Architecture) -> Iterator[Row]:
    """Each layer with its name, its output shape (channels first, without the batch), its trainable parameters.

    Raises ConfigError where the pictures are too small for it.
    """
    count: Counter[str] = Counter()
    shape: Shape = network.input.shape
    for layer in network.layers:
        kind = type(layer).__name__.lower()
        count[kind] += 1
        parameters = _parameters(layer, shape)
        before, shape = shape, _output_shape(layer, shape)
        if min(shape) < 1 or (isinstance(layer, Crop) and min(before[1:]) < layer.size):
            raise ConfigError(
                f"{network.name} is too deep for pictures of {network.input}: nothing is left of them after its "
                f"{kind}{count[kind]}. Choose another architecture, or larger pictures."
            )
        yield Row(name=f"{kind}{count[kind]}", layer=layer, shape=shape, parameters=parameters)


def count_parameters(network: Architecture) -> int:
    """The number of trainable parameters, computed from the layers."""
    return sum(row.parameters for row in trace(network))


def _parameters(layer: Layer, shape: Shape) -> int:
    match layer:
        case Conv(filters=n, kernel=k, bias=bias):
            return n * shape[0] * k * k + n * bias
        case BatchNorm():
            return 2 * shape[0]
        case Dense(units=n):
            return n * shape[0] + n
    return 0


def _output_shape(layer: Layer, shape: Shape) -> Shape:
    match layer:
        case Crop(size=n):
            return (shape[0], n, n)
        case Conv(filters=n, same=True):
            return (n, *shape[1:])
        case Conv(filters=n, kernel=k, stride=s):
            return (n, *((side - k) // s + 1 for side in shape[1:]))
        case MaxPool(size=n):
            return (shape[0], *(side // n for side in shape[1:]))
        case GlobalAveragePool():
            return (shape[0],)
        case Flatten():
            return (math.prod(shape),)
        case Dense(units=n):
            return (n,)
        case BatchNorm() | Relu() | Dropout():
            return shape
