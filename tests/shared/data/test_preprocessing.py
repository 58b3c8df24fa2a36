import dataclasses

import numpy as np
import pytest

from shared.core.input_spec import InputSpec
from shared.data.preprocessing import to_float, to_nhwc
from shared.data.registry import GLYPH


def test_pixels_become_fractions_of_255_and_nothing_else():
    images = np.arange(3 * 28 * 28, dtype=np.int64).reshape(3, 28, 28).astype(np.uint8)
    batch = to_float(images, GLYPH)
    assert batch.dtype == np.float32 and batch.shape == (3, 1, 28, 28)
    assert np.array_equal(batch[:, 0], images.astype(np.float32) / np.float32(255))
    assert batch.min() == 0 and batch.max() == 1


def test_no_images_are_no_images():
    assert to_float(np.zeros((0, 28, 28), np.uint8), GLYPH).shape == (0, 1, 28, 28)


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
        to_float(wrong, GLYPH)


def test_the_channel_goes_last_without_a_number_moved():
    batch = to_float(np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8), GLYPH)
    last = to_nhwc(batch, GLYPH)
    assert last.shape == (3, 28, 28, 1) and np.shares_memory(last, batch)
    assert np.array_equal(last, np.moveaxis(batch, 1, -1))


IMAGENET = InputSpec(
    height=4, width=6, channels=3, color="RGB", resize="fit", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)


def test_a_colour_has_its_own_mean_and_deviation():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), np.uint8)
    batch = to_float(images, IMAGENET)
    assert batch.dtype == np.float32 and batch.shape == (5, 3, 4, 6)
    for channel in range(3):
        expected = (images[..., channel] / 255 - IMAGENET.mean[channel]) / IMAGENET.std[channel]
        assert np.allclose(batch[:, channel], expected, atol=1e-6)
    assert np.array_equal(to_nhwc(batch, IMAGENET), np.moveaxis(batch, 1, -1))
    assert np.shares_memory(to_nhwc(batch, IMAGENET), batch)


def test_any_scale_is_kept():
    spec = dataclasses.replace(GLYPH, scale=1.0, mean=(127.5,), std=(127.5,))
    images = np.array([0, 255], np.uint8).repeat(28 * 28).reshape(2, 28, 28)
    assert to_float(images, spec).min(axis=(1, 2, 3)).tolist() == [-1, 1]


def test_pictures_of_another_size_or_without_colour_are_refused():
    for wrong in (np.zeros((1, 4, 6), np.uint8), np.zeros((1, 6, 4, 3), np.uint8), np.zeros((1, 3, 4, 6), np.uint8)):
        with pytest.raises(ValueError, match=r"expected images uint8 \[n, 4, 6, 3\], got"):
            to_float(wrong, IMAGENET)


def test_equal_specs_are_one_to_a_cache():
    assert hash(InputSpec.from_dict(GLYPH.as_dict())) == hash(GLYPH)
    assert len({GLYPH, InputSpec.from_dict(GLYPH.as_dict()), IMAGENET}) == 2
