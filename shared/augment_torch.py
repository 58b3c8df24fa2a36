"""Random affine augmentation of a batch on its own device, in PyTorch: one grid, one bilinear sample.

`shared.augment_keras` is its twin.
"""

import math

import torch
from torch.nn import functional as F


def random_affine(
    images_nchw: torch.Tensor, draw: torch.Tensor, *, rotation: float, shift: float, scale: float
) -> torch.Tensor:
    """Each image turned by up to `rotation` degrees, moved by up to `shift` pixels, resized by up to `scale`.

    Float images [n, c, h, w]; `draw` [4, n] holds, for each image, evenly drawn numbers in -1..1 that say how much
    of the bounds it gets: turn, size, right, down. What comes in from outside is 0 (background).
    Returns a new tensor of the same shape and type.
    """
    n, height = images_nchw.shape[0], images_nchw.shape[-2]
    angle = draw[0] * math.radians(rotation)
    size = 1 / (1 + draw[1] * scale)
    move = draw[2:] * (2 * shift / height)  # affine_grid's side is 2 long, from -1 to 1
    cos, sin = angle.cos() * size, angle.sin() * size
    # The grid tells where each pixel comes from, so that the move is undone first and the turn after it.
    back = (-(cos * move[0] - sin * move[1]), -(sin * move[0] + cos * move[1]))
    theta = torch.stack([cos, -sin, back[0], sin, cos, back[1]], dim=1).view(n, 2, 3)
    grid = F.affine_grid(theta, list(images_nchw.shape), align_corners=False)
    return F.grid_sample(images_nchw, grid, align_corners=False)
