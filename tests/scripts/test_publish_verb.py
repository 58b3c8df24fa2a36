"""`k2l publish` as a person meets it: a plan, a table or JSON, once, and how to go on after Ctrl-C."""

import json
import shlex
import signal
import time

import pytest
import requests

from local.core import workspace
from tests.local.trips import tree

ZOO = str(workspace.zoo() / "lite")
HERE = ("--remote", "emulator")


@pytest.fixture(autouse=True)
def home(stranger):
    return stranger / "k2l"


def test_a_plan_starts_and_writes_nothing(k2l, home):
    code, out, err = k2l("publish", ZOO, *HERE, "--dry-run")
    assert code == 0 and "private" in out and "unknown" in out and "model.int8.tflite" in out
    assert "the emulator does not run" in err and err.splitlines()[-1].startswith("nothing was published.")
    assert not home.exists()


def test_a_plan_tells_what_is_there_and_writes_nothing(k2l, home, emulator):
    before = tree(home)
    code, out, _ = k2l("publish", ZOO, *HERE, "--dry-run", "--license", "apache 2.0")
    assert code == 0 and "create the model" in out and "emulator/k2l-lite/onnx/default" in out and "Apache 2.0" in out
    code, out, _ = k2l("publish", ZOO, *HERE, "--dry-run", "--json", "--public")
    rows = [json.loads(line) for line in out.splitlines()]
    assert {(row["state"], row["version"], row["private"]) for row in rows} == {("new", 1, False)}
    assert tree(home) == before


def test_it_is_published_once_and_json_is_alone_on_stdout(k2l, home):
    code, out, err = k2l("publish", ZOO, *HERE, "--json")
    assert code == 0 and "created the model emulator/k2l-lite (private)" in err
    assert {json.loads(line)["state"] for line in out.splitlines()} == {"published"}
    code, out, err = k2l("publish", ZOO, *HERE)
    assert (code, err) == (0, "") and out.count("there already") == 4
    assert len(list((home / ".k2l" / "emulator" / "models").rglob("version.json"))) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "No model 'nothing'"),
        ([f"{ZOO}/model.onnx"], "is a file: name its model folder"),
        ([ZOO, "--slug", "Bad"], "--slug"),
        ([ZOO, "--remote", "moon"], "there are: kaggle, emulator"),
        ([ZOO, "--license", "beerware"], "Kaggle knows no license 'beerware'"),
        ([ZOO, "--title", "x"], "--title"),
        ([ZOO], "no Kaggle credentials"),
    ],
)
def test_wrong_input_ends_in_a_line_or_two_and_exit_1(k2l, home, words, said):
    code, out, err = k2l("publish", *words)
    assert (code, out) == (1, "") and said in err and 1 <= len(err.strip().splitlines()) <= 2
    assert not list(home.rglob("publishing/*"))


def test_a_plan_without_credentials_tells_what_it_can(k2l, home):
    code, out, err = k2l("publish", ZOO, "--dry-run")
    assert code == 1 and "OWNER/k2l-lite/onnx/default" in out and "error: no Kaggle credentials" in err
    assert not home.exists()


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(k2l, launch, home, emulator):
    rule = {"fault": "delay", "method": "Upload", "seconds": 0.3, "times": None}
    faults, auth = f"{emulator.url}/emulator/faults", (emulator.username, emulator.key)
    requests.post(faults, json=rule, auth=auth, timeout=10)
    process = launch("-m", "scripts", "publish", ZOO, *HERE)
    assert "created" in process.stderr.readline() and "pyTorch/model.pth" in process.stderr.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "") and "Traceback" not in err
    assert err.strip().endswith(f"Resume: k2l publish {shlex.quote(ZOO)} --remote emulator")
    requests.delete(faults, auth=auth, timeout=10)
    assert k2l("publish", ZOO, *HERE)[0] == 0
    assert len(list((home / ".k2l" / "emulator" / "models").rglob("version.json"))) == 4
