"""Digits followed through frames: what stays, what comes, what goes."""

import numpy as np

from local.apps.camera.tracking import LINGERS, MISSED, Tracker, nearest
from local.digits.glyphs import Glyph
from local.digits.reader import Digit, Reading


def seen(digit, confidence=0.99, *, x=100, y=50):
    """A digit of 30x40 pixels at x, y."""
    shares = np.full(10, (1 - confidence) / 9)
    shares[digit] = confidence
    glyph = Glyph(image=np.zeros((28, 28), np.uint8), box=(x, y, 30, 40), mask=np.ones((40, 30), bool))
    return Digit(digit=digit, confidence=confidence, probabilities=tuple(shares.tolist()), glyph=glyph)


def reading(*digits, rejected=()):
    return Reading(rows=(digits,) if digits else (), rejected=tuple(rejected))


def test_a_digit_is_there_from_its_second_frame_and_a_wrong_answer_between_does_not_show():
    tracker = Tracker(sure=0.5)
    texts = [tracker.follow(reading(seen(answer))).text for answer in (4, 4, 4, 9, 4, 4)]
    assert texts == ["", "4", "4", "4", "4", "4"]
    assert tracker.follow(reading()).text == "4"


def test_another_digit_in_its_place_takes_over_within_some_frames():
    tracker = Tracker(sure=0.5)
    texts = [tracker.follow(reading(seen(answer))).text for answer in (4, 4, 4, 7, 7, 7, 7)]
    assert texts[2] == "4" and texts[-1] == "7"


def test_one_that_goes_is_gone_after_some_frames():
    tracker = Tracker(sure=0.5)
    for _ in range(3):
        tracker.follow(reading(seen(4)))
    assert [tracker.follow(reading()).text for _ in range(MISSED + 1)] == ["4"] * MISSED + [""]
    assert tracker.tracks == []


def test_one_that_moves_is_the_same_and_two_keep_their_order():
    tracker = Tracker(sure=0.5)
    for step in range(5):
        last = tracker.follow(reading(seen(1, x=100 + 10 * step), seen(2, x=200 + 10 * step)))
    assert last.text == "12" and len(tracker.tracks) == 2
    assert [digit.box[0] for digit in last.digits] == [140, 240]


def test_what_is_doubtful_for_long_is_rejected_and_a_moment_of_doubt_is_not():
    tracker = Tracker(sure=0.5)
    for _ in range(4):
        tracker.follow(reading(seen(4)))
    assert tracker.follow(reading(rejected=[seen(4, 0.2)])).text == "4"
    for _ in range(8):
        last = tracker.follow(reading(rejected=[seen(4, 0.2)]))
    assert last.text == "" and len(last.rejected) == 1


def test_what_is_rejected_for_another_reason_than_its_probability_is_not_shown():
    tracker = Tracker(sure=0.5)  # an O among letters: the reader takes the whole row for words
    assert [tracker.follow(reading(rejected=[seen(0)])).text for _ in range(5)] == [""] * 5
    for _ in range(3):
        tracker.follow(reading(seen(0)))
    texts = [tracker.follow(reading(rejected=[seen(0)])).text for _ in range(LINGERS + 1)]
    assert texts == ["0"] * LINGERS + [""]


def test_rows_are_kept():
    tracker = Tracker(sure=0.5)
    for _ in range(2):
        last = tracker.follow(Reading(rows=((seen(1, x=100), seen(2, x=200)), (seen(3, x=100, y=150),))))
    assert last.text == "12|3"


def test_boxes_are_paired_nearest_first_each_once_and_none_too_far():
    old, new = [(0, 0, 10, 10), (20, 0, 10, 10)], [(21, 0, 10, 10), (1, 0, 10, 10), (90, 0, 10, 10)]
    assert sorted(nearest(old, new)) == [(0, 1), (1, 0)]
    assert nearest([(0, 0, 10, 10)], [(3, 0, 10, 10), (2, 0, 10, 10)]) == [(0, 1)]
    assert nearest([], [(0, 0, 1, 1)]) == nearest([(0, 0, 1, 1)], []) == []


def test_following_for_long_keeps_nothing_of_the_past():
    tracker = Tracker(sure=0.5)
    for frame in range(3000):
        tracker.follow(reading(*(seen(k, x=(frame * 7 + 60 * k) % 600) for k in range(5))))
    assert len(tracker.tracks) <= 5 * (MISSED + 1)
