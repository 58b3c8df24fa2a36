"""Random affine augmentation, the same in both frameworks for the same draws."""

import numpy as np
import pytest
import torch

from shared.augment_keras import random_affine as in_keras
from shared.augment_torch import random_affine as in_torch

BOUNDS = {"rotation": 40.0, "shift": 3.0, "scale": 0.3}


def both(images_nhw, draw, **bounds):
    """The same images [n, h, w] augmented in either framework, as arrays of the same shape."""
    bounds = {"rotation": 0.0, "shift": 0.0, "scale": 0.0, **bounds}
    torch_images = in_torch(torch.from_numpy(images_nhw[:, None]), torch.from_numpy(draw), **bounds)
    keras_images = in_keras(images_nhw[..., None], draw, **bounds)
    return torch_images.numpy()[:, 0], np.asarray(keras_images)[..., 0]


def drawn(n):
    return np.random.RandomState(0).uniform(-1, 1, (4, n)).astype(np.float32)


@pytest.mark.parametrize("given", [{"rotation": 40.0}, {"shift": 3.0}, {"scale": 0.3}, BOUNDS], ids=str)
def test_the_same_draws_give_the_same_images(given):
    images = np.random.RandomState(1).rand(20, 28, 28).astype(np.float32)
    one, other = both(images, drawn(20), **given)
    assert np.abs(one - other).max() < 1e-3
    assert np.abs(one - images).max() > 0.1


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
