"""Whatever a service answers: a value of the stated type, or a line that says what it did not do."""

import time
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.jobs import connect
from local.kaggle_api import client, errors, kernel_spec
from local.kaggle_api.client import OutputFile, Pushed, Quota, Status
from local.kaggle_api.credentials import Credentials
from tests.fuzz.answering import Answering
from tests.fuzz.malformed import DEEP, anything, json_values, mutated, told

SLUG = "k2l-torch"
KERNEL = kernel_spec.parse(
    {"slug": SLUG, "title": "K2L torch", "accelerator": "none", "time_limit": 60, "data_sources": {}},
    framework="torch",
    where="kernel.toml",
)


def shown(*texts):
    return all(isinstance(text, str) and (text.isprintable()) for text in texts)


def is_status(value):
    return type(value) is Status and bool(value.state) and shown(value.state, value.message)


def is_receipt(value):
    return type(value) is Pushed and type(value.version) is int and value.version > 0 and shown(value.trouble)


def is_listing(value):
    files, log = value
    log.encode()
    return all(type(one) is OutputFile and isinstance(one.name, str) and isinstance(one.url, str) for one in files)


def is_quota(value):
    spans = type(value.used) is type(value.total) is timedelta
    return type(value) is Quota and spans and isinstance(value.refresh, datetime | None)


# What is asked, a good answer to it, and whether what comes of an answer is what it should be.
ASKED = {
    "status": (lambda one: one.status(SLUG, 1), {"status": "ERROR", "failureMessage": "no ink"}, is_status),
    "exists": (lambda one: one.exists(SLUG, 1), {"status": "COMPLETE"}, lambda value: type(value) is bool),
    "latest": (
        lambda one: one.current_version(SLUG),
        {"metadata": {"id": 1, "ref": f"me/{SLUG}", "currentVersionNumber": 3}},
        lambda value: value is None or (type(value) is int and value >= 0),
    ),
    "source": (
        lambda one: one.source(SLUG, 1),
        {"metadata": {}, "blob": {"source": "{}", "slug": SLUG}},
        lambda value: type(value) is str,
    ),
    "outputs": (
        lambda one: one.outputs(SLUG, 1),
        {"files": [{"url": "http://localhost/a", "fileName": "a"}], "log": '[{"data": "a"}]', "nextPageToken": ""},
        is_listing,
    ),
    "quota": (
        lambda one: one.quota(),
        {
            "quotaRefreshTime": "2026-11-21T00:00:00.5Z",
            "gpuQuota": {"timeUsed": "3.5s", "totalTimeAllowed": "108000s", "hasEverRun": True},
        },
        is_quota,
    ),
    "push": (
        lambda one: one.push(KERNEL, "{}", []),
        {
            "ref": f"/code/me/{SLUG}", "url": "http://localhost/a", "versionNumber": 3, "error": "",
            "invalidDatasetSources": ["a/b"],
        },
        is_receipt,
    ),
    "delete": (lambda one: one.delete(SLUG), {"errorMessage": ""}, lambda value: value is None),
    "log": (
        lambda one: list(one.follow_log(SLUG, 1)),
        [{"stream_name": "stdout", "data": "a"}],
        lambda value: all(type(piece) is str for piece in value),
    ),
    "user": (
        lambda one: connect._introspect(one.sdk, Credentials(token="token", origin="here"), "here"),
        {"active": True, "username": "me", "userId": 1},
        lambda value: type(value) is str and value,
    ),
}  # fmt: skip

