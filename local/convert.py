"""Weights from one format into another, kept only if they say the same as before.

    export = export_onnx(folder / "model.pth", folder / "model.onnx", architecture="compact")

The target is written in one step, after the check. The manifest is the caller's to extend.
"""

import io
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from local import runtimes
from local.runtimes import torch_runtime
from shared.errors import ModelError
from shared.preprocessing import SIDE

if TYPE_CHECKING:
    from torch import nn

TOLERANCE = 1e-4  # the largest difference of any logit
CHECKED_IMAGES = 256


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file that was written; `difference` is the largest between its logits and those of its source."""

    file: Path
    difference: float
    seconds: float


def export_onnx(source: Path, target: Path, *, architecture: str) -> Export:
    """PyTorch weights as one ONNX file: "images" float32 [batch, 1, 28, 28] in 0..1 in, "logits" [batch, classes] out.

    Batch norm is folded into the convolutions by the exporter. Raises ModelError, and leaves what was at `target`,
    if the weights do not fit the architecture or the logits differ by more than 1e-4.
    """
    start = time.perf_counter()
    module = torch_runtime.build(source, architecture)
    part = target.with_name(f".{target.stem}.part{target.suffix}")
    try:
        _write_onnx(module, part)
        difference = largest_difference(runtimes.load(source, architecture=architecture), runtimes.load(part), probes())
        if not difference <= TOLERANCE:
            raise ModelError(
                f"{target} was not kept: its logits differ from those of {source} by {difference:.2g}, "
                f"more than {TOLERANCE:g}."
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return Export(file=target, difference=difference, seconds=time.perf_counter() - start)


def _write_onnx(module: "nn.Module", path: Path) -> None:
    """The exporter's work, its progress and its remarks on its own internals kept off the terminal."""
    import torch

    example = torch.zeros(2, 1, SIDE, SIDE)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            path,
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
        )


def probes() -> NDArray[np.uint8]:
    """Images uint8 [256, 28, 28] to compare two runtimes on: empty, full, noise, and ever more ink. Always the same."""
    random = np.random.RandomState(0)
    noise = random.randint(0, 256, (CHECKED_IMAGES, SIDE, SIDE))
    inked = random.rand(CHECKED_IMAGES, SIDE, SIDE) < np.linspace(0, 1, CHECKED_IMAGES)[:, None, None]
    return (noise * inked).astype(np.uint8)


def largest_difference(one: runtimes.Runtime, other: runtimes.Runtime, images_nhw: NDArray[np.uint8]) -> float:
    """The largest absolute difference of any logit over the images."""
    return float(np.abs(one.logits(images_nhw) - other.logits(images_nhw)).max())
