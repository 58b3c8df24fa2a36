"""scikit-learn's 1,797 handwritten digits in MNIST's frame: real data that needs no network.

    train_images, train_labels, test_images, test_labels = load_digits()

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, the test part; 8x8 pixels, 0 to
16. Accuracies on it cannot be compared with MNIST's: the set is small, the pictures are coarse.
"""

import numpy as np
import numpy.typing as npt

from shared.core.errors import DataError
from shared.data.registry import GLYPH
from shared.data.splits import split

SIDE = GLYPH.height  # pixels, both ways
TEST = 360  # of 1,797
INK = 20  # MNIST's digits fill 20x20 pixels in the middle of 28x28


def load_digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Train images, train labels, test images, test labels: 1,437 and 360, the same each time.

    Images uint8 [n, 28, 28], white on black; labels int64 [n]; the classes have the same shares in both.
    Raises DataError without scikit-learn.
    """
    try:
        from sklearn import datasets
    except ModuleNotFoundError:
        raise DataError("digits needs scikit-learn, which is not installed: pip install scikit-learn") from None
    small, labels = datasets.load_digits(return_X_y=True)
    images, labels = framed(small.reshape(-1, 8, 8) / 16), labels.astype(np.int64)
    train, test = split(labels, validation=TEST)
    return images[train], labels[train], images[test], labels[test]


def framed(small_nhw: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Pictures [n, 8, 8] in 0..1 as uint8 [n, 28, 28]: enlarged to 20x20, centre of mass in the middle."""
    grow = _enlarge(small_nhw.shape[1], INK)
    ink_nhw = np.clip(grow @ small_nhw @ grow.T, 0, 1)
    images = np.zeros((len(ink_nhw), SIDE, SIDE), np.uint8)
    for image, ink in zip(images, np.rint(ink_nhw * 255).astype(np.uint8), strict=True):
        top, left = (_offset(ink.sum(axis=axis)) for axis in (1, 0))
        image[top : top + INK, left : left + INK] = ink
    return images


def _enlarge(n: int, to: int) -> npt.NDArray[np.float64]:
    """The matrix [to, n] of linear interpolation between pixel centres; beyond the edge is background."""
    centres = (np.arange(to) + 0.5) * n / to - 0.5
    distances: npt.NDArray[np.float64] = np.abs(centres[:, np.newaxis] - np.arange(n))
    return np.where(distances < 1, 1 - distances, 0)


def _offset(profile: npt.NDArray[np.integer]) -> int:
    """Where 20 pixels must begin in 28 so that the centre of their ink is in the middle."""
    centre = (profile * (np.arange(INK) + 0.5)).sum() / profile.sum()
    return int(np.clip(round(SIDE / 2 - centre), 0, SIDE - INK))
