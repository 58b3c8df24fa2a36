import numpy as np
import pytest

from shared.data.preprocessing import to_float, to_nhwc


def test_pixels_become_fractions_of_255_and_nothing_else():
    images = np.arange(3 * 28 * 28, dtype=np.int64).reshape(3, 28, 28).astype(np.uint8)
    batch = to_float(images)
    assert batch.dtype == np.float32 and batch.shape == (3, 1, 28, 28)
    assert np.array_equal(batch[:, 0], images.astype(np.float32) / np.float32(255))
    assert batch.min() == 0 and batch.max() == 1


def test_no_images_are_no_images():
    assert to_float(np.zeros((0, 28, 28), np.uint8)).shape == (0, 1, 28, 28)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 28, 28), np.float32),  # already scaled?
        np.zeros((28, 28), np.uint8),
        np.zeros((1, 1, 28, 28), np.uint8),
        np.zeros((1, 32, 32), np.uint8),
    ],
)
def test_another_type_or_shape_is_refused(wrong):
    with pytest.raises(ValueError, match=r"expected images uint8 \[n, 28, 28\], got"):
        to_float(wrong)


def test_the_channel_goes_last_without_a_number_moved():
    batch = to_float(np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8))
    last = to_nhwc(batch)
    assert last.shape == (3, 28, 28, 1) and np.shares_memory(last, batch)
    assert np.array_equal(last, np.moveaxis(batch, 1, -1))
