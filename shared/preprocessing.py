"""From images to what a network takes: the one normalisation, for every framework and runtime.

    batch = to_float(images)      # uint8 [n, 28, 28] -> float32 [n, 1, 28, 28] in 0..1

Evaluation and every runtime call this function, so that none can differ from another; a training step divides by
the same 255 on its own device, where the images lie as bytes.
There is no mean or deviation to subtract: the background stays 0, which is also what a padded convolution
sees beyond the frame. Finding a digit in a picture is not done here.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

SIDE = 28  # pixels, both ways


def to_float(images_nhw: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Images uint8 [n, 28, 28], white ink (255) on black (0), as float32 [n, 1, 28, 28] in 0..1: x / 255.

    Raises ValueError for another type or shape: a float image may be scaled already, and twice goes unseen.
    """
    _check(images_nhw)
    batch_nhw = np.divide(images_nhw, np.float32(255), dtype=np.float32)
    return batch_nhw[:, np.newaxis]


def _check(images_nhw: npt.NDArray[Any]) -> None:
    if images_nhw.dtype != np.uint8 or images_nhw.ndim != 3 or images_nhw.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"expected images uint8 [n, {SIDE}, {SIDE}], got {images_nhw.dtype} {list(images_nhw.shape)}")
