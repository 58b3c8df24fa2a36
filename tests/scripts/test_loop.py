"""The whole trip by command: real trainings, killed and continued, on our emulator and on a service like Kaggle's."""

import json
import signal
import socket
import time

import numpy as np
import pytest

from local.emulator import daemon
from shared.core import manifest
from tests.measurements.kills import environment, state

pytestmark = pytest.mark.slow


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


LOOP = ("loop", "--remote", "emulator", "--dataset", "digits", "--epochs", "10", "--name", "small", "--json")


def versions(home):
    return len(list((home / ".k2l" / "emulator" / "kernels").glob("*/*/*/source.ipynb")))


def test_the_loop_leaves_a_proven_model(home, start):
    code, out, err = finish(start(*LOOP))
    assert code == 0, err
    row = json.loads(out)
    folder = home / "models" / "small"
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


def test_the_same_trip_with_keras(home, start):
    code, out, err = finish(start(*LOOP, "--framework", "keras"))
    assert code == 0, err
    row = json.loads(out)
    stated = manifest.verify(home / "models" / "small")
    assert {"model.keras", "model.onnx"} <= set(stated.files) and "model.pth" not in stated.files
    assert stated.framework == "keras" and {"keras", "tensorflow"} <= set(stated.environment)
    assert row["accuracy"] > 0.9 and row["accuracy"] == pytest.approx(row["accuracy_here"], abs=0.001)


def test_killed_at_every_step_the_same_command_goes_on(home, start):
    """Killed without warning as soon as the journal shows each state, and once more a little later.

    A model of the same name that was there before is kept through all of it.
    """
    before = home / "models" / "small"
    before.mkdir(parents=True)
    (before / "model.pth").write_bytes(b"old")
    tables = {"parameters": {}, "environment": {}, "metrics": {"test": {"accuracy": 0.5}}, "trainable_parameters": 1}
    words = {key: "old" for key, kind in manifest.REQUIRED.items() if kind is str}
    manifest.write(before, manifest.TrainingManifest(**words | tables))
    for wanted in ("intended", "pushed", "complete", "pulled"):
        for later in (0.0, 0.3):
            process = start(*LOOP)
            while process.poll() is None and (reached := state(home)) != wanted and reached != "done":
                time.sleep(0.002)
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


def test_the_same_trip_by_the_sdks_own_way_to_a_test_service(home, start):
    """`--remote kaggle` with KAGGLE_API_ENVIRONMENT=TEST: port 7777, credentials from the environment, no short cut."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 7777)) == 0:
            pytest.skip("something else listens on port 7777")
    server = start(
        "emulator", "--port", "7777", "--username", "learner", "--key", "k", "--state", str(home / "s"), "--json"
    )
    assert json.loads(server.stdout.readline())["url"]
    there = {"KAGGLE_API_ENVIRONMENT": "TEST", "KAGGLE_USERNAME": "learner", "KAGGLE_KEY": "k"}
    options = ["--dataset", "digits", "--epochs", "2", "--name", "apart", "--json"]
    code, out, err = finish(start("loop", "--remote", "kaggle", *options, **there))
    assert code == 0, err
    assert json.loads(out)["remote"] == "http://localhost:7777"
    manifest.verify(home / "models" / "apart")
    code, _, err = finish(start("push", "--owner", "teacher", *options, **there))
    assert (code, "'teacher' is not the user" in err) == (1, True)
    code, _, err = finish(start("quota", **{**there, "KAGGLE_KEY": "wrong"}))
    assert (code, "HTTP 401" in err) == (1, True)
