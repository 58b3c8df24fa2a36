"""What a network for photographs is trained on: made of MNIST's images, here of digits drawn by us."""

import numpy as np
import pytest

from shared.data import camera_dataset, normalise
from tests.local.digits.drawn_digits import drawn

LABELS = np.arange(40) % 10
IMAGES = np.stack([normalise.glyph(drawn(int(label), ink=0, paper=255) < 128) for label in LABELS])


@pytest.fixture(scope="module")
def made():
    return camera_dataset.photographed(IMAGES, LABELS, seed=0)


def test_the_images_as_they_are_come_first_then_what_is_made_of_them(made):
    images, labels = made
    assert images.dtype == np.uint8 and images.shape == (camera_dataset.count(40), 28, 28) == (len(labels), 28, 28)
    assert np.array_equal(images[:40], IMAGES) and np.array_equal(labels[:80], np.tile(LABELS, 2))
    assert set(labels.tolist()) == set(range(11)) and (labels == camera_dataset.BACKGROUND).sum() == 24


def test_the_same_seed_makes_the_same_images_and_another_seed_others(made):
    images, _ = made
    again, _ = camera_dataset.photographed(IMAGES, LABELS, seed=0)
    other, _ = camera_dataset.photographed(IMAGES, LABELS, seed=1)
    assert np.array_equal(images, again) and not np.array_equal(images[40:], other[40:])
    assert np.array_equal(images[:40], other[:40])


def test_a_digit_as_a_camera_sees_it_is_still_that_digit():
    draw = np.random.RandomState(0)
    for image in IMAGES[:10]:
        seen = np.mean([normalise.glyph(camera_dataset.cut_out(image, draw)) for _ in range(8)], axis=0)
        likeness = [np.corrcoef(seen.ravel(), other.ravel())[0, 1] for other in IMAGES[:10]]
        assert int(np.argmax(likeness)) == int(np.argmax([np.array_equal(image, other) for other in IMAGES[:10]]))


@pytest.mark.parametrize("kind", camera_dataset.NO_DIGITS, ids=lambda kind: kind.__name__)
def test_each_kind_of_no_digit_has_ink_and_varies(kind):
    draw = np.random.RandomState(0)
    glyphs = [normalise.glyph(kind(IMAGES, draw)) for _ in range(12)]
    assert all(glyph.max() > 100 for glyph in glyphs)
    assert len({glyph.tobytes() for glyph in glyphs}) == 12


def test_the_end_of_a_digit_is_never_so_narrow_that_it_is_a_1():
    draw = np.random.RandomState(0)
    for _ in range(30):
        height, width = camera_dataset.part(IMAGES, draw).shape
        assert width > height


def test_1s_and_7s_get_what_other_hands_give_them_and_without_any_a_digit_is_drawn():
    draw = np.random.RandomState(0)
    assert {camera_dataset.foreign(IMAGES, LABELS, draw)[1] for _ in range(40)} == {1, 7}
    assert len({camera_dataset.foreign(IMAGES[:1], LABELS[:1], draw)[1] for _ in range(40)}) > 5


@pytest.mark.parametrize("kind", [camera_dataset.other_hand, camera_dataset.printed], ids=lambda kind: kind.__name__)
def test_digits_that_are_not_mnists_are_of_all_ten_classes(kind):
    draw = np.random.RandomState(0)
    assert {kind(IMAGES, LABELS, draw)[1] for _ in range(80)} == set(range(10))


def test_the_fingerprint_stands_for_the_images_and_the_code():
    assert camera_dataset.fingerprint(IMAGES) == camera_dataset.fingerprint(IMAGES.copy())
    assert camera_dataset.fingerprint(IMAGES) != camera_dataset.fingerprint(IMAGES[::-1])
    assert len(camera_dataset.fingerprint(IMAGES)) == 8
