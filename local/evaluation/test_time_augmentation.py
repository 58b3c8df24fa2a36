"""Test-time augmentation: a network answers by the mean of its logits over several views of each image.

    reader = Viewed(models.open_runtime(model))
    reader.logits(images)                 # float32 [n, classes], for five times the work

The views are those that one hand gives a digit: as it is, turned a little either way, a little smaller and larger.
Which ones was chosen on the validation images. As Krizhevsky, Sutskever and Hinton do with crops (ImageNet
Classification with Deep Convolutional Neural Networks, 2012, section 4.1), but the mean is of logits here, not of
probabilities.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from local.runtimes.loading import Runtime
from shared.core.input_spec import InputSpec

VIEWS = ((0, 1.0), (6, 1.0), (-6, 1.0), (0, 0.92), (0, 1.08))  # degrees, counter-clockwise; scale


class Viewed:
    """A runtime that shows its network every view, and gives the mean."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @property
    def name(self) -> str:
        """The framework's, and how many views."""
        return f"{self.runtime.name}, {len(VIEWS)} views"

    @property
    def classes(self) -> int:
        """How many logits an image gets."""
        return self.runtime.classes

    @property
    def spec(self) -> InputSpec:
        """What an image is."""
        return self.runtime.spec

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8; n may be 0."""
        seen = [self.runtime.logits(view(images, *one)) for one in VIEWS]
        return np.asarray(np.mean(seen, axis=0), np.float32)

    def bare(self, images: NDArray[np.uint8]) -> Callable[[], object]:
        """The framework's own calls on the views, which are made beforehand."""
        calls = [self.runtime.bare(view(images, *one)) for one in VIEWS]
        return lambda: [call() for call in calls]


def view(images: NDArray[np.uint8], degrees: float, scale: float) -> NDArray[np.uint8]:
    """Images uint8 [n, h, w] or [n, h, w, c] turned and resized about their middle, black where nothing was."""
    if (degrees, scale) == (0, 1):
        return images
    height, width = images.shape[1:3]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    turned = np.empty_like(images)
    for image, place in zip(images, turned, strict=True):
        cv2.warpAffine(image, matrix, (width, height), dst=place, flags=cv2.INTER_LINEAR)
    return turned
