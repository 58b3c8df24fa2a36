"""One file a runtime: uint8 images [n, 28, 28] in, float32 logits [n, classes] out.

    runtime = load(Path("models/compact-torch/model.onnx"), threads=1)
    logits = runtime.logits(images)

The suffix of the file says which: `SUFFIXES`, best first. Each runtime imports its framework inside its own `load`,
so that a machine needs only the one it uses. No preprocessing but `shared.preprocessing.to_float`, the same for all.
Whether a file may be trusted is asked in `local.models`.
"""

import importlib
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelError

# suffix -> module of this package; the order is the order of preference within a model folder
SUFFIXES = {".onnx": "onnx_runtime", ".pth": "torch_runtime"}


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


def load(path: Path, *, threads: int = 1, architecture: str | None = None) -> Runtime:
    """The runtime for that file, on so many threads. `architecture` names the network of bare weights (`.pth`).

    Raises ModelError where the suffix is unknown, the framework is not installed, or the file is not a network
    that takes 28x28 images and gives logits.
    """
    module = SUFFIXES.get(path.suffix.lower())
    if module is None:
        raise ModelError(f"{path}: no runtime for {path.suffix or 'a file without suffix'}: {known()}")
    loader = importlib.import_module(f"local.runtimes.{module}")
    runtime: Runtime = loader.load(path, threads=threads, architecture=architecture)
    return runtime


def known() -> str:
    """The suffixes that can be run, in words."""
    return f"those that run are {', '.join(SUFFIXES)}"


def missing(package: str, path: Path) -> NoReturn:
    """The error for a framework that is not installed, with the line that installs it."""
    raise ModelError(f"{path} needs {package}, which is not installed: pip install {package}") from None


def no_network(path: Path, reason: object) -> NoReturn:
    """The error for a file that its framework cannot read; the reason is cut to its first line."""
    first = next(iter(str(reason).strip().splitlines()), type(reason).__name__)
    raise ModelError(f"{path} cannot be read: {first[:200]}. Pull or train the model again.") from None


def check_logits(logits: NDArray[Any], path: Path, *, images: int) -> int:
    """How many classes the logits of `images` images tell apart; ModelError where they are no logits."""
    if logits.ndim != 2 or logits.shape[0] != images or logits.shape[1] < 2:
        raise ModelError(
            f"{path} gives {list(logits.shape)} for {images} images where logits [{images}, classes] are due: "
            "not a classifier of 28x28 images."
        )
    if not np.isfinite(logits).all():
        raise ModelError(f"{path} gives logits that are no numbers: its training diverged. Train again.")
    return int(logits.shape[1])
