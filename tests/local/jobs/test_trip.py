"""Push, watch and cancel against the emulator, through the real SDK: right, or an error that says why."""

import dataclasses
import time
from datetime import timedelta

import pytest

from local.core import workspace
from local.jobs import cancel, connect, pull, push, watch
from local.kaggle_api import client, errors
from local.runs import journal
from local.runs.journal import Run
from shared.core import manifest
from shared.core.errors import CredentialsError, KernelError, RefusedError, RunError, ServiceError
from tests.heard import Heard
from tests.local import trips

pytestmark = pytest.mark.usefixtures("home", "plain_sessions")


def test_a_training_goes_there_and_comes_back_proven(emulator, service, kernel):
    one = push.push(service, trips.submission_of(kernel(trips.LEAVES_A_MODEL)))
    assert (one.state, one.version, journal.get(one.run_id)) == ("pushed", 1, one)
    heard = Heard()
    one = watch.watch(service, one, report=heard)
    assert (one.state, heard.all("state")[-1]) == ("complete", "COMPLETE")
    assert "trained" in one.log.read_text()
    one, left_out = pull.pull(service, one)
    assert (one.state, left_out) == ("pulled", {})
    stated = manifest.verify(workspace.models() / "mine")
    assert sorted(stated.files) == ["model.pth", "notebook.ipynb", "run.log"]
    assert (stated.run_id, stated.bundle_sha256) == (one.run_id, one.bundle_sha256)
    assert not one.stage.exists()


def test_the_same_push_twice_is_one_push(emulator, service, kernel):
    submission = kernel("import time; time.sleep(60)")
    one = push.push(service, trips.submission_of(submission))
    assert push.push(service, trips.submission_of(submission)) == one
    assert service.current_version("k2l-mine") == 1
    other = push.push(service, trips.submission_of(submission), again=True)
    assert (other.version, service.current_version("k2l-mine")) == (2, 2)


def test_a_push_whose_answer_was_lost_is_found_again_and_not_repeated(emulator, service, kernel, monkeypatch):
    send = service.push

    def lose(*arguments):
        send(*arguments)
        raise errors.PushLostError("lost")

    monkeypatch.setattr(service, "push", lose)
    one = push.push(service, trips.submission_of(kernel("1")))
    assert (one.state, one.version, service.current_version("k2l-mine")) == ("pushed", 1, 1)


def test_a_push_killed_before_its_receipt_was_written_goes_on(emulator, service, kernel, monkeypatch):
    submission = kernel("1")
    record = Run.record

    def killed(run, **changes):
        if changes.get("state") == "pushed":
            raise KeyboardInterrupt
        return record(run, **changes)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            push.push(service, trips.submission_of(submission))
    assert [one.state for one in journal.every()] == ["intended"]
    one = push.push(service, trips.submission_of(submission))
    assert (one.version, len(journal.every()), service.current_version("k2l-mine")) == (1, 1, 1)


def test_a_push_that_never_left_is_sent_by_the_next(emulator, service, kernel, monkeypatch):
    monkeypatch.setattr(push, "SETTLE", 0.5)

    def lose(*arguments):
        raise errors.PushLostError("lost")

    submission = kernel("1")
    with monkeypatch.context() as patch:
        patch.setattr(service, "push", lose)
        with pytest.raises(errors.PushLostError, match="did not arrive"):
            push.push(service, trips.submission_of(submission))
    one = push.push(service, trips.submission_of(submission))
    assert (one.version, len(journal.every())) == (1, 1)


def test_a_refusal_with_http_200_fails_the_push(emulator, service, kernel):
    """Two GPU sessions may run at once; the third is refused in the body of an answer that is fine otherwise."""
    sleeping = kernel("import time; time.sleep(60)")
    submission = trips.submission_of(dataclasses.replace(sleeping, accelerator="NvidiaTeslaT4"))
    for _ in range(2):
        push.push(service, submission, again=True)
    with pytest.raises(RefusedError, match="Maximum batch GPU session"):
        push.push(service, submission, again=True)
    assert [one.state for one in journal.every()] == ["pushed", "pushed", "failed"]
    assert service.current_version("k2l-mine") == 2


def test_a_kernel_filed_under_another_slug_fails_the_push(emulator, service, kernel):
    submission = trips.submission_of(dataclasses.replace(kernel("1"), title="Another title altogether here"))
    with pytest.raises(KernelError, match="saved as 'another-title-altogether-here'"):
        push.push(service, submission)
    assert journal.every()[-1].state == "failed"


def test_without_gpu_time_nothing_is_pushed(emulator, service, kernel, monkeypatch):
    spent = client.Quota(used=timedelta(hours=30), total=timedelta(hours=30), refresh=None)
    monkeypatch.setattr(service, "quota", lambda: spent)
    with pytest.raises(RefusedError, match=r"no GPU time is left.*30 h.*\n.*--accelerator none"):
        push.push(service, trips.submission_of(dataclasses.replace(kernel("1"), accelerator="NvidiaTeslaT4")))
    assert journal.every() == []


