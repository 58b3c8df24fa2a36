"""The words for every kind of event."""

from pathlib import Path

import pytest

from local.core import events
from scripts.steps.progress import tell
from shared.core.events import EpochEnded, Event, Progress, StepEnded, each, within
from tests.heard import Heard

EPOCH = {
    "epoch": 2, "train_loss": 0.5, "train_accuracy": 0.8, "validation_loss": 0.25, "validation_accuracy": 0.9,
    "learning_rate": 0.001, "seconds": 1.5, "cpu_seconds": 3.0,
}  # fmt: skip
SEED = {
    "seed": 4, "test_accuracy": 0.99, "validation_accuracy": 0.98, "validation_loss": 0.1, "seconds": 1.0,
    "cpu_seconds": 2.0,
}  # fmt: skip
SAID = (
    (EpochEnded(row=EPOCH, epochs=3, snapshot=pytest.fail), "epoch 2/3"),
    (events.Stopping(), "stopping; a second Ctrl-C stops at once\n"),
    (events.Resumed(1, 3), "  resumes after epoch 1 of 3\n"),
    (events.SeedBegun(4), "seed 4\n"),
    (events.SeedEnded(SEED), "seed 4: test accuracy 99.00%"),
    (events.BackupMade(Path("/nowhere")), "the model that was there is kept in /nowhere\n"),
    (events.Message("full\nasked again"), "full\nasked again\n"),
    (events.Warned("dear\nvery"), "WARNING: dear\nvery\n"),
    (events.LogLost("cut"), "no live log for now: cut"),
    (events.FileArrived("model.pth", 1234), "         1,234 bytes   model.pth\n"),
)
ELSEWHERE = {
    StepEnded,
    Progress,
    events.LogWritten,
    events.StatusChanged,
    events.TrialEnded,
}  # drawn, or said with what else is known


@pytest.mark.parametrize(("event", "words"), SAID, ids=lambda one: type(one).__name__)
def test_an_event_is_said_in_its_words(event, words, capsys):
    tell(event)
    out, err = capsys.readouterr()
    assert err.startswith(words) and err.endswith("\n") and out == ""


def test_no_kind_of_event_lacks_words():
    kinds = {kind for kind in Event.__subclasses__() if kind.__module__.startswith(("shared.", "local."))}
    assert kinds == {type(event) for event, _ in SAID} | ELSEWHERE


def test_words_from_outside_rule_no_terminal(capsys):
    tell(events.FileArrived("a\x1b[2J\nb", 1))
    assert capsys.readouterr().err == "             1 bytes   a\\x1b[2J\\nb\n"


def test_shares_of_a_part_are_shares_of_the_whole():
    heard = Heard()
    for one in each("ab", within(heard, 0.5, 1)):
        assert one in "ab"
    within(heard, 0, 0.5)(events.Stopping())
    assert heard == [Progress(0.75), Progress(1.0), events.Stopping()]
