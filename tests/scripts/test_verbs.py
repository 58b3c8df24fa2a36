"""What a person sees: help with an example, one-line errors, exit codes, JSON alone on stdout."""

import json

import pytest

from local.kernels.emulator import daemon
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
        ("pull", "no run is complete or pushed"),
        ("cancel", "no run is pushed"),
        ("evaluate nothing", "nothing"),
        ("predict nothing.png", "model"),
    ],
)
def test_wrong_input_ends_in_a_line_or_two_and_exit_1(k2l, command, said):
    code, out, err = k2l(*command.split())
    assert (code, out) == (1, "")
    assert said in err and "Traceback" not in err
    assert 1 <= len(err.strip().splitlines()) <= 3


def test_wrong_usage_is_exit_2(k2l):
    assert k2l("push", "--nonsense")[0] == 2
    assert k2l("fly")[0] == 2


def test_a_damaged_kaggle_json_is_named_and_not_quoted(k2l, home):
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text('{"username": "me", "key": "topsecret"')
    code, _, err = k2l("quota")
    assert (code, "kaggle.json" in err, "topsecret" in err) == (1, True, False)


def test_nothing_is_written_by_a_push_that_cannot_be(k2l, home):
    k2l("push", "--epochs", "3")
    assert not list((home / "k2l").rglob("run.json"))


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
