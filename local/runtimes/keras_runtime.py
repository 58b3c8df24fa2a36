"""Keras models (`.keras`) on TensorFlow, traced into a graph once: without one, a single image takes milliseconds.

Files are pulled from elsewhere: `keras_config` reads what a file names and asks for, and refuses what is not plain,
before Keras sees it; `safe_mode`, which keeps lambdas out, is on beside that.

TensorFlow fixes its threads when it first computes in a process: the first model loaded decides for all.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from local.model_files import keras_config, memory_limit
from local.model_files.formats import missing, no_network, wrong_input
from local.runtimes.loading import check_logits, in_parts
from shared.data.preprocessing import SIDE, to_float, to_nhwc

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class KerasRuntime:
    """A model as a graph of TensorFlow that takes float32 [n, 28, 28, 1], for n up to `most`."""

    graph: Any
    classes: int
    most: int
    name: str = "keras"

    def logits(self, images_nhw: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8 [n, 28, 28]."""
        if not 0 < len(images_nhw) <= self.most:
            return in_parts(self, images_nhw)
        return np.asarray(self.graph(_tensor(images_nhw)), np.float32)

    def bare(self, images_nhw: NDArray[np.uint8]) -> Callable[[], object]:
        """The graph's call on these images."""
        batch = _tensor(images_nhw)
        return lambda: self.graph(batch)


def load(path: Path, *, threads: int = 1, architecture: str | None = None) -> KerasRuntime:
    """The model as a graph; `architecture` is not asked for, a Keras file carries its own."""
    most = keras_config.check(path)
    model = _built(path, threads=threads)
    takes, due = str(list(model.input_shape)), [None, SIDE, SIDE, 1]
    if list(model.input_shape) != due:
        wrong_input(path, takes, str(due))
    graph = _trace(model)
    try:
        probe = np.asarray(graph(_tensor(np.zeros((2, SIDE, SIDE), np.uint8))))
    except Exception as error:  # noqa: BLE001 (TensorFlow's errors share no class of their own)
        no_network(path, error)
    return KerasRuntime(graph=graph, classes=check_logits(probe, path, images=2), most=most)


def build(path: Path) -> "keras.Model":
    """The model with its weights, not compiled; ModelError if it names anything but plain layers, or takes too much."""
    with memory_limit.limited(path):
        keras_config.check(path)
        return _built(path)


def _built(path: Path, *, threads: int | None = None) -> "keras.Model":
    try:
        from shared.frameworks.start_keras import keras, tensorflow
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


def _trace(model: "keras.Model") -> Any:
    """The model as one graph for every batch size, in inference mode: dropout off, batch norm's running statistics."""
    from shared.frameworks.start_keras import tensorflow

    signature = [tensorflow.TensorSpec((None, SIDE, SIDE, 1), tensorflow.float32)]
    traced = tensorflow.function(lambda images: model(images, training=False), signature, autograph=False)
    return traced.get_concrete_function()


def _tensor(images_nhw: NDArray[np.uint8]) -> Any:
    """[n, 28, 28, 1], as a tensor."""
    from shared.frameworks.start_keras import tensorflow

    return tensorflow.constant(to_nhwc(to_float(images_nhw)))
