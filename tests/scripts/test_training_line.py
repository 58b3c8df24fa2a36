"""The live line's figures. How it looks on a terminal: test_train_verb."""

import pytest

from scripts.steps import training
from shared.core.events import StepEnded


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    return now


def test_epochs_shorter_than_the_time_between_two_looks_still_have_a_speed(clock):
    pace, progress = training._Pace(), StepEnded(epochs=50, images_per_epoch=100)
    for step in range(500):  # ten a second's tenth: an epoch takes 0.1 s, a look is due every 0.23 s
        clock[0] += 0.01
        progress.epoch, progress.images = step // 10 + 1, step % 10 * 10 + 10
        pace.step(progress)
        if step % 23 == 22:
            pace.look(progress)
    assert pace.speed == pytest.approx(1000)
    assert pace.left == pytest.approx(0.17, abs=0.02)


def test_the_pause_for_a_check_is_not_in_the_speed(clock):
    pace, progress = training._Pace(), StepEnded(epochs=2, images_per_epoch=100)
    for epoch in (1, 2):
        clock[0] += 60.0
        for images in (10, 50, 100):
            clock[0] += 1.0
            progress.epoch, progress.images = epoch, images
            pace.step(progress)
            pace.look(progress)
    assert pace.speed == pytest.approx(45)


def test_nothing_is_told_before_there_is_anything_to_tell_it_from(clock):
    pace = training._Pace()
    pace.step(StepEnded(epochs=2, images_per_epoch=100, images=10))
    pace.look(StepEnded(epochs=2, images_per_epoch=100, images=10))
    assert pace.speed is None and pace.left is None


@pytest.mark.parametrize("epochs", [3, 15, 400])
def test_eighty_columns_have_room_for_every_word_and_a_bar(epochs):
    values = {
        "epoch": epochs, "epochs": epochs, "loss": 0.1234, "accuracy": 0.9912, "speed": "112,345", "left": "0:01:23",
    }  # fmt: skip
    before, after = (text.format(**values) for text in training.FORMS[1])
    assert after.endswith("left") and 80 - training.ECHO - len(before) - len(after) - 2 >= training.BAR
