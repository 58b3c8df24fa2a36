"""What the service's own words leave open is said: a push refused or failed, too many requests, certificates."""

import dataclasses
import logging
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from kagglesdk.kaggle_env import KaggleEnv

from local.core import workspace
from local.jobs import connect, push, watch
from local.jobs.capacity import Waiting
from local.kaggle_api import certificates, errors, http
from local.runs import journal
from scripts.steps import trip
from scripts.terminal import logs
from shared.core.errors import KernelError, RefusedError, ServiceError
from tests.heard import Heard
from tests.local import trips

SLUG = trips.SLUG
NOT_FOUND = {"error": {"code": 404, "message": "Notebook not found", "status": "NOT_FOUND"}}

pytestmark = pytest.mark.usefixtures("home", "no_waits", "impatience")


# A push that is not taken


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"error": "Notebook not found"}),
        (200, {"error": "Kernel not found"}),
        (404, NOT_FOUND),
        (404, None),  # then HTTP's own words are all there is
    ],
)
def test_not_found_as_the_answer_to_a_push_names_the_three_reasons(emulator, service, submission, status, body):
    emulator.faults.add(fault="status", method="SaveKernel", status=status, body=body)
    with pytest.raises(RefusedError) as refused:
        push.push(service, submission)
    first, advice = str(refused.value).split("\n")
    assert "ound" in first
    for words in ("draft that was never saved", f"kaggle.com/code/{emulator.username}/{SLUG}", "another owner's"):
        assert words in advice
    assert "begins with a digit" in advice and "--slug" in advice and "k2l doctor" in advice


def test_other_refusals_have_no_such_advice(emulator, service, submission):
    emulator.faults.add(fault="status", method="SaveKernel", status=200, body={"error": "Dataset x/y not found"})
    with pytest.raises(RefusedError) as refused:
        push.push(service, submission)
    assert "draft" not in str(refused.value)


def test_a_push_that_fails_at_the_service_each_time_may_be_at_fault_itself(emulator, service, submission):
    emulator.faults.add(fault="status", method="SaveKernel", status=500, times=3)
    said = []
    for _ in range(3):
        with pytest.raises(errors.PushLostError) as lost:
            push.push(service, submission)
        said.append(str(lost.value))
    assert "at fault" not in said[0] and "same command again to retry" in said[0]
    for words in ("2 times now", "push itself may be at fault", "--slug NAME", "--dataset digits", "smaller notebook"):
        assert words in said[1]
    assert "3 times now" in said[2] and said[2].count("\n") == 1
    assert push.push(service, submission).version == 1 and len(journal.every()) == 1


def test_a_connection_that_breaks_each_time_does_not_blame_the_push(emulator, service, submission):
    emulator.faults.add(fault="drop", method="SaveKernel", times=3)
    for _ in range(3):
        with pytest.raises(errors.PushLostError) as lost:
            push.push(service, submission)
    assert "at fault" not in str(lost.value)


def test_a_new_accelerator_is_sent_as_it_is_and_warned_of(emulator, service, kernel, submission, capsys):
    for accelerator, words in (("NvidiaRtx9000", "new to k2l"), ("none", "to a CPU: no accelerator is requested")):
        spec = dataclasses.replace(kernel("1"), accelerator=accelerator, time_limit=3600)
        trip.sent(service, trips.submission_of(spec), again=True, wait_hours=None)
        shape = emulator.version(SLUG).push.get("machineShape")
        assert shape == (None if accelerator == "none" else accelerator)
        assert words in capsys.readouterr().err


# Too many requests


def too_many(method, seconds, **more):
    return {"fault": "status", "method": method, "status": 429, "headers": {"Retry-After": str(seconds)}, **more}


def test_a_push_put_off_for_long_says_when_and_how_to_wait(emulator, service, submission, no_waits):
    emulator.faults.add(**too_many("SaveKernel", 3600))
    words = r"HTTP 429.*in 3,600 s\.\nTo wait until it is accepted: --wait-for-capacity"
    with pytest.raises(errors.CapacityError, match=words):
        trip.sent(service, submission, again=False, wait_hours=None)
    assert no_waits == []  # not asked again at once: an hour is longer than a call waits


def test_with_waiting_a_push_is_sent_again_when_the_service_asks_to(emulator, service, submission):
    emulator.faults.add(**too_many("SaveKernel", 1800, times=2))
    began = datetime.now(UTC)
    clock = SimpleNamespace(passed=0.0)
    heard = Heard()

    def sleep(seconds):
        clock.passed += seconds

    def now():
        return began + timedelta(seconds=clock.passed)

    waiting = Waiting(limit=timedelta(hours=2), report=heard, sleep=sleep, now=now)
    assert push.push(service, submission, waiting=waiting).version == 1
    (why,) = heard.all("text")
    assert "HTTP 429" in why and "Trying again in 30 min" in why and "2 h at most" in why
    assert clock.passed >= 1795


