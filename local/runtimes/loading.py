"""One file a runtime: uint8 images as the model's `InputSpec` has them in, float32 logits [n, classes] out.

    runtime = load(Path("models/compact-torch/model.onnx"), threads=1)     # of a network that takes glyphs
    logits = runtime.logits(images)

The suffix of the file says which: `local.model_files.formats`. Each runtime imports its framework inside its own
`load`, so that a machine needs only the one it uses. No preprocessing but `shared.data.preprocessing.to_float`, the
same for all. Whether a file may be trusted is asked in `local.models.registry`; that it is what its suffix says is seen
to here.
"""

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from local.model_files import content, formats, memory_limit
from shared.core.errors import ModelError
from shared.core.input_spec import InputSpec
from shared.data.registry import GLYPH
from shared.frameworks.silence import silent_output

logger = logging.getLogger(__name__)


class Runtime(Protocol):
    """A network ready to run on this machine's processor."""

    @property
    def name(self) -> str:
        """The framework's name, such as "onnxruntime"."""

    @property
    def spec(self) -> InputSpec:
        """What an image is."""

    @property
    def classes(self) -> int:
        """How many logits an image gets."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8 [n, h, w], or [n, h, w, c], as `spec` has them; n may be 0."""

    def bare(self, images: NDArray[np.uint8]) -> Callable[[], object]:
        """The framework's own call on these images, all that can be prepared done: what is paid without us."""


class Bounded(Runtime, Protocol):
    """One that knows how many images a call may have; what more would take is not known."""

    @property
    def most(self) -> int:
        """So many."""


def load(
    path: Path, *, threads: int = 1, architecture: str | None = None, spec: InputSpec = GLYPH, classes: int = 0
) -> Runtime:
    """The runtime for that file, on so many threads, of a network that takes images as `spec` has them.

    `architecture` names the network of bare weights (`.pth`), which tells `classes` apart: the architecture's own
    number where that is 0. Raises ModelError where the suffix is unknown or another than the content's, the framework
    is not installed, the file takes more memory than a network (`memory_limit`), or is not one that takes such images
    and gives logits.
    """
    module = formats.module_of(path)
    content.check(path)
    loader = importlib.import_module(f"local.runtimes.{module}")
    # Frameworks report how they set themselves up, some on stdout; their failures come as exceptions.
    with memory_limit.limited(path), silent_output():
        runtime: Runtime = loader.load(path, threads=threads, architecture=architecture, spec=spec, classes=classes)
    logger.info("runtime: %s (threads: %d) for %s", runtime.name, threads, path)
    return runtime


def in_parts(runtime: Bounded, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of none, or of more images than one call may have, a part at a time."""
    starts = range(0, len(images), runtime.most)
    parts = [runtime.logits(images[start : start + runtime.most]) for start in starts]
    return np.concatenate([np.empty((0, runtime.classes), np.float32), *parts])


def check_outputs(count: int, path: Path) -> None:
    """Returns if a network has one output; ModelError where it has more, of which one alone could be the logits."""
    if count != 1:
        raise ModelError(f"{path} has {count} outputs where one, the logits, is due: not a classifier.")


def check_logits(logits: NDArray[Any], path: Path, spec: InputSpec, *, images: int) -> int:
    """How many classes the logits of `images` images tell apart; ModelError where they are no logits."""
    if logits.dtype != np.float32 or logits.ndim != 2 or logits.shape[0] != images or logits.shape[1] < 2:
        raise ModelError(
            f"{path} gives {logits.dtype} {list(logits.shape)} for {images} images where float32 [{images}, classes] "
            f"are due: not a classifier of {spec} images."
        )
    if not np.isfinite(logits).all():
        raise ModelError(f"{path} gives logits that are no numbers: its training diverged. Train again.")
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-5):
        raise ModelError(f"{path} gives probabilities where logits are due: export it without the softmax at its end.")
    return int(logits.shape[1])
