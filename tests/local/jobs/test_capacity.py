"""No room just now: told in the service's words, waited for where that is asked, and nothing left behind."""

import dataclasses
import time
from datetime import UTC, datetime, timedelta

import pytest

from local.emulator import push_method
from local.jobs import capacity, push
from local.jobs.capacity import Waiting
from local.kaggle_api import errors
from local.kaggle_api.client import Quota
from local.kaggle_api.errors import CapacityError, QuotaError
from local.runs import journal
from scripts.steps import trip
from shared.core.errors import RefusedError, RunError
from tests.heard import Heard
from tests.local import trips

pytestmark = pytest.mark.usefixtures("home")

MIDDAY = datetime(2026, 11, 19, 12, tzinfo=UTC)  # a Thursday
FULL = "Maximum batch CPU session count of 1 reached"


class Clock:
    """A clock that sleeping moves; `at(seconds, act)` acts once so much has been slept."""

    def __init__(self):
        self.now, self.naps, self.plans = MIDDAY, [], []

    def at(self, seconds, act):
        self.plans.append((MIDDAY + timedelta(seconds=seconds), act))

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += timedelta(seconds=seconds)
        due = [act for moment, act in self.plans if moment <= self.now]
        self.plans = [(moment, act) for moment, act in self.plans if moment > self.now]
        for act in due:
            act()


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    """A lost push is asked after once: this service has saved it at once or never will."""
    monkeypatch.setattr(push, "SETTLE", 0)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def waiting(clock, heard):
    return Waiting(limit=timedelta(hours=12), report=heard, sleep=clock.sleep, now=lambda: clock.now)


@pytest.fixture
def full(emulator, monkeypatch):
    """A service that runs one CPU session at once, and one that is in the queue for good; gives its version."""
    monkeypatch.setattr(emulator.store, "start", lambda version: None)
    monkeypatch.setitem(push_method.CAPACITY, "CPU", 1)
    emulator.push("others-kernel", "1").raise_for_status()
    return emulator.version("others-kernel")


@pytest.fixture
def saves(service, monkeypatch):
    """How often a push was sent."""
    sent, send = [], service.push

    def counted(*arguments):
        sent.append(arguments)
        return send(*arguments)

    monkeypatch.setattr(service, "push", counted)
    return sent


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Maximum batch GPU session count of 2 reached.", CapacityError),
        ("Maximum batch CPU session count of 5 reached.", CapacityError),
        ("Maximum weekly GPU quota of 30.00 hours reached.", QuotaError),
        ("The title must be between 5 and 50 characters.", RefusedError),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal_is_known_by_the_services_words(emulator, service, kernel, words, kind, status):
    body = {"error": words} if status == 200 else {"error": {"code": status, "message": words}}
    emulator.faults.add(fault="status", status=status, method="SaveKernel", body=body)
    with pytest.raises(RefusedError) as refused:
        push.push(service, trips.submission_of(kernel("1")))
    assert type(refused.value) is kind and words.rstrip(".") in str(refused.value)


def test_without_waiting_the_push_fails_at_once_and_says_how_to_wait(service, kernel, full):
    with pytest.raises(CapacityError, match=rf"{FULL}\.\nTo .*: --wait-for-capacity\.$"):
        trip.sent(service, trips.submission_of(kernel("1")), again=False, wait_hours=None)
    (one,) = journal.every()
    assert one.state == "failed" and FULL in one.message


def test_a_push_waits_until_there_is_room_as_one_run(emulator, service, kernel, full, saves, clock, heard, waiting):
    states = []
    clock.at(90, lambda: states.extend(one.state for one in journal.every()))
    clock.at(200, lambda: emulator.store.cancel(full))
    one = push.push(service, trips.submission_of(kernel("1")), waiting=waiting)
    assert (one.state, one.version, states) == ("pushed", 1, ["intended"])
    assert journal.every() == [one]
    (why,) = heard.all("text")
    assert FULL in why and "every minute, for 12 h at most" in why and "Ctrl-C" in why
    assert 3 <= len(saves) - 1 <= 4 and all(nap <= capacity.POLL for nap in clock.naps)