def test_beyond_the_limit_a_push_is_not_waited_for(emulator, service, submission):
    emulator.faults.add(**too_many("SaveKernel", 7200))
    waiting = Waiting(limit=timedelta(hours=1), sleep=pytest.fail)
    with pytest.raises(errors.BusyError, match=r"in (2 h|1 h 59 min) .*the limit of 1 h"):
        push.push(service, submission, waiting=waiting)


def test_a_call_that_waits_says_so(emulator, service, no_waits, capsys):
    emulator.finished(SLUG)
    emulator.faults.add(**too_many("GetKernelSessionStatus", 90))
    logs.configure(0)
    try:
        assert service.status(SLUG, 1).state == "COMPLETE"
    finally:
        logs.quiet()
    assert no_waits == [90]
    assert (
        capsys.readouterr().err.startswith("NOTE: the service asks to wait (HTTP 429)")
        and http.ANNOUNCED_WAIT < 90 < http.LONGEST_WAIT
    )


def test_a_question_put_off_for_long_says_when_to_ask_again(emulator, service, no_waits):
    emulator.finished(SLUG)
    emulator.faults.add(**too_many("GetKernelSessionStatus", 3600))
    with pytest.raises(errors.TooManyRequestsError, match=r"HTTP 429.*Try again in 3,600 s") as busy:
        service.status(SLUG, 1)
    assert (busy.value.wait, no_waits) == (3600, [])


def test_a_watch_asks_again_when_the_service_asks_to(emulator, service, caplog):
    run = trips.finished(emulator, {"a": b"a"}, state="pushed")
    emulator.faults.add(**too_many("GetKernelSessionStatus", 900, times=3))  # more than a watch bears without an answer
    slept, heard = [], Heard()
    assert watch.watch(service, run, sleep=slept.append, report=heard).state == "complete"
    assert slept[:3] == [900, 900, 900] and heard.all("state") == ["COMPLETE"]
    assert [record.levelno for record in caplog.records if "trying again in 900 s" in record.message] == [
        logging.WARNING
    ] * 3


EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
ASKED = [("7", 7), (" 7 ", 7), ("-7", 0), ("soon", 0), ("", 0), ("9" * 400, 86_400), ("²", 0), (EPOCH, 0)]


@pytest.mark.parametrize(("said", "seconds"), ASKED)
def test_when_to_come_again_is_read_with_care(said, seconds):
    assert http.retry_after({"Retry-After": said}) == seconds


# Certificates


@pytest.fixture
def behind_tls(tmp_path, monkeypatch):
    """A service whose certificate nobody has signed; it answers every question with a quota."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # who does not trust it hangs up
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    url = f"https://localhost:{server.server_port}"
    monkeypatch.setattr("kagglesdk.kaggle_env._env_to_endpoint", dict.fromkeys(KaggleEnv, url))
    for name in (*certificates.VARIABLES, "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR", "KAGGLE_API_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "key")
    yield url
    server.shutdown()
    server.server_close()
    thread.join()


CERTIFICATE = str(workspace.CHECKOUT / "tests" / "data" / "certificates" / "localhost.pem")


def test_an_unknown_authority_is_told_at_once_with_what_to_set(behind_tls, no_waits):
    with pytest.raises(ServiceError) as error:
        connect.connect("kaggle").quota()
    assert "certificate verify failed" in str(error.value) and no_waits == []
    for words in ("this machine does not trust", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "read now: those"):
        assert words in str(error.value)


def test_what_is_on_this_machine_needs_no_certificates(monkeypatch, tmp_path):
    for name in certificates.VARIABLES:
        monkeypatch.setenv(name, str(tmp_path / "gone.pem"))
    assert connect.at_loopback("http://127.0.0.1:1", username="me", key="key").username == "me"


@pytest.mark.parametrize("name", certificates.VARIABLES)
def test_each_variable_that_names_authorities_is_read(behind_tls, monkeypatch, name):
    monkeypatch.setenv(name, CERTIFICATE)
    assert connect.connect("kaggle").quota()


def test_the_authorities_that_were_read_are_named(behind_tls, monkeypatch, tmp_path):
    import certifi

    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    with pytest.raises(ServiceError, match="read now: SSL_CERT_FILE \\("):
        connect.connect("kaggle").quota()
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token")  # which is checked first of all
    with pytest.raises(ServiceError, match=r"could not check the access token in KAGGLE_API_TOKEN .*\n.*SSL_CERT"):
        connect.connect("kaggle")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with pytest.raises(KernelError, match=r"SSL_CERT_FILE names .*gone\.pem, which does not exist"):
        connect.connect("kaggle")
