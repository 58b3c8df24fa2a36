"""Steps of the vision side, and all of them together, on digits drawn by us."""

import cv2
import numpy as np
import pytest

from local.digits import glyphs, segment, threshold
from tests.local.digits.drawn_digits import drawn, in_bad_light, page


def alike(one, other):
    """Correlation of two glyphs."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.fixture(scope="module")
def models():
    """Each digit's glyph under the best of conditions."""
    return {digit: glyphs.single(drawn(digit, height=200)).image for digit in range(10)}


def test_a_glyph_is_drawn_as_mnist_draws_its_own(models):
    for image in models.values():
        assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() > 200
        _, _, width, height = cv2.boundingRect((image > 20).astype(np.uint8))
        assert 19 <= max(width, height) <= 22
        moments = cv2.moments(image)
        assert moments["m10"] / moments["m00"] == pytest.approx(13.5, abs=0.3)
        assert moments["m01"] / moments["m00"] == pytest.approx(13.5, abs=0.3)


CONDITIONS = {
    "light on dark": lambda digit: 255 - drawn(digit),
    "faint": lambda digit: drawn(digit, ink=190, paper=215),
    "small": lambda digit: drawn(digit, height=24, margin=0.3),
    "large": lambda digit: drawn(digit, height=1800, margin=0.4),
    "far away": lambda digit: drawn(digit, height=80, margin=3),
    "thin pen": lambda digit: drawn(digit, height=300, pen=0.02),
    "upright": lambda digit: drawn(digit, slant=0),
    "slanted": lambda digit: drawn(digit, slant=0.4),
    "a lamp and noise": lambda digit: in_bad_light(drawn(digit)),
    "a lamp and noise, light on dark": lambda digit: in_bad_light(drawn(digit, ink=230, paper=60)),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_same_digit_gives_the_same_glyph_whatever_the_picture(models, condition):
    for digit in models:
        image = glyphs.single(CONDITIONS[condition](digit)).image
        likeness = {other: alike(image, models[other]) for other in range(10)}
        assert max(likeness, key=likeness.get) == digit
        assert likeness[digit] > 0.8, (digit, likeness[digit])


def test_the_box_is_where_the_digit_is_in_the_pictures_own_pixels():
    sheet = np.full((900, 1200), 230, np.uint8)
    digit = drawn(5, height=200, ink=20, paper=230)
    sheet[300 : 300 + digit.shape[0], 500 : 500 + digit.shape[1]] = digit
    x, y, w, h = cv2.boundingRect((sheet < 120).astype(np.uint8))
    assert np.abs(np.subtract(glyphs.single(sheet).box, (x, y, w, h))).max() <= 4


@pytest.mark.parametrize("shape", [(480, 640), (100, 80), (28, 28), (1, 1), (1, 300), (2000, 1500)])
@pytest.mark.parametrize("shade", [0, 90, 255])
def test_a_plain_page_has_no_glyph(shape, shade):
    assert glyphs.single(np.full(shape, shade, np.uint8)) is None


@pytest.mark.parametrize("noise", [2, 5, 10])
def test_grain_and_slopes_of_light_are_no_ink(noise):
    grain = np.random.RandomState(0).normal(0, noise, (480, 640))
    for light in (np.full((480, 640), 200.0), np.tile(np.linspace(60, 220, 640), (480, 1))):
        assert glyphs.single((light + grain).clip(0, 255).astype(np.uint8)) is None


def test_specks_and_an_edge_in_the_frame_are_left_out(models):
    page = drawn(3, height=200)
    for x, y in ((20, 20), (250, 60), (40, 380)):
        cv2.circle(page, (x, y), 2, 30, -1)
    page[:, -4:] = 40
    assert alike(glyphs.single(page).image, models[3]) > 0.9


def test_a_loose_stroke_is_kept(models):
    page = drawn(5, height=200)
    page[100:112, 100:150] = np.where(page[100:112, 100:150] < 100, 220, page[100:112, 100:150])
    mask = page < 120
    whole = segment.cut_out(mask)
    region = segment.main(mask, smallest=5)
    assert region.mask.shape == whole.mask.shape


def named(models, rows):
    """The digit that each glyph of each row is most like, rows parted by |."""
    return "|".join("".join(str(max(models, key=lambda d: alike(g.image, models[d]))) for g in row) for row in rows)


def ruled(sheet, *, every, squared=False, slope=0.0):
    """The sheet with dark lines drawn through."""
    height, width = sheet.shape
    for y in range(every // 2, height, every):
        cv2.line(sheet, (0, y), (width, round(y + slope * width)), 120, 2)
    for x in range(every // 2, width if squared else 0, every):
        cv2.line(sheet, (x, 0), (x, height), 120, 2)
    return sheet


PAGES = {
    "plain": lambda: page("0123", "456", "789"),
    "light on dark": lambda: 255 - page("0123", "456", "789"),
    "a lamp and noise": lambda: in_bad_light(page("0123", "456", "789")),
    "climbing rows": lambda: page("0123", "456", "789", climb=12),
    "falling rows": lambda: page("0123", "456", "789", climb=-12),
    "ruled": lambda: ruled(page("0123", "456", "789"), every=57),
    "ruled, askew": lambda: ruled(page("0123", "456", "789"), every=57, slope=0.02),
    "squared": lambda: ruled(page("0123", "456", "789"), every=57, squared=True),
    "large": lambda: cv2.resize(page("0123", "456", "789"), None, fx=6, fy=6),
}


@pytest.mark.parametrize("sheet", PAGES)
def test_rows_of_digits_are_found_in_reading_order(models, sheet):
    assert named(models, glyphs.several(PAGES[sheet]())) == "0123|456|789"


def test_one_digit_alone_is_the_same_glyph_either_way(models):
    for digit in range(10):
        ((only,),) = glyphs.several(drawn(digit))
        assert np.array_equal(only.image, glyphs.single(drawn(digit)).image)


def test_boxes_of_several_are_where_the_digits_are():
    sheet = page("31")
    (three, one) = glyphs.several(sheet)[0]
    outside = sheet < 120
    for x, y, w, h in (three.box, one.box):
        assert outside[y : y + h, x : x + w].any()
        outside[y : y + h, x : x + w] = False
    assert not outside.any()
    assert three.box[0] + three.box[2] <= one.box[0]


def test_strokes_broken_by_the_pen_are_joined_and_specks_left_out(models):
    sheet = page("508", height=160)
    dark = np.flatnonzero((sheet < 120).any(axis=0))
    sheet[:, dark[0] + 38 : dark[0] + 41] = 220  # a crack through the 5
    for x, y in ((10, 10), (200, 30), (sheet.shape[1] - 15, sheet.shape[0] - 20)):
        cv2.circle(sheet, (x, y), 3, 30, -1)
    assert named(models, glyphs.several(sheet)) == "508"


def test_a_digit_cut_by_the_border_is_read_only_where_there_is_no_whole_one(models):
    sheet = page("47")
    half = sheet[:, sheet.shape[1] // 4 :]
    assert len(glyphs.several(half)[0]) == 1
    alone = drawn(2, margin=0.1)
    edge = np.flatnonzero((alone < 120).any(axis=0))[0]
    assert named(models, glyphs.several(alone[:, edge + 1 :])) == "2"


def test_an_mnist_image_is_taken_as_it_stands(models):
    glyph = np.zeros((28, 28), np.uint8)
    glyph[4:24, 9:19] = 200
    for grey in (glyph, 255 - glyph):
        taken = glyphs.single(grey)
        assert np.array_equal(taken.image, glyph) and taken.box == (9, 4, 10, 20)
    off_centre = np.roll(glyph, 3, axis=1)
    assert not np.array_equal(glyphs.single(off_centre).image, off_centre)


def test_polarity_is_told_by_the_rare_shade():
    for digit in range(10):
        assert np.array_equal(threshold.page(drawn(digit)).dark, drawn(digit))
        assert np.array_equal(threshold.page(255 - drawn(digit)).dark, drawn(digit))


def test_flattened_paper_is_even():
    page = in_bad_light(np.full((240, 320), 220, np.uint8))
    ink = threshold.flatten(page)
    assert abs(float(ink.mean())) < 0.02 and np.percentile(np.abs(ink), 95) < 0.08


def test_the_level_stays_out_of_the_papers_grain():
    noise = np.random.RandomState(0).normal(0, 0.03, (200, 200)).astype(np.float32)
    assert threshold.grain(noise) == pytest.approx(0.03, rel=0.1)
    assert threshold.level(noise) >= 3.5 * 0.03
