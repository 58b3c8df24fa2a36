"""Random augmentation, the same in both frameworks for the same draws."""

import numpy as np
import pytest
import torch

from shared.training.augment_keras import augment as in_keras
from shared.training.augment_torch import augment as in_torch
from shared.training.augmentation import CONTROLS, DRAWN, Augmentation, spline_basis

BOUNDS = {"rotation": 40.0, "shift": 3.0, "scale": 0.3, "elastic": 4.0, "stroke": 0.8}


def both(images_nhw, draw, **bounds):
    """The same images [n, h, w] augmented in either framework, as arrays of the same shape."""
    augmentation = Augmentation(**bounds)
    torch_images = in_torch(torch.from_numpy(images_nhw[:, None]), torch.from_numpy(draw), augmentation)
    keras_images = in_keras(images_nhw[..., None], draw, augmentation)
    return torch_images.numpy()[:, 0], np.asarray(keras_images)[..., 0]


def drawn(n):
    return np.random.RandomState(0).uniform(-1, 1, (n, DRAWN)).astype(np.float32)


@pytest.mark.parametrize("given", [*({name: value} for name, value in BOUNDS.items()), BOUNDS], ids=str)
def test_the_same_draws_give_the_same_images(given):
    images = np.random.RandomState(1).rand(20, 28, 28).astype(np.float32)
    one, other = both(images, drawn(20), **given)
    assert np.abs(one - other).max() < 1e-3
    assert np.abs(one - images).max() > 0.1


@pytest.mark.parametrize("given", [*({name: value} for name, value in BOUNDS.items()), BOUNDS], ids=str)
def test_pictures_in_colour_and_of_any_shape_are_augmented_alike(given):
    images = np.random.RandomState(1).rand(6, 20, 36, 3).astype(np.float32)
    bounds, draw = Augmentation(**given), drawn(6)
    one = in_torch(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(draw), bounds)
    other = np.asarray(in_keras(images, draw, bounds))
    assert np.abs(one.permute(0, 2, 3, 1).numpy() - other).max() < 1e-3
    each = [in_keras(images[..., channel : channel + 1], draw, bounds) for channel in range(3)]
    assert np.allclose(other, np.concatenate(each, axis=-1), atol=1e-6)


def test_a_turn_keeps_shapes_in_a_picture_that_is_no_square():
    """A bar that lies is as long when it stands: degrees are those of the picture, not of its sides."""
    images = np.zeros((1, 40, 60), np.float32)
    images[0, 18:22, 20:40] = 1
    draw = np.zeros((1, DRAWN), np.float32)
    draw[0, 0] = 1
    for turned in both(images, draw, rotation=90.0):
        assert turned[0].sum() == pytest.approx(80, abs=1) and turned[0, 10:30, 28:32].min() > 0.4


def test_no_augmentation_changes_nothing():
    images = np.random.RandomState(1).rand(4, 28, 28).astype(np.float32)
    for same in both(images, drawn(4)):
        assert np.allclose(same, images, atol=1e-5)


def test_augmentation_stays_within_its_bounds():
    """A dot in the middle moves by at most the shift, and nothing comes in from outside."""
    images = np.zeros((200, 28, 28), np.float32)
    images[:, 13:15, 13:15] = 1
    for moved in both(images, drawn(200), rotation=30.0, shift=2.0):
        assert moved.shape == images.shape
        assert np.allclose(moved.sum((1, 2)), 4, atol=0.3)
        where = (moved * np.arange(28)).sum((1, 2)) / moved.sum((1, 2))
        assert np.abs(where - 13.5).max() <= 2.05  # a bilinear sample is not quite even
        assert where.std() > 0.8


def test_strokes_get_thicker_and_thinner_by_at_most_a_pixel_each_side():
    images = np.zeros((2, 28, 28), np.float32)
    images[:, 5:23, 12:16] = 1  # a stroke of 4 pixels
    draw = drawn(2)
    draw[:, 4] = (1, -1)
    for thick, thin in both(images, draw, stroke=1.0):
        assert thick[14].sum() == 6
        assert thin[14].sum() == 2


def test_an_elastic_distortion_is_smooth_and_bounded():
    """A control point's weights add up to one, so that equal draws are a plain shift."""
    basis = np.array(spline_basis(28))
    assert basis.shape == (28, CONTROLS)
    assert np.allclose(basis.sum(1), 1, atol=1e-6)
    assert basis.min() >= 0
    images = np.random.RandomState(1).rand(3, 28, 28).astype(np.float32)
    draw = np.ones((3, DRAWN), np.float32)
    for bent in both(images, draw, elastic=2.0):
        assert np.allclose(bent[:, :-2, :-2], images[:, 2:, 2:], atol=1e-4)
