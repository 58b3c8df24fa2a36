"""One file a runtime: uint8 images [n, 28, 28] in, float32 logits [n, classes] out.

    runtime = load(Path("models/compact-torch/model.onnx"), threads=1)
    logits = runtime.logits(images)

The suffix of the file says which: `SUFFIXES`, best first. Each runtime imports its framework inside its own `load`,
so that a machine needs only the one it uses. No preprocessing but `shared.preprocessing.to_float`, the same for all.
Whether a file may be trusted is asked in `local.models`; that it is what its suffix says is seen to here.
"""

import importlib
import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from local.runtimes import content, room
from shared.errors import ModelError
from shared.silence import silent_output

logger = logging.getLogger(__name__)

# suffix -> module of this package; the order is the order of preference within a model folder
SUFFIXES = {".onnx": "onnx_runtime", ".tflite": "litert_runtime", ".pth": "torch_runtime", ".keras": "keras_runtime"}
# module of this package -> what it imports, and what pip calls that
PACKAGES = {
    "onnx_runtime": (("onnxruntime",), "onnxruntime"),
    "litert_runtime": (("ai_edge_litert",), "ai-edge-litert"),
    "torch_runtime": (("torch",), "torch"),
    "keras_runtime": (("tensorflow", "keras"), "tensorflow keras"),
}
# what else people have, and the way from there
OTHERS = {
    ".pt2": "a torch.export program is for other hosts; run the .pth or .onnx it was made from",
    ".pt": "if it holds a state dict, rename it to .pth",
    ".h5": "Keras's old format; load it in Keras and save it as .keras",
    ".pb": "TensorFlow's own format; convert it to .tflite",
}


class Runtime(Protocol):
    """A network ready to run on this machine's processor."""

    @property
    def name(self) -> str:
        """The framework's name, such as "onnxruntime"."""

    @property
    def classes(self) -> int:
        """How many logits an image gets."""

    def logits(self, images_nhw: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8 [n, 28, 28], white ink on black; n may be 0."""

    def bare(self, images_nhw: NDArray[np.uint8]) -> Callable[[], object]:
        """The framework's own call on these images, all that can be prepared done: what is paid without us."""


class Bounded(Runtime, Protocol):
    """One that knows how many images a call may have; what more would take is not known."""

    @property
    def most(self) -> int:
        """So many."""


def load(path: Path, *, threads: int = 1, architecture: str | None = None) -> Runtime:
    """The runtime for that file, on so many threads. `architecture` names the network of bare weights (`.pth`).

    Raises ModelError where the suffix is unknown or another than the content's, the framework is not installed, the
    file takes more room than a network (`room`), or is not one that takes 28x28 images and gives logits.
    """
    module = module_of(path)
    content.check(path)
    loader = importlib.import_module(f"local.runtimes.{module}")
    # Frameworks report how they set themselves up, some on stdout; their failures come as exceptions.
    with room.limited(path), silent_output():
        runtime: Runtime = loader.load(path, threads=threads, architecture=architecture)
    logger.info("runtime: %s (threads: %d) for %s", runtime.name, threads, path)
    return runtime


def in_parts(runtime: Bounded, images_nhw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of none, or of more images than one call may have, a part at a time."""
    starts = range(0, len(images_nhw), runtime.most)
    parts = [runtime.logits(images_nhw[start : start + runtime.most]) for start in starts]
    return np.concatenate([np.empty((0, runtime.classes), np.float32), *parts])


def module_of(path: Path) -> str:
    """Which module of this package runs the file; ModelError where none does."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    why = f" ({OTHERS[suffix]})" if suffix in OTHERS else ""
    raise ModelError(f"{path}: no runtime for {suffix or 'a file without suffix'}{why}: {known()}")


def installed(path: Path) -> bool:
    """Whether the framework that runs the file is on this machine; nothing is imported."""
    packages, _ = PACKAGES[module_of(path)]
    return all(importlib.util.find_spec(package) is not None for package in packages)


def known() -> str:
    """The suffixes that can be run, in words."""
    return f"those that run are {', '.join(SUFFIXES)}"


def missing(path: Path, error: ModuleNotFoundError) -> NoReturn:
    """The error for a file whose framework is not installed, with the line that installs it.

    Where the framework is there and what is missing is a module that it needs, that one is named.
    """
    packages, pip = PACKAGES[module_of(path)]
    needs = f"{path} needs {pip.replace(' ', ' and ')}"
    if (error.name or "").partition(".")[0] in packages:
        raise ModelError(f"{needs}, not installed here: pip install {pip}") from None
    raise ModelError(f"{needs}, not whole here: {_first_line(error)}. Install that as well.") from None


def no_network(path: Path, reason: object) -> NoReturn:
    """The error for a file that its framework cannot read; the reason is cut to its first line."""
    raise ModelError(f"{path} cannot be read: {_first_line(reason)}. Pull or train the model again.") from None


def _first_line(reason: object) -> str:
    return next(iter(str(reason).strip().splitlines()), type(reason).__name__)[:200]


def wrong_input(path: Path, takes: str, due: str) -> NoReturn:
    """The error for a network that is made for other images than ours."""
    raise ModelError(f"{path} takes {takes} where {due} with a free batch is due: not a network of 28x28 grey images.")


def check_outputs(count: int, path: Path) -> None:
    """Returns if a network has one output; ModelError where it has more, of which one alone could be the logits."""
    if count != 1:
        raise ModelError(f"{path} has {count} outputs where one, the logits, is due: not a classifier.")


def check_logits(logits: NDArray[Any], path: Path, *, images: int) -> int:
    """How many classes the logits of `images` images tell apart; ModelError where they are no logits."""
    if logits.dtype != np.float32 or logits.ndim != 2 or logits.shape[0] != images or logits.shape[1] < 2:
        raise ModelError(
            f"{path} gives {logits.dtype} {list(logits.shape)} for {images} images where float32 [{images}, classes] "
            "are due: not a classifier of 28x28 images."
        )
    if not np.isfinite(logits).all():
        raise ModelError(f"{path} gives logits that are no numbers: its training diverged. Train again.")
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-5):
        raise ModelError(f"{path} gives probabilities where logits are due: export it without the softmax at its end.")
    return int(logits.shape[1])
