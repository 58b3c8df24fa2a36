"""Builds a network of `shared.networks.architectures` in PyTorch. `shared.networks.build_keras` is its twin."""

from collections import OrderedDict

import torch
from torch import nn

from shared.networks.architectures import (
    Architecture,
    BatchNorm,
    Conv,
    Crop,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Relu,
    Shape,
    trace,
)


class CenterCrop(nn.Module):
    """Keeps the `size` x `size` middle of images [n, channels, height, width]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images_nchw: torch.Tensor) -> torch.Tensor:
        top, left = ((side - self.size) // 2 for side in images_nchw.shape[-2:])
        return images_nchw[..., top : top + self.size, left : left + self.size]


class FoldedConv(nn.Conv2d):
    """A convolution whose stride divides its kernel, as one of stride 1: see `for_training`. The same weights."""

    def forward(self, images_nchw: torch.Tensor) -> torch.Tensor:
        side = self.stride[0]
        # What is left over at the right and the bottom is in no whole window.
        height, width = (size - size % side for size in images_nchw.shape[-2:])
        tiles = fold(images_nchw[..., :height, :width], side)
        return nn.functional.conv2d(tiles, fold(self.weight, side), self.bias)


def fold(pixels_nchw: torch.Tensor, side: int) -> torch.Tensor:
    """[n, c, h, w] -> [n, side * side * c, h / side, w / side], channels last: a tile's pixels as channels.

    As `pixel_unshuffle` does, in an order that leaves channels last in place, and in half of the time.
    """
    n, channels, height, width = pixels_nchw.shape
    tiles = pixels_nchw.permute(0, 2, 3, 1).reshape(n, height // side, side, width // side, side, channels)
    rows = tiles.transpose(2, 3).reshape(n, height // side, width // side, side * side * channels)
    return rows.permute(0, 3, 1, 2)


class GlobalMean(nn.Module):
    """The mean of each channel: [n, channels, height, width] -> [n, channels]."""

    def forward(self, images_nchw: torch.Tensor) -> torch.Tensor:
        return images_nchw.mean(dim=(2, 3))


def build_torch(network: Architecture) -> nn.Sequential:
    """The network as a module: float32 images [n, c, h, w] as its `input` has them in, logits [n, classes] out.

    Layers have the names of the trace (`conv1`, `batchnorm1`, `dense2`), and so have the keys of its state dict.
    """
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    shape: Shape = network.input.shape
    for row in trace(network):
        modules[row.name] = _module(row.layer, shape)
        shape = row.shape
    return nn.Sequential(modules)


def _module(layer: Layer, shape: Shape) -> nn.Module:
    """The module of one layer; `shape` is what it is given, without the batch."""
    match layer:
        case Crop(size=size):
            return CenterCrop(size)
        case Conv(filters=n, kernel=k, stride=s, same=same, bias=bias):
            kind = FoldedConv if layer.folded else nn.Conv2d
            return kind(shape[0], n, k, s, padding=k // 2 if same else 0, bias=bias)
        case BatchNorm():
            return nn.BatchNorm2d(shape[0], eps=1e-5)
        case Relu():
            return nn.ReLU()
        case MaxPool(size=size):
            return nn.MaxPool2d(size)
        case GlobalAveragePool():
            return GlobalMean()
        case Flatten():
            return nn.Flatten()
        case Dense(units=n):
            return nn.Linear(shape[0], n)
        case Dropout(rate=rate):
            return nn.Dropout(rate)
