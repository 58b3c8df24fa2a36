"""What a network takes. Written into the manifest, so that every runtime and application reads it there."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

COLORS, LAYOUTS = ("grey", "RGB"), ("NCHW", "NHWC")
LARGEST_SIDE = 4096  # pixels, or channels


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

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, self.height, self.width

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
        if spec.color not in COLORS or spec.layout not in LAYOUTS:
            raise ValueError(f"color {spec.color!r}, layout {spec.layout!r}")
        if not (len(spec.mean) == len(spec.std) == spec.channels and all(spec.std)):
            raise ValueError("mean and std must have one number for each channel, and no std may be 0")
        return spec
