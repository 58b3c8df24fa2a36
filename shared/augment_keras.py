"""Random affine augmentation of a batch in Keras: one projective transform an image. `augment_torch` is its twin."""

import math

from shared.start_keras import keras

ops = keras.ops


def random_affine(
    images_nhwc: keras.KerasTensor, draw: keras.KerasTensor, *, rotation: float, shift: float, scale: float
) -> keras.KerasTensor:
    """Each image turned by up to `rotation` degrees, moved by up to `shift` pixels, resized by up to `scale`.

    Float images [n, h, w, c]; `draw` [4, n] holds, for each image, evenly drawn numbers in -1..1 that say how much
    of the bounds it gets: turn, size, right, down. What comes in from outside is 0 (background).
    """
    centre = (images_nhwc.shape[1] - 1) / 2
    angle = draw[0] * math.radians(rotation)
    size = 1 / (1 + draw[1] * scale)
    right, down = centre + draw[2] * shift, centre + draw[3] * shift
    cos, sin = ops.cos(angle) * size, ops.sin(angle) * size
    # It tells where each pixel comes from, so that the move is undone first and the turn after it.
    x = [cos, -sin, centre - (cos * right - sin * down)]
    y = [sin, cos, centre - (sin * right + cos * down)]
    zero = ops.zeros_like(cos)
    return ops.image.affine_transform(images_nhwc, ops.stack([*x, *y, zero, zero], axis=1))
