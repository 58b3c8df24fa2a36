"""Random augmentation of a batch on its own device, in PyTorch. `shared.training.augment_keras` is its twin."""

import math

import torch
from torch.nn import functional as F

from shared.training.augmentation import CONTROLS, Augmentation, spline_basis


def augment(images_nchw: torch.Tensor, draw: torch.Tensor, bounds: Augmentation) -> torch.Tensor:
    """Each image with another stroke width, turned, moved, resized and bent, by up to `bounds`.

    Float images [n, c, h, w], digits as light strokes on black; `draw` [n, DRAWN] holds evenly drawn numbers in -1..1
    that say how much of the bounds each image gets. What comes in from outside is 0 (background).
    Returns a new tensor of the same shape and type.
    """
    if bounds.stroke:
        images_nchw = _stroke(images_nchw, draw[:, 4] * bounds.stroke)
    return _move(images_nchw, draw, bounds) if bounds.moves else images_nchw


def _stroke(images_nchw: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """Towards each pixel's brightest neighbour where the amount [n] is above 0, its darkest where it is below."""
    amount = amount.view(-1, 1, 1, 1)
    signed = torch.where(amount < 0, -images_nchw, images_nchw)  # the darkest is the brightest of the negative
    thick = F.max_pool2d(signed, 3, stride=1, padding=1)
    return images_nchw + amount * (thick - signed)


def _move(images_nchw: torch.Tensor, draw: torch.Tensor, bounds: Augmentation) -> torch.Tensor:
    """One grid that tells where each pixel comes from, one bilinear sample."""
    n, _, height, width = images_nchw.shape
    angle = draw[:, 0] * math.radians(bounds.rotation)
    size = 1 / (1 + draw[:, 1] * bounds.scale)
    sides = torch.tensor([width, height], device=draw.device)
    right, down = (draw[:, 2:4] * (2 * bounds.shift / sides)).T  # each side of the grid is 2 long, from -1 to 1
    cos, sin = angle.cos() * size, angle.sin() * size
    across, along = sin * (height / width), sin * (width / height)
    # Back to where it comes from: the move is undone first and the turn after it.
    x, y = -(cos * right - across * down), -(along * right + cos * down)
    theta = torch.stack([cos, -across, x, along, cos, y], dim=1).view(n, 2, 3)
    grid = F.affine_grid(theta, list(images_nchw.shape), align_corners=False)
    if bounds.elastic:
        rows, columns = (torch.tensor(spline_basis(side), device=draw.device) for side in (height, width))
        points = draw[:, 5:].view(n, CONTROLS, CONTROLS, 2) * (2 * bounds.elastic / sides)
        grid = grid + torch.einsum("hi,nijc,wj->nhwc", rows, points, columns)
    return F.grid_sample(images_nchw, grid, align_corners=False)
