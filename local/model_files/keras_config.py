"""What a `.keras` file says of itself, read before Keras does: whether it is a row of plain layers, and their cost.

    most = check(path, spec)      # images a call; ModelError for a file that is not plain, or takes too much

A `.keras` file names classes by module, and Keras imports and calls what is named; it also makes whatever number of
weights is asked for. So anything but the layers below is refused, and their sizes are followed from the picture to the
logits. Nothing is unpacked but the description, and the names and sizes of the weights.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

from local.model_files import memory_limit
from local.model_files.cost import READ, Cost, largest_batch, size_of, slid
from local.model_files.formats import missing, no_network
from shared.core.errors import ModelError
from shared.core.input_spec import InputSpec

Shape = tuple[int, ...]  # of one picture, without the batch
Sized = tuple[Shape, int, int]  # an output, the weights that are made for it, and the multiplications for each value

INITIALIZERS = ("Zeros", "Ones", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal")
MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}  # of the zip archive that a .keras file is
CONFIG_BYTES = 1_000_000  # no network of ours describes itself in a tenth of that


def check(path: Path, spec: InputSpec) -> int:
    """How many images a call may have. ModelError for a class, function or file that is not plain, or takes too much.

    What it says of its training (optimizer, loss) is not looked at: it is not loaded.
    """
    try:
        config, foreign = _description(path)
        outer = (config.get("module"), config.get("class_name"), config.get("registered_name"))
        if outer[:2] != ("keras", "Sequential") or outer[2] not in (None, "Sequential"):
            foreign.append(_written(outer[0], outer[1]))
        foreign += sorted({_written(*name) for name in _names(config.get("config")) if name not in PLAIN})
        if foreign:
            raise ModelError(
                f"{path} was refused: it holds {', '.join(foreign)[:200]}, and what is not a Sequential of Keras's "
                "plain layers could run code on this machine."
            )
        most = largest_batch(path, spec, lambda images: cost(config, images))
        _check_weights(path)
    except ModuleNotFoundError as error:
        missing(path, error)
    except (
        zipfile.BadZipFile, ArithmeticError, AttributeError, LookupError, NotImplementedError, OSError, RecursionError,
        RuntimeError, TypeError, ValueError,
    ) as error:  # fmt: skip
        no_network(path, error)
    return most


def _description(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Its config, and the names of the files in it that should not be there."""
    with zipfile.ZipFile(path) as archive:
        foreign = sorted({member.filename for member in archive.infolist()} - MEMBERS)
        if archive.getinfo("config.json").file_size > CONFIG_BYTES:
            raise ValueError("its config.json is far too long")
        config = json.loads(archive.read("config.json"))
    if not isinstance(config, dict):
        raise TypeError("its config.json is no object")
    return config, foreign


def _check_weights(path: Path) -> None:
    """ValueError where the weights are larger unpacked than the file may be: HDF5 packs zeros, and claims."""
    import h5py

    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as weights:
        total = 0

        def add(name: str, one: Any) -> None:
            nonlocal total
            total += prod(one.shape) * one.dtype.itemsize if isinstance(one, h5py.Dataset) else 0

        weights.visititems(add)
    if total > memory_limit.UNPACKED_BYTES:
        raise ValueError(f"its weights take more than {memory_limit.UNPACKED_BYTES // 10**6:,} MB")


def _names(node: Any) -> Iterator[tuple[Any, Any]]:
    """(module, class) of every object described in a config; one registered under another name bears that name."""
    if isinstance(node, dict):
        if "class_name" in node:
            name, registered = node["class_name"], node.get("registered_name")
            yield str(node.get("module")), str(name if registered in (None, name) else registered)
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


def _written(module: Any, name: Any) -> str:
    return f"{module}.{name}" if module and module != "None" else f"a {name}"


def cost(config: dict[str, Any], images: int) -> Cost:
    """Of a call with so many. ValueError, TypeError and their like where the layers do not fit each other."""
    first, *layers = config["config"]["layers"]
    if first["class_name"] != "InputLayer":
        raise ValueError("it does not begin with an InputLayer")
    shape = start = tuple(map(_whole, first["config"]["batch_shape"][1:]))
    elements = work = 0
    for layer in layers:
        _check_built(layer, shape)
        if _settings(layer).get("lora_rank") is not None:
            raise ValueError("LoRA is not for networks that are done")
        before = size_of(shape)
        shape, weights, each = LAYERS[layer["class_name"]](_settings(layer), shape)
        elements += images * size_of(shape) + 2 * weights  # made at random first, and then as the file has them
        work += images * (size_of(shape) * each + READ * (before + size_of(shape)))
    _check_built(config, start)
    _check_built({"build_config": {"input_shape": config["config"].get("build_input_shape")}}, start)
    return Cost(elements, work)


