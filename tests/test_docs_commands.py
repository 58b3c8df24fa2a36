"""The commands of README and docs/: each is understood; those that need no account and end by themselves are run."""

import itertools
import os
import re

import pytest
from typer.main import get_command

from local.core import workspace
from local.digits.saved_readings import write
from local.emulator import daemon
from scripts.__main__ import app
from tests.documents import PAGES, commands, session, words
from tests.local.digits.drawn_digits import drawn, page, write_film

CONTRIBUTING = commands(PAGES["CONTRIBUTING.md"])  # run by tests/test_contributing.py
LINES = [line for text in PAGES.values() for line in commands(text) if line not in CONTRIBUTING]
README = commands(PAGES["README.md"])
# What is not run here, by the part of the command that says so, and why.
NOT_RUN = {
    "k2l loop --name": "needs an account",
    "k2l push --name": "needs an account",
    "k2l quota": "needs an account",
    "k2l watch": "needs a run that has not ended; tests/scripts/test_loop.py runs it",
    "k2l pull": "the same",
    "k2l camera #": "needs a camera, and a person who ends it",
    "k2l web": "ends when a person ends it; tests/scripts/test_web_verb.py runs it",
    "k2l emulator": "the same; tests/local/emulator runs it",
    "k2l data mnist": "needs MNIST, or a network",
    "k2l doctor": "reports what is wrong with this machine; tests/scripts/test_doctor_verb.py runs it",
    "k2l log RUN": "needs the name of a run; tests/scripts runs it",
    "k2l -v": "the same loop as without",
    "misread:1": "needs MNIST; tests/local/digits/test_explain_picture.py runs it",
    "--resume": "only after an interruption; tests/local/experiments/test_train_resume.py runs it",
    "--photos": "needs labelled photographs; tests/local/digits/test_photos.py runs it",
    "k2l sweep": "40 trials; tests/scripts/test_sweep_verb.py runs fewer",
    "--seeds 5": "five trainings; tests/local/experiments/test_seeds.py runs fewer",
    "k2l compare": "four trainings; tests/local/experiments/test_compare.py runs it",
    "k2l race": "minutes; tests/local/experiments/test_race.py runs it",
}
# A command of README, and the output below it.
SHOWN = re.compile(r"^```\n(k2l [^\n]*)\n```\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
RULE = "──"  # what stands below the head of a table
# One epoch of a small data set, unless the command itself says otherwise.
SETTINGS = """
dataset = "digits"
[train]
epochs = 1
[loop]
epochs = 1
[quantize]
max-drop = 100
seconds = 1
[bench]
seconds = 1
cold-start = false
[explain]
conf = 0.0
"""


def reason(line: str) -> str:
    """Why a command is not run here, if it is not."""
    shortened = " ".join(line.split())
    return next((why for part, why in NOT_RUN.items() if part in shortened), "")


def once(lines: list[str]) -> list[str]:
    """The lines without those that use no other options than one before them of the same verb."""
    return [line for at, line in enumerate(lines) if not any(repeats(line, before) for before in lines[:at])]


def repeats(line: str, before: str) -> bool:
    """Whether a command uses the verb of another, and no option that the other does not use."""
    (verb, options), (other, used) = (
        (words(one)[0], {word for word in words(one) if word.startswith("--")}) for one in (line, before)
    )
    return verb == other and options <= used


@pytest.mark.parametrize("line", LINES)
def test_every_command_is_understood(line):
    """Parsed as `k2l` would, with the values its options take; nothing is run."""
    verb, *rest = [word for word in words(line) if word != "-v"]
    group = get_command(app)
    group.get_command(None, verb).make_context(verb, rest)


def test_no_reason_is_left_over():
    assert all(any(part in " ".join(line.split()) for line in LINES) for part in NOT_RUN)


@pytest.fixture
def place(tmp_path):
    """A folder with the pictures that the pages name, and a home whose data set is small."""
    for name in ("seven.png", "seven.jpg", "scans/7.png"):
        write(tmp_path / name, drawn(7))
    write(tmp_path / "page.jpg", page("0123", "456"))
    (tmp_path / "tests").symlink_to(workspace.CHECKOUT / "tests")
    write_film(tmp_path / "clip.mp4", 10)
    home = tmp_path / "home"
    home.mkdir()
    (home / "k2l.toml").write_text(SETTINGS, encoding="utf-8")
    yield tmp_path
    daemon.stop(home / ".k2l" / "emulator")


@pytest.mark.slow
def test_the_commands_that_need_no_account_run_one_after_the_other(place):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE", "K2L_"))}
    environment |= {"K2L_HOME": str(place / "home"), "HOME": str(place), "PYTHONPATH": str(workspace.CHECKOUT)}
    runs = [line for line in (*README, *CONTRIBUTING, *LINES) if line in CONTRIBUTING or not reason(line)]
    lines = [line for line in once(runs) if line not in CONTRIBUTING]
    printed = session(lines, cwd=place, env=environment)
    assert len(printed) == len(lines) >= 15
    shown_in_readme = SHOWN.findall(PAGES["README.md"])
    assert len(shown_in_readme) == 3
    for command, shown in shown_in_readme:
        assert labels(shown) <= labels(printed[command]), command


def labels(output: str) -> set[str]:
    """The first cell of each row, and the heads of the tables: what does not depend on the data."""
    lines = [re.split(r"  +", line.strip()) for line in output.splitlines() if line.strip()]
    heads = [cells for cells, below in itertools.pairwise(lines) if below[0].startswith(RULE)]
    return {cells[0].partition(":")[0] for cells in lines if not cells[0].startswith(RULE)}.union(*heads)
