"""The whole trip by command: real trainings, killed and continued, on our emulator and on a service like Kaggle's."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from local.core import workspace
from local.emulator import daemon
from local.runs import journal
from shared.core import manifest
from tests.local import trips
from tests.local.emulated import Emulated
from tests.measurements.kills import environment, state

pytestmark = pytest.mark.slow

LOOP = ("loop", "--remote", "emulator", "--dataset", "digits", "--epochs", "10", "--name", "small", "--json")
AROUND = 8.0  # seconds a trip may take around its training
SURELY_OURS = 12.0  # seconds that no slower processor explains
PRESSURE = Path("/proc/pressure")


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    daemon.stop(tmp_path / ".k2l" / "emulator")


@pytest.fixture
def start(home, launch):
    """Starts `k2l`, with these environment variables besides."""
    return lambda *command, **more: launch("-m", "scripts", *command, env=environment(home, HOME=str(home), **more))


def finish(process):
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def versions(home):
    return len(list((home / ".k2l" / "emulator" / "kernels").glob("*/*/*/source.ipynb")))


def stalled():
    """Seconds since the machine's start in which something on it waited for a processor or the disk; None: not told."""
    try:
        lines = [(PRESSURE / kind).read_text().splitlines()[0] for kind in ("cpu", "io")]
    except OSError:
        return None
    return sum(int(line.rpartition("total=")[2]) for line in lines) / 1e6


