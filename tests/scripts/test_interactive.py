"""The menu: every choice a plain command, by numbers on a pipe and by keys on a terminal."""

import functools
import os
import pty
import re
import select as waiting
import subprocess
import sys
import time

import pytest

from scripts import interactive
from scripts.__main__ import VERBS
from scripts.terminal.ask import MenuChoice
from scripts.terminal.edge import Ended
from tests.measurements.kills import environment


class Somebody:
    """Chooses by what is said, one after the other; keeps the commands."""

    def __init__(self, *answers, done=0):
        self.answers, self.done, self.commands = list(answers), done, []

    def choose(self, question, choices):
        wanted = self.answers.pop(0)
        return next(choice.key for choice in choices if choice.key == wanted)

    def write(self, question):
        return self.answers.pop(0)

    def start(self, words):
        self.commands.append(" ".join(words))
        return self.done


def menu(*answers, done=0):
    somebody = Somebody(*answers, done=done)
    interactive.Menu(choose=somebody.choose, write=somebody.write, start=somebody.start).run()
    assert not somebody.answers
    return somebody.commands


def test_a_training_and_what_comes_after_are_plain_commands():
    assert menu(
        "train", "torch", "here", "lite", "digits",
        "evaluate", "quantize", "predict", "my seven.png", "back", "quit",
    ) == [
        "train --architecture lite --framework torch --dataset digits --name lite-torch",
        "evaluate lite-torch --all",
        "quantize lite-torch",
        "predict my seven.png --model lite-torch",
    ]  # fmt: skip
    assert menu("train", "keras", "emulator", "compact", "mnist", "", "camera", "back", "runs", "quit") == [
        "loop --remote emulator --architecture compact --framework keras --dataset mnist --name compact-keras",
        "camera --model compact-keras",
        "runs",
    ]


def test_after_a_training_that_failed_nothing_is_done_with_its_model():
    assert len(menu("train", "torch", "kaggle", "lite", "mnist", "1", "quit", done=1)) == 1


def test_a_model_of_the_zoo_can_be_used_and_no_picture_is_no_command():
    assert menu("use", "lite", "bench", "predict", "", "back", "quit") == ["bench lite"]


@pytest.mark.parametrize("command", [command for _, command, _ in interactive.THEN.values()])
def test_every_command_is_a_verb(command):
    assert command.split()[0] in VERBS


def test_all_networks_are_offered_the_recommended_and_then_the_smallest_first():
    first, *others = interactive.networks()
    sizes = [int(re.search(r": ([\d,]+) parameters", choice.says)[1].replace(",", "")) for choice in others]
    assert re.fullmatch(r"compact: 206,922 parameters, about \d+ (s|min); a good first one", first.says)
    assert sizes == sorted(sizes) and len(sizes) >= 9


def test_back_gives_up_a_question_and_runs_nothing():
    assert menu("train", "torch", "back", "use", "back", "use", "lite", "back", "quit") == []


def test_a_path_is_taken_as_people_type_and_drag_it(monkeypatch):
    monkeypatch.setenv("HOME", "/srv/me")
    typed = ["~/three.png", "'my three.png'", r"my\ three.png", "test:7"]
    assert [interactive.as_path(one) for one in typed] == [
        "/srv/me/three.png", "my three.png", "my three.png", "test:7",
    ]  # fmt: skip
    assert menu("use", "lite", "explain", '"~/a b.png"', "back", "quit") == ["explain /srv/me/a b.png --model lite"]


def test_a_data_set_that_is_not_here_is_marked(monkeypatch):
    monkeypatch.setattr("shared.data.datasets.locate", lambda name: None)
    says = {choice.key: choice.says for choice in interactive.data_sets()}
    assert "(not here" in says["mnist"] and "(not here" not in says["digits"]


def test_a_model_is_compared_with_the_zoo_where_its_data_set_is_here(monkeypatch):
    for place, offered in (("/data", True), (None, False)):
        monkeypatch.setattr("shared.data.datasets.locate", lambda name, place=place: place)
        for name in ("compact", "camera"):
            assert ("compare" in [choice.key for choice in interactive.afterwards(name)]) is offered
    assert "compare" not in [choice.key for choice in interactive.afterwards("nobody")]


def test_what_was_typed_while_a_command_ran_answers_no_question(monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(interactive, "on_terminal", lambda: True)

        def run(*arguments, **options):
            os.write(ours, b"1\n")
            assert waiting.select([theirs], [], [], 5)[0]
            return subprocess.CompletedProcess([], returncode=0)

        monkeypatch.setattr(interactive.subprocess, "run", run)
        interactive.carry_out(["runs"])
        assert not waiting.select([theirs], [], [], 0)[0]
    os.close(ours)


def test_a_command_that_a_signal_ended_was_interrupted(monkeypatch, capsys):
    ended = subprocess.CompletedProcess([], returncode=-2)
    monkeypatch.setattr(interactive.subprocess, "run", lambda *arguments, **options: ended)
    assert interactive.carry_out(["runs"]) == -2
    assert "that was interrupted" in capsys.readouterr().err


@pytest.fixture
def started(tmp_path, launch):
    """Starts the menu."""
    settled = environment(tmp_path, TERM="xterm", NO_COLOR="1")
    return functools.partial(launch, "-m", "scripts", "interactive", env=settled)


def test_numbers_do_on_a_pipe_and_its_end_leaves(started):
    piped = started(stdin=subprocess.PIPE)
    out, err = piped.communicate("3\n9\nx\nuse\n", timeout=60)
    assert "$ k2l runs" in err and "no runs yet" in err
    assert "'9' is not a choice. Give a number from 1 to 5." in err and "'x' is not a choice" in err
    assert "Which one?" in err and "camera" in err
    assert err.rstrip().endswith("the input has ended.") and (piped.returncode, out) == (130, "")


def read_until(screen, text, seen="", patience=20):
    """What came until the text did."""
    end = time.monotonic() + patience
    while text not in seen:
        assert time.monotonic() < end, seen
        if waiting.select([screen], [], [], 0.2)[0]:
            seen += os.read(screen, 65536).decode(errors="replace")
    return seen


def test_arrow_keys_do_on_a_terminal(started):
    ours, theirs = pty.openpty()
    at_terminal = started(stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        seen = read_until(ours, "Leave")
        os.write(ours, b"\x1b[B\x1b[B\r")  # two down: where my runs stand
        seen = read_until(ours, "no runs yet", seen)
        assert "k2l runs" in seen
        read_until(ours, "Leave")
        os.write(ours, b"\r")  # train
        read_until(ours, "Back")
        os.write(ours, b"\x1b")
        read_until(ours, "Leave")
        os.write(ours, b"\x03")
        read_until(ours, "left the menu")
        assert at_terminal.wait(20) == 130
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", seen)  # NO_COLOR
    finally:
        os.close(ours)


def test_what_is_piped_in_may_end_anywhere():
    def ended(question, choices):
        raise Ended("the input has ended.")

    with pytest.raises(Ended):
        interactive.Menu(choose=ended).run()
    assert MenuChoice("a", "b").says == "b"
