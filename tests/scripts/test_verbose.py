"""`-v` and `-vv`: what is asked, found and decided, on stderr, and nothing that opens anything."""

import json

import pytest

from local.core import workspace
from local.emulator import daemon
from scripts.terminal import logs


@pytest.fixture(autouse=True)
def home(stranger):
    return stranger


QUOTA = ("quota", "--remote", "emulator", "--json")
CALL = "local.kaggle_api.http: POST 127.0.0.1/api/v1/kernels.KernelsApiService/GetAcceleratorQuotaStatistics 200 in "


def test_it_is_quiet_unless_asked(k2l):
    assert k2l(*QUOTA)[2] == ""


@pytest.mark.parametrize("words", [("-v", *QUOTA), (*QUOTA, "-v"), ("--verbose", *QUOTA), ("-v", *QUOTA, "-vv")])
def test_calls_are_told_on_stderr_and_json_stays_alone(k2l, words):
    code, out, err = k2l(*words)
    assert code == 0 and json.loads(out)["total_hours"] == 30
    assert CALL in err and "service: the emulator at http://127.0.0.1:" in err
    assert k2l(*QUOTA)[2] == ""  # the next command is asked anew


def test_details_come_with_two(k2l):
    assert "k2l.toml: not there" not in k2l("-v", *QUOTA)[2]
    assert "k2l.toml: not there" in k2l("-vv", *QUOTA)[2]


def test_a_traceback_comes_with_two_and_the_error_stays_last(k2l):
    for count, there in ((0, False), (1, False), (2, True)):
        code, out, err = k2l(*["-v"] * count, "evaluate", "nothing")
        assert (code, out, "Traceback" in err) == (1, "", there)
        assert err.splitlines()[-1].startswith("error: No model 'nothing'")


def test_what_was_found_where_is_told(k2l, home):
    zoo = str(workspace.zoo() / "lite")
    _, _, err = k2l("-v", "predict", "--model", zoo, str(home / "none.png"))
    assert (
        "local.models.registry: model: model.onnx of" in err and "local.runtimes.loading: runtime: onnxruntime" in err
    )
    assert "shared.data.datasets: data set" not in err


def test_a_repeated_call_is_told_with_its_reason(k2l, home):
    k2l(*QUOTA)
    state = home / "k2l" / ".k2l" / "emulator"
    emulator = daemon.running(state)[0]
    import requests

    rules = [{"fault": "status", "status": 503, "method": "GetAcceleratorQuotaStatistics"}, {"fault": "drop"}]
    requests.post(f"{emulator.url}/emulator/faults", json=rules, auth=(emulator.username, emulator.key), timeout=10)
    _, _, err = k2l("-v", *QUOTA)
    assert "GetAcceleratorQuotaStatistics again: " in err and CALL in err


def test_nothing_that_opens_anything_is_told(k2l, home):
    zoo = str(workspace.zoo() / "lite")
    for _ in range(2):
        code, _, err = k2l("-vv", "publish", zoo, "--remote", "emulator")
        assert code == 0, err
        kept = json.loads((home / "k2l" / ".k2l" / "emulator" / "credentials.json").read_text())
        for word in ("signature", "upload_id", "expires=", "Basic", kept["key"], kept["secret"], "urllib3"):
            assert word not in err
    assert "storage/models/emulator/k2l-lite" in err
    blobs = [path.name for path in (home / "k2l" / ".k2l" / "emulator" / "blobs").iterdir()]
    assert blobs and not any(name in err for name in blobs)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GET /a/b?x=1&signature=abc 'next'", "GET /a/b?… 'next'"),
        ("url: http://h/p?upload_id=12.ab (Caused by", "url: http://h/p?… (Caused by"),
        ("Authorization: Basic dXNlcjprZXk=", "Authorization: Basic …"),
        ("bearer KGAT_0123456789", "bearer …"),
        ("the token KGAT_0123456789abc", "the token KGAT_…"),
        ("is it there? yes: a=1", "is it there? yes: a=1"),
    ],
)
def test_what_opens_something_is_left_out_of_foreign_words(text, said):
    assert logs.closed(text) == said
