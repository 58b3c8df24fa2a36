"""What the random augmentation of both frameworks shares: its bounds, and the shape of an elastic distortion.

`shared.training.augment_torch` and `shared.training.augment_keras` do the same with the same drawn numbers. Standard
library only.
"""

from dataclasses import dataclass

CONTROLS = 7  # points a side that the elastic distortion moves: one every 7 pixels, as far as 7 pixels outside
DRAWN = 5 + 2 * CONTROLS**2  # numbers an image takes: turn, size, right, down, stroke, and two a control point


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far an image may be changed at most; 0 is off.

    rotation in degrees, shift in pixels, scale a fraction of the size. elastic: pixels by which a control point of
    the elastic distortion (Simard et al. 2003) moves in each direction. stroke: how far strokes may go towards the
    thickest or thinnest of each pixel's 3x3 neighbourhood (1 makes them up to two pixels wider or narrower).
    """

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    elastic: float = 0.0
    stroke: float = 0.0

    @property
    def moves(self) -> bool:
        """Whether pixels change their place."""
        return bool(self.rotation or self.shift or self.scale or self.elastic)

    def __bool__(self) -> bool:
        return self.moves or bool(self.stroke)


def spline_basis(side: int) -> list[list[float]]:
    """How much each of the CONTROLS points moves each of `side` pixels along one axis: [side][CONTROLS].

    Uniform cubic B-splines, whose weights add up to 1 and make any drawn distortion smooth (free-form deformation,
    Rueckert et al. 1999).
    """
    spacing = side / (CONTROLS - 3)
    return [[_cubic((pixel + 0.5) / spacing + 1 - point) for point in range(CONTROLS)] for pixel in range(side)]


def _cubic(x: float) -> float:
    """The cubic B-spline around 0, two knots wide to either side."""
    x = abs(x)
    return 2 / 3 - x**2 + x**3 / 2 if x < 1 else max(0.0, 2 - x) ** 3 / 6