def test_tries_are_a_minute_apart_and_not_all_in_the_same_second(service, clock, waiting):
    for _ in range(20):
        waiting.wait(service, CapacityError("full"))
    assert 20 * 60 < sum(clock.naps) < 20 * 75
    assert len(set(clock.naps)) > 5


def test_when_the_limit_is_up_the_run_has_failed_and_says_so(service, kernel, full, saves, clock):
    short = Waiting(limit=timedelta(minutes=5), sleep=clock.sleep, now=lambda: clock.now)
    with pytest.raises(CapacityError, match=rf"{FULL}\.\nNo capacity after 0\.1 h"):
        push.push(service, trips.submission_of(kernel("1")), waiting=short)
    assert [one.state for one in journal.every()] == ["failed"]
    assert sum(clock.naps) <= 300 and len(saves) in (4, 5)


def test_ctrl_c_leaves_nothing_there_and_nothing_to_go_on_with_here(emulator, service, kernel, full, clock, waiting):
    clock.at(100, interrupt)
    submission = trips.submission_of(kernel("1"))
    with pytest.raises(KeyboardInterrupt):
        push.push(service, submission, waiting=waiting)
    (one,) = journal.every()
    assert (one.state, one.version) == ("cancelled", 0) and "nothing was pushed" in one.message
    assert emulator.store.kernel(emulator.username, trips.SLUG) is None
    emulator.store.cancel(full)
    assert push.push(service, submission).run_id != one.run_id


def test_killed_while_it_waits_the_same_command_sends_the_same_run(emulator, service, kernel, full, clock, waiting):
    class Killed(BaseException):
        pass

    def kill():
        raise Killed

    clock.at(100, kill)
    submission = trips.submission_of(kernel("1"))
    with pytest.raises(Killed):
        push.push(service, submission, waiting=waiting)
    (before,) = journal.every()
    emulator.store.cancel(full)
    one = push.push(service, submission)
    assert (before.state, one.run_id, one.version) == ("intended", before.run_id, 1)


def test_what_others_push_meanwhile_is_not_taken_for_ours(
    emulator, service, kernel, full, saves, clock, waiting, monkeypatch
):
    """The push that is sent at last is lost, and the service gives no notebooks: the version there is not ours."""
    monkeypatch.setattr(service, "source", lambda slug, version: "")
    clock.at(70, lambda: emulator.finished(trips.SLUG))
    clock.at(150, lambda: emulator.faults.add(fault="drop", method="SaveKernel"))
    with pytest.raises(errors.PushLostError, match="did not arrive"):
        push.push(service, trips.submission_of(kernel("1")), waiting=waiting)
    assert [(one.state, one.version_before) for one in journal.every()] == [("intended", 1)]


def test_a_run_that_is_cancelled_meanwhile_is_not_sent(service, kernel, full, saves, clock, waiting):
    clock.at(50, lambda: journal.every()[0].record(state="cancelled"))
    with pytest.raises(RunError, match="cancelled while it waited"):
        push.push(service, trips.submission_of(kernel("1")), waiting=waiting)
    assert ([one.state for one in journal.every()], len(saves)) == (["cancelled"], 1)


def test_an_outage_does_not_end_the_waiting(emulator, service, kernel, full, clock, waiting, monkeypatch):
    ask, down = service.current_version, []

    def flaky(slug):
        if down:
            raise down.pop()
        return ask(slug)

    monkeypatch.setattr(service, "current_version", flaky)
    clock.at(10, lambda: down.extend([errors.UnreachableError("no route")] * 2))
    clock.at(100, lambda: emulator.store.cancel(full))
    assert push.push(service, trips.submission_of(kernel("1")), waiting=waiting).version == 1
    assert not down


def test_what_does_not_pass_by_itself_is_not_waited_for(emulator, service, kernel, waiting, clock):
    emulator.faults.add(fault="status", status=200, method="SaveKernel", body={"error": "Verify your phone number."})
    with pytest.raises(RefusedError, match="phone number"):
        push.push(service, trips.submission_of(kernel("1")), waiting=waiting)
    assert (clock.naps, [one.state for one in journal.every()]) == ([], ["failed"])


