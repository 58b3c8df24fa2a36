import os
import shutil
import subprocess
import sys

import pytest

from local.core import workspace
from local.export import export
from shared.data.datasets import load
from tests.local.model_folders import write_folder
from tests.local.model_formats import images


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """A model folder with weights and their export; to be copied before it is changed."""
    folder = write_folder(tmp_path_factory.mktemp("models") / "small", "lite")
    export.export(folder, ["onnx"], images=images())
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty K2L_HOME with a models/ folder; in this process nothing is published."""
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    monkeypatch.delenv("K2L_MODEL", raising=False)
    monkeypatch.setattr(workspace, "zoo", lambda: tmp_path / "zoo")
    (tmp_path / "models").mkdir()
    return tmp_path


@pytest.fixture(scope="session")
def digits():
    return load("digits")


@pytest.fixture
def k2l(home, capfd, monkeypatch):
    """Runs a command in this process with the home's models, its streams as they are; gives back what came of it.

    `check=False` lets it fail.
    """
    from scripts.__main__ import main

    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments, check=True):
        monkeypatch.setattr(sys, "argv", ["k2l", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        done = subprocess.CompletedProcess(sys.argv, ended.value.code or 0, *capfd.readouterr())
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def k2l_process(home):
    """The same in a fresh process, which takes seconds: for what depends on what is loaded, or stays loaded."""

    def run(*arguments, check=True):
        command = [sys.executable, "-m", "scripts", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def error_of(home, capfd, monkeypatch):
    """The error of a command that refuses, run in this process: one or two lines, and nothing on stdout."""
    from scripts.__main__ import main

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["k2l", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert (ended.value.code, out) == (1, "") and err.startswith("error: ") and len(err.splitlines()) <= 2, err
        return err

    return run


@pytest.fixture(scope="session")
def screen_file(tmp_path_factory):
    """Where the screen's pixels lie."""
    return tmp_path_factory.mktemp("screen") / "Xvfb_screen0"


@pytest.fixture(scope="session")
def display(screen_file):
    """A screen of its own."""
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("Xvfb and xdotool are not installed: no window to look at")
    read, write = os.pipe()
    # Without -noreset it begins anew whenever its last window goes, also under one that is just coming.
    options = ["-displayfd", str(write), "-screen", "0", "1400x900x24", "-noreset", "-fbdir", str(screen_file.parent)]
    server = subprocess.Popen(["Xvfb", *options], pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as numbers:
        yield f":{numbers.readline().strip()}"
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture
def xdotool(display):
    """Mouse and keys on that screen: runs the program, and gives back the words of its answer."""
    environment = {**os.environ, "DISPLAY": display}
    return lambda *words: subprocess.run(
        ["xdotool", *words], env=environment, capture_output=True, text=True
    ).stdout.split()
