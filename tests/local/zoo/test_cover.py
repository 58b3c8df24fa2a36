"""README's picture: what it shows was read, and a change of the reader that no longer reads it is noticed."""

import os

import numpy as np
import pytest

from local.zoo import cover
from shared.data import datasets


def test_the_page_of_the_picture_is_read_and_its_star_is_not():
    if not os.environ.get("K2L_DATA"):
        pytest.skip("K2L_DATA is not set: no MNIST to write on the page")
    mnist = datasets.load("mnist", halves=["test"])
    figure, text = cover.drawn(mnist.test_images)
    digits = iter(map(str, mnist.test_labels))
    assert text == "|".join("".join(next(digits) for _ in range(count)) for count in cover.ROWS)
    assert figure.axes[1].get_title() == f"k2l camera: {text}"


def test_a_page_is_a_frame_of_a_camera_with_ink_on_a_sheet_on_a_desk():
    page = cover.page(np.zeros((12, 28, 28), np.uint8))
    assert page.shape == (*cover.PAGE, 3) and page.dtype == np.uint8
    assert page[0, 0].mean() < 100 < page[240, 100].mean()
