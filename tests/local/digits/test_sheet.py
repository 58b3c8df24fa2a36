"""A sheet that does not fill the picture, on desks and in rooms made here, and pages that do."""

from unittest.mock import patch

import numpy as np
import pytest

from local.digits import glyphs, sheet
from local.digits.reader import Reader
from local.models import registry
from tests.local.digits.drawn_digits import in_bad_light, page
from tests.local.digits.framed_pages import DESKS, FULL, SHARES, framed, full

SEEDS = (300, 301)
HARD = {"room": 0.5, "hand": 0.7, "ruled": 0.6, "shadow": 0.4}  # of their pages; 0.9 of the others


@pytest.fixture(scope="module")
def reader():
    model = registry.find("camera")
    return Reader(registry.open_runtime(model), model.sure)


@pytest.mark.parametrize("desk", DESKS)
def test_digits_on_a_sheet_are_read_whatever_is_around_it(reader, desk):
    scenes = [framed(seed, desk=desk, share=share) for share in SHARES for seed in SEEDS]
    right = [reader.read(scene.grey).text == scene.text for scene in scenes]
    assert np.mean(right) >= HARD.get(desk, 0.9)


@pytest.mark.parametrize("desk", FULL)
def test_a_page_that_fills_the_picture_is_read_as_if_no_sheet_were_looked_for(reader, desk):
    for seed in range(10):
        scene = full(seed, desk=desk)
        found = reader.read(scene.grey)
        with patch("local.digits.sheet.find", lambda grey: None):
            assert found.text == reader.read(scene.grey).text


def on_a_desk(written, *, desk=60, at=(150, 220), size=(500, 800)):
    """A page laid on a plain desk, uint8 [h, w], in bad light."""
    view = np.full(size, desk, np.uint8)
    view[at[0] : at[0] + written.shape[0], at[1] : at[1] + written.shape[1]] = written
    return in_bad_light(view)


def test_the_sheet_is_where_it_was_laid():
    written = page("0123", "456")
    x, y, width, height = sheet.find(on_a_desk(written)).box
    assert np.abs(np.subtract((x, y), (220, 150))).max() <= 10
    assert np.abs(np.subtract((width, height), written.shape[::-1])).max() <= 15


def test_boxes_are_in_the_whole_pictures_pixels(reader):
    written = page("0123", "456")
    alone, laid = (reader.read(grey) for grey in (written, on_a_desk(written)))
    assert laid.text == alone.text == "0123|456"
    for one, other in zip(alone.digits, laid.digits, strict=True):
        assert np.abs(np.subtract(other.box, np.add(one.box, (220, 150, 0, 0)))).max() <= 4


def test_one_digit_on_a_sheet_is_read_alone(reader):
    assert reader.read(on_a_desk(page("7", height=140)), single=True).text == "7"


def test_a_narrow_strip_of_desk_is_left_out(reader):
    view = np.full((480, 640), 60, np.uint8)
    view[4:476, 20:612] = 220
    written = page("3149", "0826", height=70)
    view[100 : 100 + written.shape[0], 120 : 120 + written.shape[1]] = written
    assert reader.read(in_bad_light(view)).text == "3149|0826"


def test_beside_the_sheet_there_is_nothing_but_paper():
    grey = on_a_desk(page("0123", "456"))
    left = glyphs.prepared(grey).grey
    assert left.shape < grey.shape
    assert left[[0, -1]].min() > 60 and left[:, [0, -1]].min() > 60


@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (1, 300), (160, 160), (480, 640), (20, 2000)])
@pytest.mark.parametrize("shade", [0, 90, 255])
def test_a_plain_picture_has_no_sheet(shape, shade):
    assert sheet.find(np.full(shape, shade, np.uint8)) is None


def test_a_blank_sheet_is_none():
    assert sheet.find(on_a_desk(np.full((250, 350), 220, np.uint8))) is None
