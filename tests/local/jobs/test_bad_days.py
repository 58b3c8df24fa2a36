"""More of a bad day, from the push to the pull: what the service does wrong ends right, or in words with a way on.

`test_faults` has the wire's faults; here are those of the service itself, of this machine, and of people.
"""

import re
import threading
import time
from types import SimpleNamespace

import pytest

from local.core import workspace
from local.jobs import cancel, push, watch
from local.jobs import pull as pulling
from local.jobs.pull import pull
from local.kaggle_api import http
from local.runs import download, journal, live_log
from scripts.steps import trip as trip
from shared.core import manifest
from shared.core.errors import CredentialsError, DiskFullError, KernelError, RefusedError, RunError, ServiceError
from tests.heard import Heard
from tests.local import trips

SLUG = trips.SLUG
EVIL = ["../evil", "/tmp/k2l-evil", "C:\\evil", "C:/evil", "nul\0byte", "a/../../evil", "..", "CON", "", "x" * 5000]

pytestmark = pytest.mark.usefixtures("home", "plain_sessions")


@pytest.fixture(autouse=True)
def impatience(no_waits, monkeypatch):
    """Nobody waits between tries, nor for a push to appear."""
    monkeypatch.setattr(push, "SETTLE", 0)


@pytest.fixture
def queued(emulator, kernel, monkeypatch):
    """A push whose session stays queued."""
    monkeypatch.setattr(emulator.store, "start", lambda version: None)
    return trips.submission_of(kernel("1"))


def everything_below(folder):
    return {path.relative_to(folder) for path in folder.rglob("*")}


def no_sleep(seconds):
    pass


# The push


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"fault": "no_capacity"}, "Maximum batch CPU session count"),
        ({"fault": "misfiled"}, r"saved as 'k2l-mine-2'.*\n.*k2l cancel"),
        ({"fault": "invalid_sources", "names": ["me/gone"]}, r"dataset me/gone.*\n.*k2l cancel"),
    ],
)
def test_a_push_that_is_worth_nothing_fails_in_the_services_words(emulator, service, queued, fault, said):
    emulator.faults.add(**fault)
    with pytest.raises(KernelError, match=said):
        push.push(service, queued)
    assert [one.state for one in journal.every()] == ["failed"]
    assert push.push(service, queued).state == "pushed"  # mended, the same command pushes anew


def test_a_push_that_runs_for_nothing_can_be_cancelled(emulator, service, queued):
    emulator.faults.add(fault="invalid_sources", names=["me/gone"])
    with pytest.raises(KernelError):
        push.push(service, queued)
    assert [one.state for one in cancel.cancel(service, journal.every()[0])] == ["cancelled"]
    assert service.current_version(SLUG) == 0


def test_a_token_that_expires_in_the_middle_is_told_and_the_same_command_goes_on(emulator, service, queued):
    one = push.push(service, queued)
    emulator.faults.add(fault="status", status=401, method="GetKernelSessionStatus")
    with pytest.raises(CredentialsError, match="does not accept the credentials"):
        watch.watch(service, one)
    assert journal.get(one.run_id).state == "pushed"
    assert push.push(service, queued) == one


@pytest.mark.parametrize("method", ["GetKernelSessionStatus", "ListKernelSessionOutput", "GetKernel"])
def test_an_answer_that_breaks_off_is_asked_for_again(emulator, service, method):
    one = trips.finished(emulator, {"a": b"a"})
    emulator.faults.add(fault="truncate", method=method, times=2)
    asked = {
        "GetKernelSessionStatus": lambda: service.status(SLUG, 1).state == "COMPLETE",
        "ListKernelSessionOutput": lambda: len(service.outputs(SLUG, 1)[0]) == 2,
        "GetKernel": lambda: service.current_version(SLUG) == one.version,
    }
    assert asked[method]() and emulator.faults.listed() == []


def test_a_receipt_that_breaks_off_is_looked_for_and_not_asked_for_again(emulator, service, queued):
    emulator.faults.add(fault="truncate", method="SaveKernel")
    one = push.push(service, queued)
    assert (one.state, one.version, service.current_version(SLUG)) == ("pushed", 1, 1)


# The wait


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING", "NEW_SCRIPT", "CANCEL_REQUESTED", "PAUSED_COMPLETE"])
def test_a_run_that_never_ends_ends_the_wait(emulator, service, state, monkeypatch):
    monkeypatch.setattr(watch, "SOONEST", 20)
    one = trips.finished(emulator, {"a": b"a"}, state="pushed")
    emulator.faults.add(fault="stuck", state=state, times=None)
    emulator.faults.add(fault="drop", method="LogStream", times=None)
    said = rf"still {state} after \d+ minutes.\n.*k2l watch r1 waits again, k2l cancel r1"
    with pytest.raises(watch.LateError, match=said):
        watch.watch(service, one, timeout=100, sleep=no_sleep)
    assert journal.get("r1").state == "pushed"
    emulator.faults.clear()
    assert watch.watch(service, one).state == "complete"


