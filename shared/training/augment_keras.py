"""Random augmentation of a batch in Keras. `shared.training.augment_torch` is its twin."""

import math
from typing import Any

from shared.frameworks.start_keras import keras
from shared.training.augmentation import CONTROLS, Augmentation, spline_basis

ops = keras.ops
Tensor = Any  # Keras': it names no type that mypy could follow


def augment(images_nhwc: Tensor, draw: Tensor, bounds: Augmentation) -> Tensor:
    """Each image with another stroke width, turned, moved, resized and bent, by up to `bounds`.

    Float images [n, h, w, c], digits as light strokes on black; `draw` [n, DRAWN] holds evenly drawn numbers in -1..1
    that say how much of the bounds each image gets. What comes in from outside is 0 (background).
    """
    if bounds.stroke:
        images_nhwc = _stroke(images_nhwc, draw[:, 4] * bounds.stroke)
    return _move(images_nhwc, draw, bounds) if bounds.moves else images_nhwc


def _stroke(images_nhwc: Tensor, amount: Tensor) -> Tensor:
    """Towards each pixel's brightest neighbour where the amount [n] is above 0, its darkest where it is below."""
    amount = ops.reshape(amount, (-1, 1, 1, 1))
    signed = ops.where(amount < 0, -images_nhwc, images_nhwc)  # the darkest is the brightest of the negative
    thick = ops.max_pool(signed, 3, strides=1, padding="same")
    return images_nhwc + amount * (thick - signed)


def _move(images_nhwc: Tensor, draw: Tensor, bounds: Augmentation) -> Tensor:
    """Where each pixel comes from, then one bilinear sample."""
    height, width = images_nhwc.shape[1:3]
    angle = draw[:, 0] * math.radians(bounds.rotation)
    size = 1 / (1 + draw[:, 1] * bounds.scale)
    cos, sin = _each(ops.cos(angle) * size), _each(ops.sin(angle) * size)
    left, top = (width - 1) / 2, (height - 1) / 2  # of the middle
    # The move is undone first and the turn after it.
    right = ops.arange(width, dtype="float32") - left - _each(draw[:, 2] * bounds.shift)
    down = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1)) - top - _each(draw[:, 3] * bounds.shift)
    x, y = left + cos * right - sin * down, top + sin * right + cos * down
    if bounds.elastic:
        rows, columns = (ops.convert_to_tensor(spline_basis(side), dtype="float32") for side in (height, width))
        points = ops.reshape(draw[:, 5:], (-1, CONTROLS, CONTROLS, 2)) * bounds.elastic
        bend = ops.einsum("hi,nijc,wj->nhwc", rows, points, columns)
        x, y = x + bend[..., 0], y + bend[..., 1]
    return _sample(images_nhwc, x, y)


def _each(numbers: Tensor) -> Tensor:
    """One number an image, beside its rows and columns: [n] -> [n, 1, 1]."""
    return ops.reshape(numbers, (-1, 1, 1))


def _sample(images_nhwc: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The image at the places x, y [n, h, w], in pixels, bilinearly; 0 outside.

    By hand, because Keras' own `map_coordinates` takes one image at a time.
    """
    height, width, channels = images_nhwc.shape[1:]
    tall, wide = height + 2, width + 2  # a frame of zeros is what lies outside
    framed = ops.pad(images_nhwc, ((0, 0), (1, 1), (1, 1), (0, 0)))
    flat = ops.reshape(ops.transpose(framed, (0, 3, 1, 2)), (-1, tall * wide))
    x, y = ops.clip(x + 1, 0, wide - 1), ops.clip(y + 1, 0, tall - 1)
    left, top = ops.minimum(ops.floor(x), wide - 2), ops.minimum(ops.floor(y), tall - 2)
    right, down = (ops.expand_dims(one, 1) for one in (x - left, y - top))
    corner = ops.reshape(ops.cast(top * wide + left, "int32"), (-1, height * width))
    corner = ops.repeat(corner, channels, axis=0) if channels > 1 else corner  # the same for each channel

    def pixel(offset: int) -> Tensor:
        return ops.reshape(ops.take_along_axis(flat, corner + offset, axis=1), (-1, channels, height, width))

    upper = pixel(0) * (1 - right) + pixel(1) * right
    lower = pixel(wide) * (1 - right) + pixel(wide + 1) * right
    return ops.transpose(upper * (1 - down) + lower * down, (0, 2, 3, 1))
