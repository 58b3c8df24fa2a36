"""Journals of any bytes: a run that can be read is one, another is named, none hides the rest, and no verb trips."""

import dataclasses
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.runs import journal, prune
from local.runs.journal import Run
from tests.fuzz.malformed import json_values, mutated, told

PLACE = {"remote": "kaggle", "owner": "me", "slug": "k2l-mine", "name": "mine", "bundle_sha256": "b" * 64}
ONE = Run(run_id="r1", framework="torch", dataset="digits", source_commit="", parameters={"epochs": 3}, **PLACE)
KEPT = dataclasses.replace(ONE, run_id="r2", name="other")


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """A journal with a run beside the one that is damaged; its file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("K2L_HOME", str(tmp_path_factory.mktemp("home")))
        journal.intend(KEPT, "{}")
        journal.intend(ONE, "{}")
        yield ONE.folder / journal.STEPS


def check(steps, content):
    """Every question has an answer, and the other run is there."""
    steps.write_bytes(content)
    every = journal.every()
    assert "r2" in [run.run_id for run in every]
    assert len(every) + len(journal.damaged()) == 2
    with told():
        journal.get("r1")
    with told():
        journal.latest("pushed")
    with told():
        journal.unfinished(**PLACE)
    list(prune.clear())
    for run in every:
        assert run.title and run.seconds is not None


STEP = dataclasses.asdict(
    dataclasses.replace(ONE, created_at="2026-01-01T00:00:00+00:00", updated_at="2026-01-02T00:00:00+00:00")
)


@given(st.binary(max_size=300))
def test_any_bytes(steps, content):
    check(steps, content)


@given(json_values)
def test_any_json(steps, value):
    check(steps, json.dumps(value).encode())


@given(mutated(STEP))
@example(STEP | {"created_at": "yesterday"})
@example(STEP | {"created_at": ""})
@example(STEP | {"updated_at": "2026-01-02T00:00:00"})
@example(STEP | {"version": True})
@example(STEP | {"name": "\ud800"})
def test_a_step_with_a_part_changed(steps, value):
    check(steps, b"\n" + json.dumps(value).encode())
