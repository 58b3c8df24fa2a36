"""The steps from a digit's strokes to its glyph."""

import cv2
import numpy as np
import pytest

from shared.data import normalise
from tests.local.digits.drawn_digits import drawn


@pytest.mark.parametrize("width", [1, 2, 7, 20])
def test_the_width_of_a_stroke_is_measured(width):
    mask = np.zeros((200, 60), np.bool_)
    mask[10:190, 20 : 20 + width] = True
    assert normalise.stroke_width(mask) == pytest.approx(width, abs=0.6)


@pytest.mark.parametrize("pen", [0.02, 0.05, 0.1])
def test_strokes_are_as_wide_as_mnists_or_wider(pen):
    mask = drawn(2, height=400, pen=pen, ink=0, paper=255) < 128
    thick = normalise.thicken(mask[np.ix_(mask.any(1), mask.any(0))])
    assert normalise.stroke_width(thick) / max(thick.shape) * normalise.BOX >= 0.9 * normalise.STROKE


def test_deskewing_takes_the_slant_out():
    for slant in (-0.4, 0.3):
        upright = normalise.deskew(drawn(1, slant=slant, ink=0, paper=255) < 128)
        moments = cv2.moments(upright.astype(np.uint8), binaryImage=True)
        assert abs(moments["mu11"] / moments["mu02"]) < 0.03


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 500), (2, 2)])
def test_a_mask_of_any_shape_becomes_a_glyph(shape):
    image = normalise.glyph(np.ones(shape, np.bool_))
    assert image.shape == (28, 28) and image.max() > 0


def test_the_median_is_the_middle_value():
    assert normalise.median(np.array([[5, 1], [9, 2], [3, 7]])) in (3, 5)
    assert normalise.median(np.array([4.5])) == 4.5
