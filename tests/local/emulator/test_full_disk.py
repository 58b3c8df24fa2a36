"""An emulator whose disk is full says so, with the place, and its clients say it at once."""

import time

import psutil
import pytest

from local.emulator.sessions import processes
from local.jobs import push, watch
from shared.core.errors import RefusedError, ServiceError
from tests.local import trips

pytestmark = pytest.mark.usefixtures("home", "plain_sessions")


def no_room(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("before", [0, 1])
def test_a_push_that_has_no_room_is_refused_and_leaves_the_kernel_as_it_was(
    emulator, service, kernel, limited_files, no_waits, monkeypatch, before
):
    submission = trips.submission_of(kernel("1"))
    text = submission.bundle.sign(run_id="r", source_commit="")
    if before:
        emulator.finished(trips.SLUG)
    for room in (1, 300, len(text) // 2):  # of what a push writes, less or more comes to its end
        with limited_files(room), pytest.raises(RefusedError, match=rf"disk full: {emulator.state}.*HTTP 507"):
            service.push(submission.spec, text, [])
        assert service.current_version(trips.SLUG) == before
        assert emulator.store.live() == []
    with monkeypatch.context() as patch, pytest.raises(RefusedError, match="disk full"):
        patch.setattr(processes, "spawn", no_room)  # all is written, and its process cannot begin
        service.push(submission.spec, text, [])
    assert service.current_version(trips.SLUG) == before and emulator.store.live() == []
    assert service.push(submission.spec, text, []).version == before + 1
    assert no_waits == [] and not list((emulator.state / "parts").iterdir())


def test_a_watch_says_at_once_that_nothing_can_be_written_there(emulator, service, kernel, limited_files, no_waits):
    one = push.push(service, trips.submission_of(kernel("import time; time.sleep(60)")))
    emulator.wait(trips.SLUG, wanted={"RUNNING"})
    psutil.Process(emulator.version(trips.SLUG).status()["pid"]).kill()  # so that its end has to be written down
    while emulator.store._lives(emulator.version(trips.SLUG), emulator.version(trips.SLUG).status()):
        time.sleep(0.01)
    with (
        limited_files(5),
        pytest.raises(ServiceError, match=rf"has no space for .*disk full: {emulator.state}.*HTTP 507"),
    ):
        watch.watch(service, one, sleep=pytest.fail)
    assert no_waits == [] and emulator.call("Ping", service="none").status_code == 404
    assert emulator.http.get(f"{emulator.url}/emulator/ping", auth=(emulator.username, emulator.key)).ok
    assert service.status(trips.SLUG, 1).state == "ERROR"
