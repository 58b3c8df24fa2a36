"""The live log: cut and played again as often as the service likes, every line of it is shown once."""

import random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.jobs import push
from local.runs import live_log
from local.runs.live_log import LiveLog, NewText
from scripts.steps import trip as trip
from shared.core.errors import ServiceError
from tests.heard import Heard
from tests.local import trips

pytestmark = pytest.mark.usefixtures("no_waits", "plain_sessions")
TEXT = "".join(f"line {n}\n" for n in range(400))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Nobody waits between two connections."""
    monkeypatch.setattr(live_log, "SOONEST", 0)


def pieces(text, draw):
    """The text, in pieces whose ends have nothing to do with its lines."""
    while text:
        length = draw.randint(1, 40)
        yield text[:length]
        text = text[length:]


def service_of(*connections):
    """A service that gives each connection in turn: the pieces, and whether the log ends there. Then it is gone."""
    waiting = list(connections)

    def follow_log(slug, version):
        if not waiting:
            raise ServiceError("gone")
        come, ends = waiting.pop(0)
        yield ""
        yield from come
        if not ends:
            raise ServiceError("cut")

    return SimpleNamespace(follow_log=follow_log)


def heard(service):
    events = Heard()
    LiveLog(service, SimpleNamespace(slug="s", version=1), events).run()
    return "".join(events.all("text")), events.all("why")


@given(st.integers(0, 10**6), st.lists(st.integers(0, len(TEXT)), max_size=6))
def test_a_log_that_begins_again_is_shown_once_whatever_its_pieces(seed, ends):
    draw = random.Random(seed)
    unseen, shown = NewText(), []
    for end in [*ends, len(TEXT)]:
        unseen.begin()
        shown += [unseen.of(piece) for piece in pieces(TEXT[:end], draw)]
    assert "".join(shown) == TEXT


def test_a_log_that_is_cut_is_followed_on_the_next_connection():
    shown, troubles = heard(
        service_of((["a\nb"], False), (["a", "\nb\nc\n"], False), ([], False), (["a\nb\nc\nd"], True))
    )
    assert (shown, troubles) == ("a\nb\nc\nd", [])


def test_a_log_that_goes_on_where_it_was_loses_nothing():
    shown, _ = heard(service_of((["one\n", "two\n"], False), (["three\n", "four\n"], True)))
    assert shown == "one\ntwo\nthree\nfour\n"


def test_it_is_said_once_when_there_is_no_log():
    after = ["a\n", "b\n"]
    vain = [([], False)] * 7
    shown, troubles = heard(service_of((["a\n"], False), *vain, (after, False), (after, True)))
    assert (shown, troubles) == ("a\nb\n", ["cut"])


def test_a_stream_that_the_service_cuts_shows_every_line_once(emulator, service, kernel, home, capsys, monkeypatch):
    """With the real notebook, over HTTP: the emulator cuts every stream, in the middle of a record, and begins anew."""
    monkeypatch.setattr(live_log, "SHORT", 0.1)  # in place of the service's minutes
    emulator.faults.add(fault="cut_stream", seconds=0.3, times=None)
    code = "import time\nfor n in range(12):\n    print('step', n, flush=True); time.sleep(0.1)"
    one = push.push(service, trips.submission_of(kernel(f"{code}\n{trips.LEAVES_A_MODEL}")))
    assert trip.watched(service, one).state == "complete"
    said = capsys.readouterr().err
    assert [said.count(f"    step {n}\n") for n in range(12)] == [1] * 12 and said.count("    trained\n") == 1
    assert emulator.faults.struck["cut_stream"] > 2 and "stream_name" not in said and "no live log" not in said


def test_a_log_that_is_not_to_be_had_is_said_and_kept_all_the_same(emulator, service, kernel, home, capsys):
    emulator.faults.add(fault="status", method="LogStream", status=403, times=None)
    one = push.push(service, trips.submission_of(kernel(f"import time; time.sleep(1)\n{trips.LEAVES_A_MODEL}")))
    one = trip.watched(service, one)
    said = capsys.readouterr().err
    assert said.count("no live log for now: ") == 1 and "HTTP 403" in said
    assert one.state == "complete" and "trained" in one.log.read_text()
