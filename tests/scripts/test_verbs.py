"""What a person sees: help with an example, one-line errors, exit codes, JSON alone on stdout."""

import json
import signal
import subprocess
import sys

import pytest

from local.kernels.emulator import daemon
from local.kernels.runs import Run
from scripts.__main__ import VERBS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No credentials, no service, nothing in HOME."""
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "k2l"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR", "K2L_MODEL"):
        monkeypatch.delenv(name, raising=False)
    # Nothing listens there: a test that forgot itself would be refused, and never reach production.
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(k2l, verb):
    code, out, _ = k2l(verb, "--help")
    assert code == 0
    assert f"Example: k2l {verb}" in " ".join(out.split())


def test_the_list_of_verbs_is_shown_without_one(k2l):
    _, out, err = k2l()
    assert all(f"  {verb} " in out + err for verb in VERBS)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("push --epochs 3", "no Kaggle credentials"),
        ("quota", "no Kaggle credentials"),
        ("loop", "no Kaggle credentials"),
        ("push --architecture vgg", "there are: compact, baseline"),
        ("push --set colour=red", "parameter 'colour' does not exist"),
        ("push --set epochs", "--set epochs=VALUE"),
        ("push --set batch_size=many", "batch_size must be a whole number"),
        ("push --dataset kmnist", "kernel.toml attaches nothing for the data set 'kmnist'"),
        ("push --remote moon", "there are: kaggle, emulator"),
        ("push --framework jax", "there are: "),
        ("push --name ../evil", "cannot be a folder's"),
        ("push --slug abc", "5 to 50"),
        ("train --framework jax", "there are: torch"),
        ("watch nothing", "there is no run 'nothing'"),
        ("watch", "no run is pushed or complete"),
        ("pull", "no run is pushed or complete"),
        ("cancel", "no run is pushed"),
        ("evaluate nothing", "nothing"),
        ("predict nothing.png", "No such file"),
    ],
)
def test_wrong_input_ends_in_a_line_or_two_and_exit_1(k2l, command, said):
    code, out, err = k2l(*command.split())
    assert (code, out) == (1, "")
    assert said in err and "Traceback" not in err
    assert 1 <= len(err.strip().splitlines()) <= 2


def test_wrong_usage_is_exit_2(k2l):
    assert k2l("push", "--nonsense")[0] == 2
    assert k2l("fly")[0] == 2


def test_a_place_that_cannot_be_written_is_named(k2l, home):
    (home / "file").write_text("")
    code, _, err = k2l("bundle", "--out", str(home / "file" / "x.ipynb"))
    assert (code, err.count("\n")) == (1, 1) and str(home / "file") in err


def test_a_run_that_failed_is_told_as_such_by_watch_and_pull(k2l, home):
    one = Run(
        run_id="r1", remote="emulator", owner="emulator", slug="k2l-torch", name="mine", framework="torch",
        dataset="digits", bundle_sha256="b", source_commit="", parameters={}, state="failed", message="no ink",
    )  # fmt: skip
    one.record(created_at="2026-01-01T00:00:00+00:00").keep_log("no ink")
    try:
        for verb in ("watch", "pull"):
            code, _, err = k2l(verb, "r1")
            assert code == 1 and "failed: no ink" in err and str(one.log) in err
        assert k2l("runs")[0] == 0
        code, _, err = k2l("cancel", "r1", "--yes")
        assert code == 1 and "nothing to end" in err
    finally:
        daemon.stop(home / "k2l" / ".k2l" / "emulator")


def test_ctrl_c_is_a_word_and_130(home):
    command = [sys.executable, "-m", "scripts", "emulator", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    train = [sys.executable, "-m", "scripts", "train", "--dataset", "digits", "--epochs", "1000"]
    other = subprocess.Popen(train, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "epoch" in other.stderr.readline()
    for one in (process, other):
        one.send_signal(signal.SIGINT)
    _, err = other.communicate(timeout=30)
    process.communicate(timeout=30)
    assert other.returncode == 130
    said, go_on = err.strip().splitlines()[-2:]
    assert said.startswith("interrupted after epoch") and go_on.endswith("--resume") and "Traceback" not in err


def test_a_damaged_kaggle_json_is_named_and_not_quoted(k2l, home):
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text('{"username": "me", "key": "topsecret"')
    code, _, err = k2l("quota")
    assert (code, "kaggle.json" in err, "topsecret" in err) == (1, True, False)


def test_nothing_is_written_by_a_push_that_cannot_be(k2l, home):
    k2l("push", "--epochs", "3")
    assert not list((home / "k2l").rglob("run.jsonl"))


def test_json_is_alone_on_stdout(k2l, home):
    code, out, _ = k2l("bundle", "--json", "--out", str(home / "x.ipynb"))
    (row,) = map(json.loads, out.splitlines())
    assert code == 0 and row["bytes"] == (home / "x.ipynb").stat().st_size < 300_000


def test_the_same_bundle_has_the_same_bytes(k2l, home):
    for name in ("a", "b"):
        assert k2l("bundle", "--out", str(home / name))[0] == 0
    assert (home / "a").read_bytes() == (home / "b").read_bytes()


def test_runs_and_quota_of_the_emulator(k2l, home):
    try:
        assert k2l("runs")[0] == 0
        code, out, _ = k2l("quota", "--remote", "emulator", "--json")
        assert code == 0 and json.loads(out)["total_hours"] == 30
    finally:
        daemon.stop(home / "k2l" / ".k2l" / "emulator")
