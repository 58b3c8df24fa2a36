"""From images to the input of a network: one normalisation for every framework and runtime.

    batch = to_float(images)      # uint8 [n, 28, 28] -> float32 [n, 1, 28, 28] in 0..1
    to_nhwc(batch)                # the same with the channel last, for Keras and LiteRT

Evaluation and every runtime call this function, so that they cannot differ; a training step divides by the same 255 on
its own device, where the images are bytes. No mean or deviation is subtracted: the background stays 0, which is also
what a padded convolution sees beyond the frame. This module does not find digits in a picture.
"""

import numpy as np
import numpy.typing as npt

SIDE = 28  # pixels, both ways
# Made once: a single image takes 2 µs in all, and these would take 0.5 µs of it.
_BYTE, _FLOAT, _SQUARE, _WHITE = np.dtype(np.uint8), np.dtype(np.float32), (SIDE, SIDE), np.full((), 255, np.float32)


def to_float(images_nhw: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Images uint8 [n, 28, 28], white ink (255) on black (0), as float32 [n, 1, 28, 28] in 0..1: x / 255.

    Raises ValueError for another type or shape: a float image may be scaled already, and scaling it twice would not be
    noticed.
    """
    if images_nhw.dtype != _BYTE or images_nhw.shape[1:] != _SQUARE:
        raise ValueError(f"expected images uint8 [n, {SIDE}, {SIDE}], got {images_nhw.dtype} {list(images_nhw.shape)}")
    batch_nhw = images_nhw.astype(_FLOAT)
    np.divide(batch_nhw, _WHITE, batch_nhw)  # in place: a division with conversion takes twice the time
    return batch_nhw[:, np.newaxis]


def to_nhwc(batch_nchw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[n, 1, 28, 28] as [n, 28, 28, 1], channels last: there is one channel, so no number moves (a view)."""
    return batch_nchw.reshape(-1, SIDE, SIDE, 1)