def verdict(around, held_up):
    if around <= AROUND:
        return "shown"
    return "broken" if held_up is not None and around - held_up > SURELY_OURS else "not to be told"


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A trip with a real small training: what it left and said, and the seconds in which something was held up."""
    home = tmp_path_factory.mktemp("first")
    yield travelled(home)
    daemon.stop(home / ".k2l" / "emulator")


def travelled(home, *more):
    """One trip in that home."""
    before = stalled()
    done = subprocess.run(
        [sys.executable, "-m", "scripts", *LOOP, *more], cwd=workspace.CHECKOUT,
        env=environment(home, HOME=str(home)), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    held_up = None if before is None else stalled() - before
    return SimpleNamespace(home=home, row=json.loads(done.stdout), err=done.stderr, held_up=held_up)


def around(trip):
    """The seconds around the training, and in how many something was held up."""
    return trip.row["seconds_push_to_installed"] - trip.row["seconds_training"], trip.held_up


def test_the_loop_leaves_a_proven_model(first):
    row, err, folder = first.row, first.err, first.home / "models" / "small"
    stated = manifest.verify(folder)
    assert {
        "model.pth", "model.onnx", "model.int8.onnx", "metrics.json", "history.csv", "predictions.npy", "labels.npy",
        "curves.png", "confusion.png", "samples.png", "misclassified.png", "notebook.ipynb", "run.log",
    } == set(stated.files)  # fmt: skip
    assert (row["dataset"], row["name"], stated.dataset) == ("digits", "small", "digits")
    assert row["accuracy"] == stated.metrics["test"]["accuracy"] == pytest.approx(row["accuracy_here"], abs=0.001)
    assert row["accuracy"] > 0.9
    assert row["seconds_training"] < row["seconds_push_to_installed"] < row["seconds_command"]
    assert "quantizing to model.int8.onnx …\n" in err and err.count("curves.png") == 1
    right = np.load(folder / "predictions.npy") == np.load(folder / "labels.npy")
    assert right.mean() == pytest.approx(row["accuracy"])


def test_it_takes_at_most_eight_seconds_around_its_training(first):
    """On a quiet machine it shows the promise itself: push to installed in the training's time and eight seconds.

    On a busy one the clock counts the turns of others too. Linux tells how long anything on the machine was held up
    (pressure stall information); a trip that even without all of that takes half as long again, three times in a row,
    is our own doing, and fails. In between nothing can be told, and the test is skipped with its figures. So it cannot
    see a second or two lost, nor anything above eight seconds where the system tells no pressure.
    """
    tried = [around(first)]
    while len(tried) < 3 and verdict(*tried[-1]) == "broken":
        tried.append(around(travelled(first.home, "--again")))
    said = "seconds around the training, and of something held up: " + ", ".join(str(one) for one in tried)
    if verdict(*tried[-1]) == "not to be told":
        pytest.skip(f"too busy a machine, or none that tells: {said}")
    assert verdict(*tried[-1]) == "shown", said


@pytest.mark.parametrize(
    ("around", "held_up", "said"),
    [
        (7.9, 9.0, "shown"),
        (7.9, None, "shown"),
        (14, 5, "not to be told"),
        (14, None, "not to be told"),
        (14, 1, "broken"),
    ],
)
def test_a_late_trip_is_blamed_on_us_only_without_another_reason(around, held_up, said):
    assert verdict(around, held_up) == said


def test_the_same_trip_with_keras(home, start):
    code, out, err = finish(start(*LOOP, "--framework", "keras"))
    assert code == 0, err
    row = json.loads(out)
    stated = manifest.verify(home / "models" / "small")
    assert {"model.keras", "model.onnx"} <= set(stated.files) and "model.pth" not in stated.files
    assert stated.framework == "keras" and {"keras", "tensorflow"} <= set(stated.environment)
    assert row["accuracy"] > 0.9 and row["accuracy"] == pytest.approx(row["accuracy_here"], abs=0.001)


def test_killed_at_every_step_the_same_command_goes_on(home, start):
    """Killed without warning as soon as the journal shows each state, or a little later.

    A model of the same name that was there before is kept through all of it.
    """
    before = home / "models" / "small"
    before.mkdir(parents=True)
    (before / "model.pth").write_bytes(b"old")
    tables = {"parameters": {}, "environment": {}, "metrics": {"test": {"accuracy": 0.5}}, "trainable_parameters": 1}
    words = {key: "old" for key, kind in manifest.REQUIRED.items() if kind is str}
    manifest.write(before, manifest.TrainingManifest(**words | tables))
    for wanted, later in (("intended", 0.0), ("pushed", 0.0), ("pushed", 0.3), ("complete", 0.0), ("pulled", 0.3)):
        process = start(*LOOP)
        while process.poll() is None and (reached := state(home)) != wanted and reached != "done":
            time.sleep(0.005)
        time.sleep(later)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not before.exists() or manifest.verify(before)
    code, out, err = finish(start(*LOOP))
    assert code == 0, err
    assert versions(home) == 1
    assert state(home) == "done"
    assert manifest.verify(before).run_id != "old"
    assert json.loads(out)["version"] == 1
    assert [path.read_bytes() for path in home.glob(".k2l/runs/*/replaced*/model.pth")] == [b"old"]


def test_the_same_trip_by_the_sdks_own_way_to_a_test_service(tmp_path, monkeypatch, k2l):
    """`--remote kaggle` with KAGGLE_API_ENVIRONMENT=TEST: port 7777, credentials from the environment, no short cut."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 7777)) == 0:
            pytest.skip("something else listens on port 7777")
    there = {"KAGGLE_API_ENVIRONMENT": "TEST", "KAGGLE_USERNAME": "learner", "KAGGLE_KEY": "k"}
    for name, value in {**there, "K2L_HOME": tmp_path / "home", "HOME": tmp_path}.items():
        monkeypatch.setenv(name, str(value))
    trips.tiny_kernel(tmp_path, monkeypatch)(trips.LEAVES_A_MODEL)
    emulator = Emulated(tmp_path / "s", port=7777, username="learner", key="k")
    try:
        push = ("push", "--remote", "kaggle", "--dataset", "digits", "--name", "apart", "--json")
        for words in (push, ("watch", "--json"), ("pull", "--json")):
            code, out, err = k2l(*words)
            assert code == 0, err
        run = journal.get(json.loads(out)["run_id"])
        assert (run.state, run.remote) == ("pulled", "http://localhost:7777")
        assert manifest.verify(tmp_path / "home" / "models" / "apart").run_id == run.run_id
        code, _, err = k2l(*push, "--owner", "teacher")
        assert (code, "'teacher' is not the user" in err) == (1, True)
        monkeypatch.setenv("KAGGLE_KEY", "wrong")
        code, _, err = k2l("quota")
        assert (code, "HTTP 401" in err) == (1, True)
    finally:
        emulator.close()
