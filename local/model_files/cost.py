"""What running a network takes, known before it runs; and the error for one that would take too much.

    most = largest_batch(path, spec, lambda images: Cost(elements=…, work=…))     # images a call, ModelError

Each format has its own way to its figures (`onnx_cost`, `keras_config`, `litert_runtime`). They are of the file alone,
never of what a picture holds: a network with steps whose cost depends on that is not run at all (`not_plain`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import NoReturn

from shared.core.errors import ModelError, plain
from shared.core.input_spec import InputSpec

# Values of all layers together, as if none of their memory were used twice: 0.7 GB in float32, 1.4 GB in float64.
MOST_ELEMENTS = 170_000_000
# Multiplications a picture: a quarter of a second on one core, and more than `best@8` takes, the largest network here.
MOST_WORK = 2_000_000_000
BATCHES = (256, 64, 16, 4, 2)  # images a call; the first that fits. Two are what a file is tried with.
READ = 8  # multiplications that reading or writing a value counts for: an exponential takes as long


@dataclass(frozen=True)
class Cost:
    """Values that all steps of a call write, and the multiplications they take."""

    elements: int
    work: int


def largest_batch(path: Path, spec: InputSpec, cost_of: Callable[[int], Cost]) -> int:
    """How many images a call may have, by what so many cost; ModelError where even two cost too much."""
    for images in BATCHES:
        cost = cost_of(images)
        if cost.elements <= MOST_ELEMENTS and cost.work <= MOST_WORK * images:
            return images
    if cost.elements > MOST_ELEMENTS:
        raise too_large(path, spec, images)
    raise _refused(path, spec, f"one picture would take more than {MOST_WORK / 10**9:g} billion multiplications")


def too_large(path: Path, spec: InputSpec, images: int) -> ModelError:
    """The error for a network that takes more memory than a call may."""
    return _refused(path, spec, f"{images} pictures would take more than {4 * MOST_ELEMENTS / 10**9:.1g} GB of memory")


def _refused(path: Path, spec: InputSpec, why: str) -> ModelError:
    return ModelError(f"{path} was refused: {why}, which no network for {spec} pictures needs.")


def not_plain(path: Path, names: Iterable[str]) -> NoReturn:
    """The error for a network with steps whose cost is not known before they run."""
    held = ", ".join(sorted({plain(name)[:60] for name in names}))
    raise ModelError(
        f"{path} was refused: it holds {held[:160]}. Only plain layers are run: their time and memory are known "
        "beforehand."
    )


def slid(size: int, kernel: int, *, stride: int = 1, dilation: int = 1, pads: int = 0, ceil: bool = False) -> int:
    """How many places a window has along an axis. ValueError where that makes no sense."""
    if min(kernel, stride, dilation) < 1:
        raise ValueError("a window or step below 1")
    room = size + pads - dilation * (kernel - 1) - 1
    return max(0, (-(-room // stride) if ceil else room // stride) + 1)


def size_of(shape: Sequence[int]) -> int:
    """The number of values in a tensor. ValueError for a size below 0."""
    if any(size < 0 for size in shape):
        raise ValueError("a size below 0")
    return prod(shape)
