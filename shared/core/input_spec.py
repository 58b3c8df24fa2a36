"""What a network takes. Written into the manifest, so that every runtime and application reads it there."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from math import isfinite
from typing import Any

COLORS, LAYOUTS = {"grey": 1, "RGB": 3}, ("NCHW", "NHWC")  # colours with their channels
LARGEST_SIDE = 4096  # pixels


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What a network takes: how a picture becomes a tensor. A value is `(byte * scale - mean) / std`, for each channel.

    `color` is "grey" (white ink on black) or "RGB"; `resize` says how a picture gets that size: "glyph" cuts out one
    digit and centres it as MNIST does.
    """

    height: int
    width: int
    channels: int
    color: str
    layout: str = "NCHW"
    resize: str
    scale: float = 1 / 255
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width: of one image as PyTorch and ONNX take it."""
        return self.channels, self.height, self.width

    @cached_property
    def shape_hwc(self) -> tuple[int, int, int]:
        """Height, width, channels: of one image as Keras and LiteRT take it."""
        return self.height, self.width, self.channels

    @cached_property
    def shape_of_bytes(self) -> tuple[int, ...]:
        """Height and width, and the channels where there are several: of one image uint8, as data sets hold it."""
        return self.shape_hwc if self.channels > 1 else self.shape_hwc[:2]

    @property
    def is_shifted(self) -> bool:
        """Whether there is a mean to subtract or a deviation to divide by."""
        return any(self.mean) or any(one != 1 for one in self.std)

    def __str__(self) -> str:
        """For people: "28x28 grey"."""
        return f"{self.height}x{self.width} {self.color}"

    def __hash__(self) -> int:  # worked out once: each picture asks for it
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, field.name) for field in fields(self)))

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "InputSpec":
        """The spec that `as_dict` gave. Raises TypeError or ValueError if the facts are not a spec."""
        numbers = {name: tuple(float(one) for one in facts[name]) for name in ("mean", "std") if name in facts}
        spec = cls(**{**facts, **numbers})
        if not all(type(size) is int and 0 < size <= LARGEST_SIDE for size in spec.shape):
            raise ValueError(f"a picture of {spec.height}x{spec.width} with {spec.channels} channels")
        if COLORS.get(spec.color) != spec.channels or spec.layout not in LAYOUTS:
            raise ValueError(f"{spec.channels} channels, color {spec.color!r}, layout {spec.layout!r}")
        numbers_of = (float(spec.scale), *spec.mean, *spec.std)
        if not all(map(isfinite, numbers_of)) or not spec.scale:
            raise ValueError("scale, mean and std must be numbers, and scale may not be 0")
        if not (len(spec.mean) == len(spec.std) == spec.channels and all(spec.std)):
            raise ValueError("mean and std must have one number for each channel, and no std may be 0")
        return spec
