"""The steps of the way as pictures."""

import numpy as np

from local.digits import glyphs, steps
from tests.local.digits.drawn_digits import in_bad_light, page


def test_each_step_is_a_picture_in_order():
    grey = in_bad_light(page("12", "345"))
    pictures = steps.steps(grey)
    assert [name[2:] for name in pictures] == ["scaled", "sheet", "paper", "ink", "mask", "unruled", "found", "glyphs"]
    assert all(image.dtype == np.uint8 and image.ndim in (2, 3) and image.size for image in pictures.values())
    assert pictures["5-mask"].shape == pictures["2-sheet"].shape == glyphs.prepared(grey).mask.shape
    assert set(np.unique(pictures["5-mask"])) == {0, 255}
    assert pictures["8-glyphs"].shape == (4 * 30, 4 * 30 * 5)


def test_a_single_digit_and_a_blank_page_have_steps_too():
    assert steps.steps(page("7"), single=True)["8-glyphs"].shape == (120, 120)
    blank = steps.steps(np.full((200, 300), 200, np.uint8))
    assert not blank["8-glyphs"].any() and (blank["5-mask"] == 255).all()
