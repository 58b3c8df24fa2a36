"""Journals of any bytes: a run that can be read is one, another is named, none hides the rest, and no verb trips."""

import dataclasses
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from malformed import json_values, mutated, told

from local.kernels import clearing, runs
from local.kernels.runs import Run

PLACE = {"remote": "kaggle", "owner": "me", "slug": "k2l-mine", "name": "mine", "bundle_sha256": "b" * 64}
ONE = Run(run_id="r1", framework="torch", dataset="digits", source_commit="", parameters={"epochs": 3}, **PLACE)
KEPT = dataclasses.replace(ONE, run_id="r2", name="other")


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """A journal with a run beside the one that is damaged; its file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("K2L_HOME", str(tmp_path_factory.mktemp("home")))
        runs.intend(KEPT, "{}")
        runs.intend(ONE, "{}")
        yield ONE.folder / runs.STEPS


def check(journal, content):
    """Every question has an answer, and the other run is there."""
    journal.write_bytes(content)
    every = runs.every()
    assert "r2" in [run.run_id for run in every]
    assert len(every) + len(runs.damaged()) == 2
    with told():
        runs.get("r1")
    with told():
        runs.latest("pushed")
    with told():
        runs.unfinished(**PLACE)
    list(clearing.clear())
    for run in every:
        assert run.title and run.seconds is not None


STEP = dataclasses.asdict(
    dataclasses.replace(ONE, created_at="2026-01-01T00:00:00+00:00", updated_at="2026-01-02T00:00:00+00:00")
)


@given(st.binary(max_size=300))
def test_any_bytes(journal, content):
    check(journal, content)


@given(json_values)
def test_any_json(journal, value):
    check(journal, json.dumps(value).encode())


@given(mutated(STEP))
@example(STEP | {"created_at": "yesterday"})
@example(STEP | {"created_at": ""})
@example(STEP | {"updated_at": "2026-01-02T00:00:00"})
@example(STEP | {"version": True})
@example(STEP | {"name": "\ud800"})
def test_a_step_with_a_part_changed(journal, value):
    check(journal, b"\n" + json.dumps(value).encode())
