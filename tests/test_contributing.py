"""CONTRIBUTING.md is followed to the letter, in a copy of the checkout: what it adds is there, whatever one does."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from local.core import workspace
from local.emulator import daemon
from tests.copied import copied, git

TEXT = (workspace.CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DIFF = re.search(r"```diff\n(.*?)```", TEXT, re.DOTALL)[1]
COMMANDS = re.findall(r"^k2l (.*)$", TEXT, re.MULTILINE)
# Each line of its input is a command of k2l, all run in one process: the imports are paid once.
SESSION = """
import shlex, sys
from scripts.__main__ import main
for line in sys.stdin:
    sys.argv = ["k2l", *shlex.split(line)]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise SystemExit(f"{line}ended with exit {end.code}") from None
"""


def run(checkout, *command, **options):
    """A command in the copy, whose home is the copy, too; what it says on stdout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("K2L_", "KAGGLE_", "GIT_"))}
    done = subprocess.run(command, cwd=checkout, env=kept, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The copy with the diff in it, and the tables written again."""
    copy = tmp_path_factory.mktemp("contributing")
    copied(copy, without=(".pth", ".keras", ".onnx", ".tflite"))  # the zoo's weights take most of the room
    run(copy, "git", "apply", input=DIFF)
    run(copy, sys.executable, "-m", "scripts", "report")
    yield copy
    daemon.stop(copy / ".k2l" / "emulator")
    shutil.rmtree(copy)


def test_an_architecture_is_ten_lines(checkout):
    changed = [line.split("\t") for line in git(checkout, "diff", "--numstat").splitlines()]
    assert {name for _, _, name in changed} == {"shared/networks/architectures.py", "docs/zoo.md"}
    assert sum(int(more) + int(less) for more, less, _ in changed) <= 10
    run(checkout, sys.executable, "-m", "scripts", "report", "--check")


@pytest.mark.slow
def test_the_tests_that_go_through_all_networks_go_through_the_new_one(checkout):
    where = ("shared", "test_docs.py", "local/export", "local/sweep/test_space.py")
    said = run(
        checkout, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "lenet and not mnist",
        *(f"tests/{name}" for name in where),
    )  # fmt: skip
    assert int(re.search(r"(\d+) passed", said)[1]) >= 10


@pytest.mark.slow
def test_every_verb_knows_the_new_network(checkout):
    """The commands that CONTRIBUTING shows, the notebook on the emulator among them."""
    assert {shlex.split(command)[0] for command in COMMANDS} >= {
        "train", "loop", "export", "quantize", "evaluate", "bench", "predict", "explain", "publish", "compare", "sweep",
        "race", "report",
    }  # fmt: skip
    said = run(checkout, sys.executable, "-c", SESSION, input="\n".join(COMMANDS))
    assert "lenet" in said
    for folder, file in (("lenet", "model.pth"), ("lenet-keras", "model.keras"), ("lenet-there", "notebook.ipynb")):
        assert (checkout / "models" / folder / file).is_file()
    run(checkout, sys.executable, "-m", "scripts", "report", "--check")
    assert "| [`lenet`](../models/lenet/README.md) | 61,706 |" in (checkout / "docs" / "zoo.md").read_text(
        encoding="utf-8"
    )
    new = git(checkout, "status", "--porcelain", "--untracked-files=all")
    assert "models/lenet/model.int8.onnx" in new and "lenet-there" not in new and "lenet-keras" not in new


def test_every_file_that_it_names_exists():
    for name in re.findall(r"`((?:shared|local|kaggle|scripts|tests)/[\w/.]+)`", TEXT.replace("/VERB.py", "/train.py")):
        assert (workspace.CHECKOUT / name).exists(), name


def test_every_table_that_it_names_is_where_it_says():
    named = re.findall(r"`([A-Z_a-z]+)` (?:in|of) `([\w/]+\.py)`", TEXT)
    assert len(named) >= 8
    for name, file in named:
        code = (workspace.CHECKOUT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(class )?{name}\b", code, re.MULTILINE), (name, file)