AFTER_ALL = "Mon, 01 Jan 99999999999999999999 00:00:00"
statuses = st.sampled_from([200, 204, 302, 400, 401, 403, 404, 418, 429, 500, 503, 599, 999])
header = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from([
            "application/json", "application/json; charset=utf-16", "text/html", "text/event-stream", "a; charset=hex",
            "application/json; charset=undefined",
        ]) | header,
        "Retry-After": st.sampled_from(["1", "-1", "9" * 5000, "never", AFTER_ALL]) | header,
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "identity"]) | header,
        "Content-Length": st.sampled_from(["0", "-1", "1", "many"]) | header,
        "Location": st.sampled_from(["", "/", "//", "http://", "file:///etc/passwd", "http://[", "http://127.0.0.1:1"]),
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def there():
    """The service, for all of this module's tests."""
    with Answering() as one:
        one.client.sdk = one.sdk()
        yield one


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Repetitions do not wait here."""
    seconds = []
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=seconds.append, time=time.time))
    return seconds


def asked(there, what):
    """One question, whose answer is a good value or told."""
    ask, _, is_good = ASKED[what]
    with told():
        value = ask(there.client)
        assert is_good(value), value


@pytest.mark.parametrize("what", ASKED)
def test_a_good_answer_is_taken(there, what):
    ask, good, is_good = ASKED[what]
    there.say(good)
    assert is_good(ask(there.client))


@pytest.mark.parametrize("what", ASKED)
@given(data=st.data())
def test_a_good_answer_with_a_part_changed_is_a_value_or_told(there, what, data):
    there.say(data.draw(mutated(ASKED[what][1])))
    asked(there, what)


BODIES = (
    b"", b"null", b"[]", b'""', b"5", b"{", b"NaN", b"[" * DEEP, b'{"a":' * DEEP, b"9" * DEEP, b"\xff\xfe",
    b"data: \xff\n", b"data: " + b"[" * DEEP + b"\n\ndata: END_OF_LOG",
)  # fmt: skip


@given(
    st.sampled_from(sorted(ASKED)), st.sampled_from(BODIES) | json_values | st.binary(max_size=60), statuses, headers
)
def test_any_answer_is_a_value_or_told(there, what, body, status, headers):
    there.say(body, status=status, headers=headers)
    asked(there, what)


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize(
    "body",
    [
        *BODIES,
        {"error": {"message": "a\n\nb\x1b[2J"}, "message": []},
        {"error": "a", "message": {"a": ["b\n"]}},
        {"code": 403, "message": "a\n\n\nb"},
        {"code": "403"},
        {"code": 500},
    ],
    ids=lambda body: repr(body)[:30],
)
@pytest.mark.parametrize("status", [200, 404])
def test_a_known_bad_answer_is_a_value_or_told(there, what, body, status):
    there.say(body, status=status)
    asked(there, what)


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": AFTER_ALL},
        {"Retry-After": "9" * 5000},
        {"Retry-After": "never"},
        {"Content-Type": "application/json; charset=undefined"},
        {"Content-Type": "text/event-stream", "Content-Encoding": "gzip"},
        {"Location": "http://["},
        {"Location": "/"},
    ],
    ids=str,
)
def test_known_bad_headers_are_told(there, what, headers):
    there.say(
        b"\xff", status=302 if "Location" in headers else 429 if "Retry-After" in headers else 200, headers=headers
    )
    asked(there, what)


@given(anything)
@example("!")
@example("E")
@example("")
def test_a_state_that_nobody_knows_is_told(there, state):
    """The SDK takes such for whatever its own table happens to begin with."""
    there.say({"status": state})
    asked(there, "status")


@pytest.mark.parametrize(
    ("quota", "refresh"),
    [
        ("99999999999999999999s", ""),
        ("1.0000000000001s", ""),
        ("s", ""),
        ("-1s", "0001-01-01T00:00:00Z"),
        ("1s", "0000-00-00"),
        ("1s", 5),
        (5, ""),
    ],
)
def test_a_time_that_is_none_is_told(there, quota, refresh):
    there.say({"quotaRefreshTime": refresh, "gpuQuota": {"timeUsed": quota, "totalTimeAllowed": quota}})
    asked(there, "quota")


def test_pages_that_lead_round_and_round_end(there):
    pages = iter([{"nextPageToken": token} for token in ("a", "b", "a")])
    there.answer = lambda handler: (there.say(next(pages)), Answering.answer(there, handler))
    try:
        assert there.client.outputs(SLUG, 1) == ([], "")
    finally:
        del there.answer


def test_pages_without_end_are_told(there, monkeypatch):
    monkeypatch.setattr(client, "MOST_PAGES", 5)
    there.asked = 0
    there.answer = lambda handler: (there.say({"nextPageToken": str(there.asked)}), Answering.answer(there, handler))
    try:
        with pytest.raises(errors.UnansweredError, match="endlessly"):
            there.client.outputs(SLUG, 1)
    finally:
        del there.answer
    assert there.asked == 5


@given(anything | st.sampled_from(["http://", "http://[", "//", "file:///etc/passwd", "http://127.0.0.1:99999", "/a"]))
@example("http://127.0.0.1/\ud800")
@example("http://\ud800")
@example("http://" + "a" * 300)
@example("http://a..b")
def test_an_address_that_is_none_is_told(there, url):
    with told():
        there.client.download(url).close()