def test_a_state_that_is_new_to_us_is_shown_by_its_name_and_ends_nothing(emulator, service, capsys):
    """For longer than a service may be out of reach, and whatever known state it sounds like."""
    one = trips.finished(emulator, {"a": b"a"}, state="pushed")
    emulator.faults.add(fault="stuck", state="Failed\x1b[2J", times=3)
    emulator.faults.add(fault="stuck", state="ACKNOWLEDGED", times=90)
    emulator.faults.add(fault="stuck", state="cancelRequested")
    heard = Heard()
    assert watch.watch(service, one, report=heard, sleep=no_sleep).state == "complete"
    assert heard.all("state") == ["Failed\\x1b[2J", "ACKNOWLEDGED", "CANCEL_REQUESTED", "COMPLETE"]


def test_the_usual_wait_is_the_time_limit_and_an_hour(emulator, service, monkeypatch):
    monkeypatch.setattr(watch, "SOONEST", 100)
    one = trips.finished(emulator, {"a": b"a"}, state="pushed").record(time_limit=600)
    emulator.faults.add(fault="stuck", state="QUEUED", times=None)
    waits = []
    with pytest.raises(watch.LateError):
        watch.watch(service, one, sleep=waits.append)
    assert 4200 <= sum(waits) < 4300


def test_a_log_cut_in_the_middle_of_a_line_is_kept_as_far_as_it_goes(emulator, service, kernel):
    one = push.push(
        service,
        trips.submission_of(kernel(f"import sys\nprint('first', file=sys.stderr, flush=True)\n{trips.LEAVES_A_MODEL}")),
    )
    emulator.wait(SLUG)
    emulator.faults.add(fault="cut_log", times=None)
    emulator.faults.add(fault="drop", method="LogStream", times=None)
    one, _ = pull(service, watch.watch(service, one))
    log = (workspace.models() / "mine" / "run.log").read_text()
    assert "first" in log and "stream_name" not in log


@pytest.mark.parametrize(
    ("log", "text"),
    [
        ('[{"data": "a\\n"}\n,{"data": "b"}\n]', "a\nb"),
        ('[{"data": "a\\n"}\n,{"data": "b', "a\n"),
        ('[{"data": "a"}', "a"),
        ("[", ""),
        ("[]", ""),
        ("", ""),
        ("plain words", "plain words"),
        ("[1, 2]", "[1, 2]"),
        ('{"data": 1}', '{"data": 1}'),
    ],
)
def test_the_text_of_a_log_is_what_came_of_it(log, text):
    assert http.log_text(log) == text


def test_of_a_run_that_prints_for_ever_the_end_is_kept(monkeypatch):
    monkeypatch.setattr(live_log, "MOST_PIECES", 3)
    endless = SimpleNamespace(follow_log=lambda slug, version: map(str, range(1000)))
    heard = Heard()
    log = live_log.LiveLog(endless, SimpleNamespace(slug=SLUG, version=1), heard)
    log.run()
    assert (list(log.pieces), len(heard)) == (["997", "998", "999"], 1000)


LEAVES_HALF = 'open("half.bin", "wb").write(b"half")\nprint("so far")\n'


def test_what_a_failed_run_left_is_kept_apart(emulator, service, kernel):
    one = push.push(service, trips.submission_of(kernel(f"{LEAVES_HALF}raise ValueError('no ink')")))
    with pytest.raises(RunError, match=r"no ink\n.*log is saved: .*run\.log Its files, not verified: 2 in .*partial"):
        watch.watch(service, one)
    assert (one.partial / "half.bin").read_bytes() == b"half"
    assert trips.nothing_installed()


def test_what_a_run_cancelled_on_the_page_left_is_kept_apart(emulator, service, kernel):
    one = push.push(service, trips.submission_of(kernel(f"{LEAVES_HALF}import time; time.sleep(60)")))
    emulator.wait(SLUG, wanted=frozenset({"RUNNING"}))
    while not (emulator.version(SLUG).working / "half.bin").exists():
        time.sleep(0.05)
    emulator.call("CancelKernelSession", kernelSessionId=emulator.version(SLUG).session_id)
    with pytest.raises(RunError, match="cancelled: it was stopped there"):
        watch.watch(service, one)
    assert (one.partial / "half.bin").read_bytes() == b"half" and trips.nothing_installed()


