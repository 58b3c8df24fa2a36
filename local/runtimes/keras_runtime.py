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
from shared.core.input_spec import InputSpec
from shared.data.preprocessing import to_float, to_nhwc
from shared.data.registry import GLYPH

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class KerasRuntime:
    """A model as a graph of TensorFlow that takes float32 [n, h, w, c], for n up to `most`."""

    graph: Any
    spec: InputSpec
    classes: int
    most: int
    name: str = "keras"

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8."""
        if not 0 < len(images) <= self.most:
            return in_parts(self, images)
        return np.asarray(self.graph(_tensor(images, self.spec)), np.float32)

    def bare(self, images: NDArray[np.uint8]) -> Callable[[], object]:
        """The graph's call on these images."""
        batch = _tensor(images, self.spec)
        return lambda: self.graph(batch)


def load(
    path: Path, *, spec: InputSpec, threads: int = 1, architecture: str | None = None, classes: int = 0
) -> KerasRuntime:
    """The model as a graph; the others are not asked for, a Keras file carries its own network."""
    most = keras_config.check(path, spec)
    model = _built(path, threads=threads)
    takes, due = str(list(model.input_shape)), [None, *spec.shape_hwc]
    if list(model.input_shape) != due:
        wrong_input(path, takes, str(due), spec)
    graph = _trace(model, spec)
    try:
        probe = np.asarray(graph(_tensor(np.zeros((2, *spec.shape_of_bytes), np.uint8), spec)))
    except Exception as error:  # noqa: BLE001 (TensorFlow's errors share no class of their own)
        no_network(path, error)
    return KerasRuntime(graph=graph, spec=spec, classes=check_logits(probe, path, spec, images=2), most=most)


def build(path: Path, spec: InputSpec = GLYPH) -> "keras.Model":
    """The model with its weights, not compiled; ModelError if it names anything but plain layers, or takes too much."""
    with memory_limit.limited(path):
        keras_config.check(path, spec)
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


def _trace(model: "keras.Model", spec: InputSpec) -> Any:
    """The model as one graph for every batch size, in inference mode: dropout off, batch norm's running statistics."""
    from shared.frameworks.start_keras import tensorflow

    signature = [tensorflow.TensorSpec((None, *spec.shape_hwc), tensorflow.float32)]
    traced = tensorflow.function(lambda images: model(images, training=False), signature, autograph=False)
    return traced.get_concrete_function()


def _tensor(images: NDArray[np.uint8], spec: InputSpec) -> Any:
    """float32 [n, h, w, c], as a tensor."""
    from shared.frameworks.start_keras import tensorflow

    return tensorflow.constant(to_nhwc(to_float(images, spec), spec))