def quotas(service, monkeypatch, clock, *, left, refresh):
    """The service's quota: so much left, and all of it again from `refresh` on."""

    def quota():
        anew = refresh and clock.now >= refresh
        return Quota(used=timedelta(hours=0 if anew else 30) - left, total=timedelta(hours=30), refresh=refresh)

    monkeypatch.setattr(service, "quota", quota)


@pytest.fixture
def gpu(emulator, kernel, monkeypatch):
    monkeypatch.setattr(emulator.store, "start", lambda version: None)
    return trips.submission_of(dataclasses.replace(kernel("1"), accelerator="NvidiaTeslaT4", time_limit=3600))


def test_gpu_time_is_waited_for_with_nothing_in_the_journal(service, gpu, clock, heard, waiting, monkeypatch):
    quotas(service, monkeypatch, clock, left=timedelta(0), refresh=MIDDAY + timedelta(hours=2, minutes=5))
    seen = []
    clock.at(3600, lambda: seen.extend(journal.every()))
    assert push.push(service, gpu, waiting=waiting).version == 1
    assert seen == [] and 7500 <= sum(clock.naps) <= 7600
    (why,) = heard.all("text")
    assert "in 2 h 5 min (Thursday 14:05 UTC)" in why


def test_gpu_time_refused_by_the_push_itself_is_waited_for_too(
    emulator, service, gpu, clock, heard, waiting, monkeypatch
):
    quotas(service, monkeypatch, clock, left=timedelta(hours=9), refresh=MIDDAY + timedelta(hours=1))
    spent = {"error": "Maximum weekly GPU quota of 30.00 hours reached."}
    emulator.faults.add(fault="status", status=200, method="SaveKernel", body=spent)
    one = push.push(service, gpu, waiting=waiting)
    assert (one.version, journal.every()) == (1, [one])
    assert 3600 <= sum(clock.naps) < 3700 and "Thursday 13:00 UTC" in heard[-1].text


def test_gpu_time_beyond_the_limit_is_refused_at_once(service, gpu, clock, waiting, monkeypatch):
    quotas(service, monkeypatch, clock, left=timedelta(0), refresh=MIDDAY + timedelta(days=1, hours=12))
    with pytest.raises(QuotaError, match=r"no GPU time.*\n.*Saturday 00:00 UTC.*the limit of 12 h"):
        push.push(service, gpu, waiting=waiting)
    assert (clock.naps, journal.every()) == ([], [])


def test_a_run_that_may_outlast_the_gpu_time_is_pushed_with_a_warning(service, gpu, clock, monkeypatch, capsys):
    quotas(service, monkeypatch, clock, left=timedelta(minutes=30), refresh=MIDDAY)
    clock.now -= timedelta(hours=1)
    assert trip.sent(service, gpu, again=False, wait_hours=None).version == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("WARNING: 0.5 h of GPU time are left, and the run may take 1 h")


def test_enough_gpu_time_is_no_remark(service, gpu, monkeypatch, capsys):
    assert trip.sent(service, gpu, again=False, wait_hours=0).version == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("pushed ") and "WARNING" not in err


def test_a_wait_that_was_too_short_says_how_to_wait_longer(service, kernel, full):
    with pytest.raises(CapacityError, match=r"nothing was pushed\. To wait longer: --wait-limit HOURS\.$"):
        trip.sent(service, trips.submission_of(kernel("1")), again=False, wait_hours=0)


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (timedelta(days=1, hours=12), "in 1 d 12 h (Saturday 00:00 UTC)"),
        (timedelta(hours=3, minutes=5), "in 3 h 5 min (Thursday 15:05 UTC)"),
        (timedelta(days=2), "in 2 d (Saturday 12:00 UTC)"),
        (timedelta(minutes=-3), "in 0 min (Thursday 11:57 UTC)"),
        (timedelta(minutes=7), "in 7 min (Thursday 12:07 UTC)"),
    ],
)
def test_a_moment_is_told_for_people(ahead, text):
    assert capacity.when(MIDDAY + ahead, MIDDAY) == text


def test_the_services_refresh_is_in_utc(service):
    refresh = service.quota().refresh
    assert (refresh.utcoffset(), f"{refresh:%A %H:%M}") == (timedelta(0), "Saturday 00:00")
    assert 0 < refresh.timestamp() - time.time() <= 7 * 86_400
