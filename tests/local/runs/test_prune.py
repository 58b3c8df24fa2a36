"""`k2l runs`: how runs stand there, and what of the journal is cleared, which is nothing that anybody needs."""

import dataclasses
import os
import time
from datetime import timedelta

import pytest

from local.jobs import connect, remote_status
from local.runs import journal, prune
from local.runs.journal import Run
from shared.core.errors import CredentialsError
from tests.local import trips

pytestmark = pytest.mark.usefixtures("home")

ONE = Run(
    run_id="r1", remote="emulator", owner="emulator", slug=trips.SLUG, name="mine", framework="torch", dataset="digits",
    bundle_sha256="b", source_commit="", parameters={}, version=1,
)  # fmt: skip
LONG_AGO = "2020-01-01T00:00:00.000+00:00"


def run_in(state, run_id="r1", **changes):
    return journal.intend(dataclasses.replace(ONE, run_id=run_id), "{}").record(state=state, **changes)


def gathered(one):
    for folder in (one.stage, one.parts):
        folder.mkdir()
        (folder / "model.pth").write_bytes(b"half")
    return one


def test_runs_away_are_asked_after_and_no_others(emulator, monkeypatch):
    monkeypatch.setattr(remote_status, "reach", lambda remote: trips.service_of(emulator))
    emulator.finished(trips.SLUG, status="ERROR")
    away = run_in("pushed")
    run_in("pushed", "r2", version=9)
    run_in("done", "r3")
    run_in("pushed", "r4", owner="somebody")
    assert away.state == "pushed"
    assert remote_status.remote_states(journal.every()) == {"r1": "ERROR", "r2": "not seen yet", "r4": "of somebody"}
    monkeypatch.setattr(remote_status, "UNSEEN", 0)
    assert remote_status.remote_states(journal.every())["r2"] == remote_status.GONE


def test_a_service_that_cannot_be_asked_is_told_in_place_of_a_state(monkeypatch):
    run_in("complete")
    monkeypatch.setattr(remote_status, "reach", lambda remote: None)
    assert remote_status.remote_states(journal.every()) == {"r1": "no emulator runs"}

    def nobody(remote):
        raise CredentialsError("none")

    monkeypatch.setattr(remote_status, "reach", nobody)
    assert remote_status.remote_states(journal.every()) == {"r1": "no credentials"}


def test_no_emulator_is_started_to_be_asked():
    assert connect.reach("emulator") is None


@pytest.mark.parametrize("state", ["intended", "pushed", "complete"])
def test_of_a_run_that_has_not_ended_nothing_is_cleared(state):
    one = gathered(run_in(state))
    assert list(prune.clear(older=timedelta(0))) == []
    assert (one.stage / "model.pth").exists() and (one.parts / "model.pth").exists()


@pytest.mark.parametrize("state", ["pulled", "done", "swept", "failed", "cancelled"])
def test_of_a_run_that_ended_the_gathered_files_are_cleared_and_the_rest_is_kept(state):
    one = gathered(run_in(state))
    one.partial.mkdir()
    assert list(prune.clear()) == [(one.stage, 4), (one.parts, 4)]
    assert journal.every() == [one] and one.notebook.exists() and one.partial.exists()
    assert list(prune.clear()) == []


def test_runs_that_ended_long_ago_go_as_a_whole_but_not_with_a_model_that_was_replaced(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("shared.core.manifest.now", lambda: LONG_AGO)
        old, kept = run_in("done"), run_in("done", "r2")
    (kept.folder / "replaced").mkdir()
    fresh = run_in("done", "r3")
    assert [path for path, _ in prune.clear(older=timedelta(days=30))] == [old.folder]
    assert journal.every() == [kept, fresh]


def test_a_push_that_was_never_written_down_is_cleared_once_it_cannot_be_one_that_is(home):
    folder = journal.folder() / "r9"
    folder.mkdir(parents=True)
    (folder / "notebook.ipynb").write_text("{}")
    assert list(prune.clear()) == []
    os.utime(folder, (time.time() - 7200,) * 2)
    assert list(prune.clear()) == [(folder, 2)]


def test_what_cannot_be_read_is_not_cleared():
    one = run_in("done")
    (one.folder / journal.STEPS).write_text("?")
    os.utime(one.folder, (0, 0))
    assert list(prune.clear(older=timedelta(0))) == []
    assert journal.damaged() == [one.folder]
