"""What a trip says on its way: a push that is new or not, Ctrl-C while the run goes on, what a cancel takes with it."""

import signal
import threading

import pytest

from local.jobs import connect
from local.jobs.watch import LateError
from local.runs import journal
from scripts import cancel as verb
from scripts.steps import options, trip
from scripts.terminal import ask
from scripts.terminal.edge import Ended
from tests.local import trips

pytestmark = pytest.mark.usefixtures("home", "plain_sessions")
SLOW = "import time; time.sleep(60)"


def send(service, kernel, again=False):
    return trip.sent(service, trips.submission_of(kernel), again=again, wait_hours=None)


def test_only_the_first_of_two_same_pushes_says_that_it_pushed(service, kernel, capsys):
    submission = kernel(SLOW)
    one = send(service, submission)
    pushed = [f"pushed {one.title}  (run {one.run_id})", "  to a CPU: no accelerator is requested", f"  {one.url}"]
    assert capsys.readouterr().err.splitlines() == pushed
    assert send(service, submission) == one and one.url
    assert f"still under way: {one.title}  (run {one.run_id}), not pushed again\n" in capsys.readouterr().err
    one.record(state="complete")
    send(service, submission)
    assert "trained there already: " in capsys.readouterr().err
    assert send(service, submission, again=True).version == 2
    assert "pushed emulator/k2l-mine version 2" in capsys.readouterr().err


def test_ctrl_c_says_that_the_run_goes_on_there(service, kernel):
    one = send(service, kernel(SLOW))
    threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(Ended, match=rf"continues there: the same command .*k2l cancel {one.run_id} stops it"):
        trip.watched(service, one)
    assert journal.get(one.run_id).state == "pushed"


def test_ctrl_c_does_not_name_a_command_that_would_begin_anew(service, kernel, monkeypatch):
    one = send(service, kernel(SLOW))
    monkeypatch.setattr("sys.argv", ["k2l", "loop", "--again", "--epochs", "3"])
    threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(Ended, match=r"continues there: k2l loop --epochs 3 follows it again"):
        trip.watched(service, one)
    with pytest.raises(Ended, match=r"half-written\. To resume: k2l loop --epochs 3\."), trip.resumable():
        raise KeyboardInterrupt


def test_ctrl_c_does_not_say_of_a_run_that_has_ended_that_it_goes_on(service, kernel, monkeypatch):
    one = send(service, kernel("1 / 0"))

    def rescue(service, run):
        raise KeyboardInterrupt

    monkeypatch.setattr("local.jobs.watch.rescue", rescue)
    with pytest.raises(Ended, match="has ended there: the same command fetches its files"):
        trip.watched(service, one)
    assert journal.get(one.run_id).state == "pushed"


def test_a_wait_of_no_seconds_is_none(service, kernel):
    with pytest.raises(LateError, match="after 0 minutes"):
        trip.watched(service, send(service, kernel(SLOW)), timeout=0)


@pytest.fixture
def three(service, kernel, monkeypatch):
    """A run under way, another, and one that ended there and is not home: all of one kernel."""
    monkeypatch.setattr(connect, "connect", lambda remote, username=None: service)
    monkeypatch.setattr(options, "service", lambda remote, owner=None: service)
    sent = [send(service, kernel(SLOW + f" + {n}")) for n in range(3)]
    return *sent[:2], sent[2].record(state="complete")


def test_a_cancel_names_all_that_goes_with_it(three, service, capsys):
    first, second, ended = three
    verb.cancel(first.run_id, yes=True)
    err = capsys.readouterr().err
    assert "this deletes the kernel emulator/k2l-mine with all its versions" in err
    assert f"It also ends {second.run_id}. " in err and f"is lost, since they are not pulled: {ended.run_id}." in err
    assert [one.state for one in journal.every()] == ["cancelled", "cancelled", "complete"]


def test_no_is_an_answer(three, service, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(verb.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(verb, "agreed", lambda question: asked.append(question))
    with pytest.raises(SystemExit) as end:
        verb.cancel(three[0].run_id)
    assert end.value.code == 1 and capsys.readouterr().err.endswith("nothing was stopped\n")
    assert three[1].run_id in asked[0] and service.current_version(three[0].slug) == 3


@pytest.mark.parametrize(("typed", "yes"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_an_answer_that_is_not_yes_is_no(typed, yes, monkeypatch, tmp_path):
    (tmp_path / "typed").write_text(typed)
    with (tmp_path / "typed").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert ask.agreed("Sure?") is yes
