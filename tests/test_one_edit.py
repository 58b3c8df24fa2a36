"""A parameter more is one edit in one file: in a copy of the checkout it is in every place where one looks for it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.copied import copied, git

CONFIG = "shared/training/config.py"
NEW = '    dampening: Annotated[float, Number("how much of each step is held back", 0.0, 0.9, "parts")] = 0.25\n'
AFTER = "    precision: Annotated["


@pytest.fixture(scope="module")
def k2l(tmp_path_factory):
    """`k2l(*words)` runs a command in the copy that has the parameter; what it says on stdout."""
    copy = tmp_path_factory.mktemp("one-edit")
    copied(copy, without=(".pth", ".keras", ".onnx", ".tflite"))
    text = (copy / CONFIG).read_text(encoding="utf-8")
    assert text.count(AFTER) == 1
    (copy / CONFIG).write_text(text.replace(AFTER, NEW + AFTER), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("K2L_", "KAGGLE_", "GIT_"))}

    def run(*words, code=0):
        command = [sys.executable, "-m", "scripts", *words]
        done = subprocess.run(command, cwd=copy, env=kept, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    run.copy = copy
    yield run
    shutil.rmtree(copy)


def test_it_is_one_line_in_one_file(k2l):
    assert git(k2l.copy, "diff", "--numstat").split() == ["1", "0", CONFIG]


@pytest.mark.parametrize("verb", ["train", "loop"])
def test_the_command_line_has_it_with_its_range_unit_and_default(k2l, verb):
    said = " ".join(k2l(verb, "--help").split())
    assert "--dampening <float> How much of each step is held back (0 to 0.9 parts). [default: 0.25]" in said


@pytest.mark.parametrize("given", [("--dampening", "2"), ("--set", "dampening=2")])
def test_the_command_line_holds_it_to_its_range(k2l, given):
    assert "dampening=2.0 is out of range: give 0 to 0.9 parts." in k2l("bundle", *given, code=1)


def test_the_notebook_has_it(k2l):
    out = k2l.copy / "build" / "keras.ipynb"
    k2l("bundle", "--framework", "keras", "--dampening", "0.5", "--out", str(out))
    (cell,) = (cell for cell in json.loads(out.read_text())["cells"] if cell["metadata"].get("tags") == ["parameters"])
    assert "dampening = 0.5  # how much of each step is held back (0 to 0.9 parts)\n" in cell["source"]


def test_k2l_toml_and_a_sweep_take_it(k2l):
    (k2l.copy / "k2l.toml").write_text("[bundle]\ndampening = 3.0\n")
    assert "dampening=3.0 is out of range" in k2l("bundle", code=1)
    (k2l.copy / "k2l.toml").unlink()
    assert "dampening=1.0 is out of range" in k2l("sweep", "--dataset", "digits", "--search", "dampening=0:1", code=1)


@pytest.mark.slow
def test_the_manifest_has_it(k2l):
    k2l("train", "--architecture", "lite", "--dataset", "digits", "--epochs", "1", "--dampening", "0.5", "--name", "m")
    assert json.loads((k2l.copy / "models" / "m" / "manifest.json").read_text())["parameters"]["dampening"] == 0.5
