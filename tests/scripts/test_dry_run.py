"""`--dry-run` and `quota` as a person meets them: a table or JSON, an exit code, and nothing written."""

import dataclasses
import json

import pytest

from shared.data.registry import DATASETS
from tests.local.trips import tree


@pytest.fixture(autouse=True)
def home(stranger):
    return stranger / "k2l"


DIGITS = ("--remote", "emulator", "--dataset", "digits", "--dry-run")


def test_a_push_that_would_go_is_exit_0_and_writes_nothing(k2l, home, emulator):
    before = tree(home)
    code, out, err = k2l("push", *DIGITS)
    assert code == 0 and "GOOD" in out and "BAD" not in out and "NOT CHECKED" not in out
    assert err == "every check that is possible here has passed; nothing was pushed.\n"
    assert k2l("loop", *DIGITS)[1] == out
    assert tree(home) == before


@pytest.mark.parametrize("verb", ["push", "loop"])
def test_everything_that_is_wrong_is_told_at_once_with_exit_1(k2l, home, verb):
    code, out, err = k2l(verb, *DIGITS, "--slug", "abc", "--accelerator", "no name", "--set", "colour=red")
    assert code == 1 and out.count("BAD") == 3
    assert "fail for: slug and title, accelerator, parameters. Nothing was pushed.\n" in err and "Traceback" not in err
    assert not home.exists()


def test_json_is_one_object_a_check(k2l, home):
    code, out, _ = k2l("push", "--dry-run", "--json", "--dataset", "digits")
    rows = {row["check"]: row for row in map(json.loads, out.splitlines())}
    assert code == 1
    assert all(set(row) == {"check", "verdict", "found", "fix"} for row in rows.values())
    assert rows["credentials"]["verdict"] == "bad" and "no Kaggle credentials" in rows["credentials"]["found"]
    assert rows["size"]["verdict"] == "good" and rows["capacity"]["verdict"] == "not checked"


def test_a_table_shows_brackets_as_they_are(k2l, monkeypatch):
    monkeypatch.setitem(DATASETS, "kmnist", dataclasses.replace(DATASETS["kmnist"], kaggle_ref=""))
    _, out, _ = k2l("push", "--dry-run", "--dataset", "kmnist")
    assert "under [data_sources]." in out


def test_the_quota_says_when_it_starts_anew(k2l, emulator):
    code, out, _ = k2l("quota", "--remote", "emulator")
    assert code == 0 and "0.0 of 30.0 GPU hours used, 30.0 left" in out
    assert "they are renewed in " in out and "(Saturday 00:00 UTC)" in out
    _, out, _ = k2l("quota", "--remote", "emulator", "--json")
    row = json.loads(out)
    assert set(row) == {"used_hours", "total_hours", "left_hours", "refresh"} and row["refresh"].endswith("T00:00Z")


def test_what_it_would_train_on_instead_is_named(k2l, monkeypatch):
    monkeypatch.setattr("shared.data.datasets.locate", lambda name: None)
    instead = "mnist is not here: the push downloads it first; if that fails, it would train on digits"
    _, out, _ = k2l("push", "--remote", "emulator", "--dry-run", "--json")
    assert instead in {row["check"]: row["found"] for row in map(json.loads, out.splitlines())}["data sources"]
    _, out, _ = k2l("push", "--remote", "emulator", "--dry-run", "--json", "--dataset", "mnist")
    assert "would train on digits" not in out