def test_a_push_without_its_data_fails_and_says_how_to_end_the_run(emulator, service, kernel):
    with pytest.raises(KernelError, match=r"no/such-set.*\n.*k2l cancel") as caught:
        push.push(service, trips.submission_of(kernel("1"), dataclasses.replace(trips.CONFIG, dataset="mnist")))
    assert len(str(caught.value).splitlines()) == 2
    assert journal.every()[-1].state == "failed"


def test_a_failing_cell_is_named_and_the_log_kept(emulator, service, kernel):
    one = push.push(service, trips.submission_of(kernel('print("so far")\nraise ValueError("the ink ran out")')))
    with pytest.raises(RunError, match="ValueError: the ink ran out") as caught:
        watch.watch(service, one)
    one = journal.get(one.run_id)
    assert one.state == "failed"
    assert "so far" in one.log.read_text() and str(one.log) in str(caught.value)
    assert not workspace.models().exists()


def test_an_older_versions_end_is_not_taken_for_ours(emulator, service, kernel):
    emulator.finished("k2l-mine")
    one = push.push(service, trips.submission_of(kernel("import time; time.sleep(1)")))
    assert one.version == 2
    assert service.status("k2l-mine", 1).state == "COMPLETE"
    assert service.status("k2l-mine", 2).state in ("QUEUED", "RUNNING")
    heard = Heard()
    watch.watch(service, one, report=heard)
    assert heard.all("state")[0] != "COMPLETE"


def test_nobody_pushes_for_another(emulator, monkeypatch):
    monkeypatch.setattr(connect, "_connect_emulator", lambda: connect.at_loopback(emulator.url, username="me", key="k"))
    with pytest.raises(CredentialsError, match="'somebody' is not the user of the credentials, 'me'"):
        connect.connect("emulator", username="somebody")


def test_wrong_credentials_are_told_with_the_services_words(emulator, kernel):
    stranger = connect.at_loopback(emulator.url, username=emulator.username, key="wrong")
    with pytest.raises(CredentialsError, match="HTTP 401"):
        push.push(stranger, trips.submission_of(kernel("1")))


def test_an_emulator_is_never_anywhere_else():
    with pytest.raises(KernelError, match="not on this machine"):
        connect.at_loopback("https://api.kaggle.com", username="me", key="k")


def test_a_service_that_is_gone_is_told_in_a_line(emulator, service, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    emulator.leave()
    with pytest.raises(ServiceError, match=r"cannot be reached.*refused") as caught:
        service.status("k2l-mine", 1)
    assert "object at 0x" not in str(caught.value)
    emulator.start()


def test_an_end_that_another_command_saw_first_is_not_written_over(emulator, service):
    one = trips.finished(emulator, {"a": b"a"}, state="pushed")
    one.record(state="done")
    assert watch.watch(service, one).state == "done"


def test_a_short_outage_does_not_end_the_watch(emulator, service, monkeypatch):
    one = trips.finished(emulator, {"a": b"a"}, state="pushed")
    status, down = service.status, [errors.UnreachableError("no route")] * 3

    def flaky(*arguments):
        if down:
            raise down.pop()
        return status(*arguments)

    monkeypatch.setattr(service, "status", flaky)
    heard = Heard()
    assert watch.watch(service, one, report=heard, sleep=lambda seconds: None).state == "complete"
    assert heard.all("state") == ["OUT OF REACH", "COMPLETE"]
    monkeypatch.setattr(service, "status", lambda *arguments: (_ for _ in ()).throw(errors.UnreachableError("gone")))
    with pytest.raises(ServiceError, match="gone"):
        watch.watch(service, one.record(state="pushed"), sleep=lambda seconds: None)


def test_a_failure_whose_log_comes_late_is_still_named(emulator, service, monkeypatch):
    one = trips.finished(emulator, {}, state="pushed")
    monkeypatch.setattr(service, "status", lambda *arguments: client.Status(state="ERROR"))
    logs = ["ValueError: late", "", ""]
    monkeypatch.setattr(service, "outputs", lambda *arguments: ([], logs.pop() if logs else ""))
    with pytest.raises(RunError, match="ValueError: late"):
        watch.watch(service, one, sleep=lambda seconds: None)


def test_cancel_saves_the_log_and_ends_every_run_of_the_kernel(emulator, service, kernel):
    first, second = (
        push.push(service, trips.submission_of(kernel(f'print("so far"); import time; time.sleep({60 + n})')))
        for n in range(2)
    )
    deadline = time.monotonic() + 20
    while service.status(first.slug, 1).state != "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert cancel.beside(first) == [second]
    assert [one.state for one in cancel.cancel(service, first)] == ["cancelled", "cancelled"]
    assert service.current_version(first.slug) == 0
    with pytest.raises(KernelError, match="nothing to stop"):
        cancel.cancel(service, journal.get(first.run_id))


def test_questions_are_asked_soon_at_first_and_rarely_later():
    waits, passed = [], 0.0
    for wait in watch.intervals():
        waits.append(wait)
        passed += wait
        if passed > 3600:
            break
    assert (waits[0], waits[-1]) == (0.5, 15)
    assert all(wait <= max(0.5, sum(waits[:n]) / 60) for n, wait in enumerate(waits))
    assert len(waits) < 600
