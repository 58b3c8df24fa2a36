"""README's commands are commands: each is understood, and those that need no account and end by themselves are run."""

import os
import re
import shlex
import subprocess
import sys
from functools import cache

import pytest
from typer.main import get_command

from local.core import workspace
from local.digits.saved_readings import write
from local.emulator import daemon
from scripts.__main__ import app
from tests.local.digits.drawn_digits import drawn, page, write_film

README = (workspace.CHECKOUT / "README.md").read_text(encoding="utf-8")
# What is not run here, by the part of the command that says so, and why.
NOT_RUN = {
    "k2l loop --name": "needs an account",
    "k2l camera #": "needs a camera, and a person who ends it",
    "k2l web": "ends when a person ends it; tests/scripts/test_web_verb.py runs it",
    "k2l data mnist": "needs MNIST, or a network",
    "k2l doctor": "says what is wrong with this machine; tests/scripts/test_doctor_verb.py runs it",
    "k2l log RUN": "needs a run's name; tests/scripts runs it",
    "k2l -v": "the same loop as without",
    "misread:1": "needs MNIST; tests/local/digits/test_explain_picture.py runs it",
    "k2l emulator": "the same; tests/local/emulator runs it",
    "--resume": "only after an interruption; tests/local/experiments/test_train_resume.py runs it",
    "--photos": "needs labelled photographs; tests/local/digits/test_photos.py runs it",
    "k2l sweep": "40 trials; tests/scripts/test_sweep_verb.py runs fewer",
    "--seeds 5": "five trainings; tests/local/experiments/test_seeds.py runs fewer",
    "k2l compare": "four trainings; tests/local/experiments/test_compare.py runs it",
    "k2l race": "minutes; tests/local/experiments/test_race.py runs it",
}
# One epoch of a small data set, wherever the command itself does not say otherwise.
SETTINGS = """
dataset = "digits"
[train]
epochs = 1
[loop]
epochs = 1
[quantize]
max-drop = 100
[bench]
seconds = 1
cold-start = false
[explain]
conf = 0.0
"""


@cache
def commands():
    """The lines of README's code blocks that begin with k2l, without their remarks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if re.match(r"k2l [-a-z]", line)]


def words(line):
    return shlex.split(line, comments=True)[1:]


@cache
def reason(line):
    """Why a command is not run here, if it is not."""
    shortened = " ".join(line.split())
    return next((why for part, why in NOT_RUN.items() if part in shortened), "")


@pytest.mark.parametrize("line", commands())
def test_every_command_of_readme_is_understood(line):
    """Parsed as `k2l` would, with the values its options take; nothing is run."""
    verb, *rest = [word for word in words(line) if word != "-v"]
    group = get_command(app)
    group.get_command(None, verb).make_context(verb, rest)


def test_no_reason_is_left_over():
    assert all(any(part in " ".join(line.split()) for line in commands()) for part in NOT_RUN)


@pytest.fixture
def place(tmp_path):
    """A folder with the pictures that README speaks of, and a home whose data set is small."""
    for name in ("seven.png", "seven.jpg", "my-seven.png", "scans/7.png"):
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
    ran = 0
    for line in filter(lambda line: not reason(line), commands()):
        done = subprocess.run(
            [sys.executable, "-m", "scripts", *words(line)],
            cwd=place, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert "Warning" not in done.stderr, f"{line}\n{done.stderr}"
        ran += 1
    assert ran >= 20