def test_what_a_failed_run_left_may_be_evil_or_never_come(emulator, service, tmp_path):
    one = trips.finished(emulator, {f"{n}.bin": b"x" for n in range(9)}, state="pushed")
    emulator.faults.add(fault="stuck", state="ERROR", times=None)
    emulator.faults.add(fault="listed", names=EVIL, times=None)
    emulator.faults.add(fault="truncate", match="3.bin", times=None)
    before = everything_below(tmp_path)
    with pytest.raises(
        RunError, match="not verified: 12 in"
    ):  # eight of nine, a manifest that proves nothing now, three under safe names
        watch.watch(service, one, sleep=no_sleep)
    new = everything_below(tmp_path) - before
    assert all(one.folder.relative_to(tmp_path) in path.parents for path in new)


def test_cancel_keeps_the_log_of_a_session_that_still_runs(emulator, service, kernel, monkeypatch):
    monkeypatch.setattr(cancel, "LISTEN", 0.5)
    one = push.push(service, trips.submission_of(kernel(f"{LEAVES_HALF}import time; time.sleep(60)")))
    while not (emulator.version(SLUG).working / "half.bin").exists():
        time.sleep(0.05)
    time.sleep(0.3)
    (ended,) = cancel.cancel(service, one)
    assert (ended.state, "so far" in ended.log.read_text()) == ("cancelled", True)


def test_an_emulator_killed_and_restarted_is_waited_for(emulator, service, kernel):
    one = push.push(service, trips.submission_of(kernel(f"import time; time.sleep(2)\n{trips.LEAVES_A_MODEL}")))
    emulator.wait(SLUG, wanted=frozenset({"RUNNING"}))
    emulator.leave()
    later = threading.Timer(1.5, emulator.start)
    later.start()
    heard = Heard()
    one, _ = pull(service, watch.watch(service, one, report=heard))
    later.join()
    states = heard.all("state")
    assert (one.state, one.version, states[-1]) == ("pulled", 1, "COMPLETE")
    assert "OUT OF REACH" in states


# The pull


def test_a_log_that_is_not_there_yet_is_told_and_comes_with_the_next_pull(emulator, service, capsys):
    one = trips.finished(emulator, {"a": b"a"})
    emulator.faults.add(fault="empty_log")
    one = trip.pulled(service, one)
    assert (trips.installed()["run.log"], one.state) == (b"", "pulled")
    assert "no log: the service has none, or none yet. Try again later: k2l pull --again r1" in (
        capsys.readouterr().err
    )
    trip.pulled(service, one.record(state="complete"), again=True)
    assert b"it ran" in trips.installed()["run.log"] and "no log" not in capsys.readouterr().err


def test_evil_names_are_left_out_and_told(emulator, service, tmp_path):
    one = trips.finished(emulator, {"a": b"a"})
    emulator.faults.add(fault="listed", names=EVIL, times=None)
    (workspace.state() / "install.lock").touch()  # there since the first installation
    before = everything_below(tmp_path)
    _, left_out = pull(service, one)
    assert set(left_out) == set(EVIL) - {""}  # a file without a name is none
    new = everything_below(tmp_path) - before
    home = workspace.models().relative_to(tmp_path)
    assert all(path == home or home in path.parents or one.folder.relative_to(tmp_path) in path.parents for path in new)


@pytest.mark.parametrize("name", EVIL)
def test_a_manifest_of_evil_names_is_refused(emulator, service, name):
    stated = {name: {"sha256": "0" * 64, "bytes": 1}}
    one = trips.finished(emulator, {"a": b"a"}, stated=stated)
    emulator.faults.add(fault="listed", names=[name], times=None)
    with pytest.raises((KernelError, OSError)):
        pull(service, one)
    assert trips.nothing_installed()


def test_a_name_that_is_a_file_and_a_folder_is_refused(emulator, service):
    facts = {"sha256": "0" * 64, "bytes": 1}
    one = trips.finished(emulator, {"a": b"a"}, stated={"a": facts, "a/b": facts})
    with pytest.raises(KernelError):
        pull(service, one)
    assert trips.nothing_installed()