def _check_built(layer: dict[str, Any], shape: Shape) -> None:
    """ValueError where it asks for weights for another input than it gets: Keras makes them at once."""
    built = (layer.get("build_config") or {}).get("input_shape")
    if built is not None and list(built) != [None, *shape]:
        raise ValueError(f"a layer is built for {str(built)[:60]} and gets {[None, *shape]}")
    if (layer.get("build_config") or {}).keys() - {"input_shape"}:
        raise ValueError("a layer that is built in a way of its own")


def _settings(layer: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = layer["config"]
    if settings.get("data_format") not in (None, "channels_last"):
        raise ValueError("its channels come first")
    return settings


def _whole(value: Any) -> int:
    """A size; true and 3.0 are none."""
    if type(value) is not int or value < 0:
        raise TypeError(f"{str(value)[:30]} where a whole number is due")
    return value


def _two(value: Any) -> tuple[int, int]:
    """A number for each side, or one for both."""
    one, other = value if isinstance(value, list) else (value, value)
    return _whole(one), _whole(other)


def _four(value: Any) -> tuple[int, int]:
    """What is put to, or taken from, the height and the width: a pair for each side."""
    if not isinstance(value, list):
        value = [value, value]
    return sum(_two(value[0])), sum(_two(value[1]))


def _windows(settings: dict[str, Any], shape: Shape, kernel: tuple[int, int]) -> Shape:
    """The places of a window on the picture."""
    strides = _two(settings["strides"]) if settings.get("strides") is not None else kernel
    dilations = _two(settings.get("dilation_rate", 1))
    if settings["padding"] == "same":
        return tuple(-(-size // stride) for size, stride in zip(shape[:2], strides, strict=True))
    return tuple(slid(shape[at], kernel[at], stride=strides[at], dilation=dilations[at]) for at in (0, 1))


def _convolved(settings: dict[str, Any], shape: Shape) -> Sized:
    kernel, filters = _two(settings["kernel_size"]), _whole(settings["filters"])
    each = prod(kernel) * shape[2]
    return (*_windows(settings, shape, kernel), filters), (each + 1) * filters, each


def _convolved_depthwise(settings: dict[str, Any], shape: Shape) -> Sized:
    kernel, channels = _two(settings["kernel_size"]), shape[2] * _whole(settings["depth_multiplier"])
    return (*_windows(settings, shape, kernel), channels), (prod(kernel) + 1) * channels, prod(kernel)


def _pooled(settings: dict[str, Any], shape: Shape) -> Sized:
    window = _two(settings["pool_size"])
    return (*_windows(settings, shape, window), shape[2]), 0, prod(window)


def _pooled_whole(settings: dict[str, Any], shape: Shape) -> Sized:
    return ((1, 1, shape[2]) if settings.get("keepdims") else (shape[2],)), 0, 0


def _padded(settings: dict[str, Any], shape: Shape) -> Sized:
    height, width = _four(settings["padding"])
    return (shape[0] + height, shape[1] + width, shape[2]), 0, 0


def _cropped(settings: dict[str, Any], shape: Shape) -> Sized:
    height, width = _four(settings["cropping"])
    return (shape[0] - height, shape[1] - width, shape[2]), 0, 0


def _dense(settings: dict[str, Any], shape: Shape) -> Sized:
    units = _whole(settings["units"])
    return (*shape[:-1], units), (shape[-1] + 1) * units, shape[-1]


def _same(settings: dict[str, Any], shape: Shape) -> Sized:
    return shape, 4 * shape[-1], 0  # batch norm's


LAYERS: dict[str, Callable[[dict[str, Any], Shape], Sized]] = {
    "Conv2D": _convolved,
    "DepthwiseConv2D": _convolved_depthwise,
    "BatchNormalization": _same,
    "ReLU": _same,
    "Dropout": _same,
    "MaxPooling2D": _pooled,
    "AveragePooling2D": _pooled,
    "GlobalAveragePooling2D": _pooled_whole,
    "GlobalMaxPooling2D": _pooled_whole,
    "Cropping2D": _cropped,
    "ZeroPadding2D": _padded,
    "Flatten": lambda settings, shape: ((size_of(shape),), 0, 0),
    "Dense": _dense,
}
PLAIN = {
    *(("keras.layers", name) for name in ("InputLayer", *LAYERS)),
    *(("keras.initializers", name) for name in INITIALIZERS),
    ("keras", "DTypePolicy"),
}
