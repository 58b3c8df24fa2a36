"""From images to the input of a network: one normalisation for every framework and runtime.

    batch = to_float(images, spec)      # uint8 [n, 28, 28] -> float32 [n, 1, 28, 28] in 0..1, where the spec says so
    to_nhwc(batch, spec)                # the same with the channels last, for Keras and LiteRT

Evaluation and every runtime call this function, so that none can differ from another; a training step does the same on
its own device, where the images lie as bytes. Digits have no mean or deviation to subtract: the background stays 0,
which is also what a padded convolution sees beyond the frame. Finding a digit in a picture is not done here.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from shared.core.input_spec import InputSpec

_BYTE, _FLOAT = np.dtype(np.uint8), np.dtype(np.float32)


class _Numbers(NamedTuple):
    """A spec's numbers as numpy takes them. Made once: one image takes 2 µs in all, of which these would be a half."""

    shape: tuple[int, ...]
    white: npt.NDArray[np.float32]  # the byte that becomes 1
    mean: npt.NDArray[np.float32] | None
    std: npt.NDArray[np.float32] | None


@lru_cache(maxsize=64)
def _numbers(spec: InputSpec) -> _Numbers:
    white = np.full((), 1 / spec.scale, np.float32)
    mean, std = (np.array(values, np.float32) if spec.is_shifted else None for values in (spec.mean, spec.std))
    return _Numbers(spec.shape_of_bytes, white, mean, std)


def to_float(images: npt.NDArray[np.uint8], spec: InputSpec) -> npt.NDArray[np.float32]:
    """Images uint8 [n, h, w], or [n, h, w, c] of several channels, as float32 [n, c, h, w]: see `InputSpec`.

    Raises ValueError for another type or shape: a float image may be scaled already, and scaling it twice would not be
    noticed.
    """
    shape, white, mean, std = _numbers(spec)
    if images.dtype != _BYTE or images.shape[1:] != shape:
        due = ", ".join(map(str, shape))
        raise ValueError(f"expected images uint8 [n, {due}], got {images.dtype} {list(images.shape)}")
    batch = images.astype(_FLOAT)
    np.divide(batch, white, batch)  # in place: a division with conversion takes twice the time
    if mean is not None and std is not None:
        batch -= mean
        batch /= std
    return batch[:, np.newaxis] if len(shape) == 2 else batch.transpose(0, 3, 1, 2)


def to_nhwc(batch_nchw: npt.NDArray[np.float32], spec: InputSpec) -> npt.NDArray[np.float32]:
    """[n, c, h, w] as [n, h, w, c], channels last: where there is one channel, no number moves (a view)."""
    if spec.channels == 1:
        return batch_nchw.reshape(-1, *spec.shape_hwc)
    return batch_nchw.transpose(0, 2, 3, 1)
