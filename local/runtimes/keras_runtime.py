"""Keras models (`.keras`) on TensorFlow, traced into a graph once: without one, a single image takes milliseconds.

A `.keras` file names classes by module, and Keras imports and calls what is named. Files are pulled from elsewhere, so
the names are read first, and anything but the plain layers below is refused before Keras sees the file; `safe_mode`,
which keeps lambdas out, is on beside that.

TensorFlow fixes its threads when it first computes in a process: the first model loaded decides for all.
"""

import contextlib
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from local.runtimes import check_logits, missing, no_network, wrong_input
from shared.errors import ModelError
from shared.preprocessing import SIDE, to_float, to_nhwc

if TYPE_CHECKING:
    import keras

LAYERS = (
    "InputLayer", "Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "MaxPooling2D", "AveragePooling2D",
    "GlobalAveragePooling2D", "GlobalMaxPooling2D", "Cropping2D", "ZeroPadding2D", "Flatten", "Dense", "Dropout",
)  # fmt: skip
INITIALIZERS = ("Zeros", "Ones", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal")
PLAIN = {
    *(("keras.layers", name) for name in LAYERS),
    *(("keras.initializers", name) for name in INITIALIZERS),
    ("keras", "DTypePolicy"),
}
MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}  # of the zip archive that a .keras file is
CONFIG_BYTES = 1_000_000  # no network of ours describes itself in a tenth of that


@dataclass(frozen=True, kw_only=True)
class KerasRuntime:
    """A model as a graph of TensorFlow that takes float32 [n, 28, 28, 1]."""

    graph: Any
    classes: int
    name: str = "keras"

    def logits(self, images_nhw: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8 [n, 28, 28]."""
        if not len(images_nhw):
            return np.empty((0, self.classes), np.float32)
        return np.asarray(self.graph(_tensor(images_nhw)), np.float32)

    def bare(self, images_nhw: NDArray[np.uint8]) -> Callable[[], object]:
        """The graph's call on these images."""
        batch = _tensor(images_nhw)
        return lambda: self.graph(batch)


def load(path: Path, *, threads: int = 1, architecture: str | None = None) -> KerasRuntime:
    """The model as a graph; `architecture` is not asked for, a Keras file carries its own."""
    model = build(path, threads=threads)
    takes, due = str(list(model.input_shape)), [None, SIDE, SIDE, 1]
    if list(model.input_shape) != due:
        wrong_input(path, takes, str(due))
    graph = _trace(model)
    try:
        probe = np.asarray(graph(_tensor(np.zeros((2, SIDE, SIDE), np.uint8))))
    except Exception as error:  # noqa: BLE001 (TensorFlow's errors share no class of their own)
        no_network(path, error)
    return KerasRuntime(graph=graph, classes=check_logits(probe, path, images=2))


def build(path: Path, *, threads: int | None = None) -> "keras.Model":
    """The model with its weights, not compiled; ModelError if it names anything but plain layers."""
    check_plain(path)
    try:
        from shared.start_keras import keras, tensorflow
    except ModuleNotFoundError as error:
        missing(path, error)
    if threads is not None:
        with contextlib.suppress(RuntimeError):  # it has computed before, and keeps the threads it has
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    try:
        model: keras.Model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001 (what a damaged file raises is nobody's contract)
        no_network(path, error)
    return model


def check_plain(path: Path) -> None:
    """Returns if the file is a row of plain layers; ModelError for a class, function or file that is not of them.

    Nothing is unpacked but its description, and that only where it is of a size that a network's has. What it says of
    its training (optimizer, loss) is not looked at: it is not loaded.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            foreign = sorted({member.filename for member in archive.infolist()} - MEMBERS)
            if archive.getinfo("config.json").file_size > CONFIG_BYTES:
                raise ValueError("its config.json is far too long")
            config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise TypeError("its config.json is no object")
    except (zipfile.BadZipFile, OSError, KeyError, ValueError, TypeError, RecursionError, NotImplementedError) as error:
        no_network(path, error)
    outer = (config.get("module"), config.get("class_name"), config.get("registered_name"))
    if outer[:2] != ("keras", "Sequential") or outer[2] not in (None, "Sequential"):
        foreign.append(_written(outer[0], outer[1]))
    foreign += sorted({_written(*name) for name in _names(config.get("config")) if name not in PLAIN})
    if foreign:
        raise ModelError(
            f"{path} was refused: it holds {', '.join(foreign)[:200]}, and what is not a Sequential of Keras's plain "
            "layers could run code on this machine."
        )


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


def _trace(model: "keras.Model") -> Any:
    """The model as one graph for every batch size, in inference mode: dropout off, batch norm's running statistics."""
    from shared.start_keras import tensorflow

    signature = [tensorflow.TensorSpec((None, SIDE, SIDE, 1), tensorflow.float32)]
    traced = tensorflow.function(lambda images: model(images, training=False), signature, autograph=False)
    return traced.get_concrete_function()


def _tensor(images_nhw: NDArray[np.uint8]) -> Any:
    """[n, 28, 28, 1], as a tensor."""
    from shared.start_keras import tensorflow

    return tensorflow.constant(to_nhwc(to_float(images_nhw)))
