"""A command that was killed behind its last journal line: the same words find out that it is done, and exit 0."""

import shutil

import pytest

from local.core import workspace
from local.jobs import pull
from scripts import pull as verb
from scripts.steps import options, trip
from shared.core.errors import KernelError
from tests.local import trips

pytestmark = pytest.mark.usefixtures("home", "plain_sessions")


@pytest.fixture
def one(emulator, service, monkeypatch):
    """A run that was pulled; then the kill came."""
    monkeypatch.setattr(options, "service_of", lambda run: service)
    return pull.pull(service, trips.finished(emulator, {"a": b"a"}))[0]


def pulled(**given):
    verb.pull(**{"run_id": None, "again": False, "max_bytes": 10**9, "timeout": None, "json": False, **given})


def test_the_same_pull_says_that_it_is_home(one, capsys):
    for given in ({}, {"run_id": "r1"}):
        pulled(**given)
        err = capsys.readouterr().err
        assert f"pulled already: {one.title}  (run r1), in {workspace.models() / 'mine'}" in err
        assert "next: k2l evaluate mine" in err
    pulled(json=True)
    assert '"run_id": "r1"' in capsys.readouterr().out


def test_where_its_model_is_gone_the_way_to_bring_it_again_is_said(one, emulator):
    (workspace.models() / "mine" / "a").write_bytes(b"b")
    for given in ({}, {"run_id": "r1"}):
        with pytest.raises(KernelError, match=r"is not its model now\.\nPull it again: k2l pull --again r1"):
            pulled(**given)
    pulled(run_id="r1", again=True)
    pulled()


def test_the_same_loop_says_that_it_is_done_and_pushes_nothing(one, service, kernel, capsys):
    submission = trips.submission_of(kernel(trips.LEAVES_A_MODEL))
    assert trip.ended_before(service, submission) is None  # another bundle
    run = trip.sent(service, submission, again=False, wait_hours=None)
    run = trip.pulled(service, trip.watched(service, run))
    assert trip.ended_before(service, submission) is None  # what comes after the pull is not done
    run.record(state="done")
    assert trip.ended_before(service, submission).run_id == run.run_id
    assert "done already: " in capsys.readouterr().err
    shutil.rmtree(workspace.models() / "mine")
    assert trip.ended_before(service, submission) is None