def test_a_symlink_among_the_outputs_leads_nowhere(emulator, service, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    one = trips.finished(emulator, {"a": b"a"})
    (emulator.version(SLUG).working / "link").symlink_to(secret)
    pull(service, one)
    assert sorted(trips.installed()) == ["a", "manifest.json", "run.log"]


def test_a_missing_output_is_named(emulator, service):
    one = trips.finished(emulator, {"model.pth": b"w", "other": b"o"})
    emulator.faults.add(fault="unlisted", names=["model.pth"], times=None)
    with pytest.raises(KernelError, match=r"names model\.pth, but the service does not list it"):
        pull(service, one)
    assert trips.nothing_installed()
    emulator.faults.clear()
    pull(service, one)
    assert trips.installed()["model.pth"] == b"w"


@pytest.mark.parametrize("fault", ["expired", "stall", "slow", "delay"])
def test_a_link_that_expires_or_a_line_that_stalls_is_taken_up_again(emulator, service, monkeypatch, fault):
    monkeypatch.setattr(http, "READ", 0.3)
    content = bytes(range(256)) * 2000
    one = trips.finished(emulator, {"model.pth": content, "other": b"o"})
    emulator.faults.add(fault=fault, method="Download", times=3, rate=2_000_000, seconds=0.6)
    pull(service, one)
    assert trips.installed()["model.pth"] == content


def test_links_that_always_expire_end_in_a_line(emulator, service):
    one = trips.finished(emulator, {"model.pth": b"w"})
    emulator.faults.add(fault="expired", match="model.pth", times=None)
    with pytest.raises(ServiceError, match=r"refuses its own link.*\nNothing was installed"):
        pull(service, one)
    assert trips.nothing_installed()


def test_a_trickle_is_given_up_and_taken_up_again(emulator, service, monkeypatch):
    monkeypatch.setattr(download, "WINDOW", 0.3)
    content = bytes(range(256)) * 40
    one = trips.finished(emulator, {"model.pth": content})
    emulator.faults.add(fault="slow", match="model.pth", rate=500, times=2)
    asked, fetch = [], service.download
    monkeypatch.setattr(service, "download", lambda url, start=0: asked.append(start) or fetch(url, start=start))
    pull(service, one)
    assert trips.installed()["model.pth"] == content
    assert [start > 0 for start in asked if start] == [True, True]


def test_a_full_disk_keeps_what_came_and_the_next_pull_goes_on(emulator, service, limited_files, monkeypatch):
    content = bytes(range(256)) * 4000
    one = trips.finished(emulator, {"model.pth": content})
    with limited_files(600_000), pytest.raises(DiskFullError, match=r"disk full: .*model\.pth"):
        pull(service, one)
    assert trips.nothing_installed() and journal.get("r1").state == "complete"
    asked, fetch = [], service.download
    monkeypatch.setattr(service, "download", lambda url, start=0: asked.append(start) or fetch(url, start=start))
    pull(service, one)
    assert trips.installed()["model.pth"] == content and max(asked) > 0


def test_a_models_folder_that_cannot_be_written_is_told_and_nothing_is_lost(emulator, service, home):
    one = trips.finished(emulator, {"model.pth": b"w"})
    workspace.models().parent.mkdir(parents=True, exist_ok=True)
    workspace.models().write_text("a file, where the folder is due")
    with pytest.raises(OSError):
        pull(service, one)
    workspace.models().unlink()
    pull(service, one)
    assert trips.installed()["model.pth"] == b"w"


def test_a_second_command_on_the_same_model_says_so(emulator, service):
    trips.finished(emulator, {"model.pth": b"w"})
    with journal.lock("mine"), pytest.raises(KernelError, match="another command of k2l is working on 'mine'"):
        journal.lock("mine")


def test_five_hundred_outputs_come_over_many_pages(emulator, service):
    files = {f"{n:03d}.bin": bytes([n % 256]) * (n + 1) for n in range(500)}
    asked, outputs = [], service._kernels.list_kernel_session_output
    service._kernels.list_kernel_session_output = lambda request: asked.append(1) or outputs(request)
    pull(service, trips.finished(emulator, files))
    assert len(manifest.verify(workspace.models() / "mine").files) == 501
    assert len(asked) == 6


def test_no_more_than_a_few_files_are_waited_for_of_a_failed_run(emulator, service):
    one = trips.finished(emulator, {f"{n}.bin": b"x" for n in range(9)})
    emulator.faults.add(fault="truncate", match=".bin", times=None)
    came = pulling.rescue(service, one)
    assert came == []
    assert sum(re.search(r"\.bin", str(path)) is not None for path in one.partial.rglob("*")) == 0


def test_what_a_service_refuses_by_its_capacity_is_a_refusal(emulator, service, queued):
    emulator.faults.add(fault="no_capacity", times=3)
    for _ in range(3):
        with pytest.raises(RefusedError):
            push.push(service, queued)
    assert service.current_version(SLUG) == 0
