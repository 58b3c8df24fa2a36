"""Whatever a client sends to the emulator, over HTTP: an answer, or a refusal in the service's own error body."""

import dataclasses
import itertools
import json
import os

import pytest
from kagglesdk.kernels.types import kernels_api_service as api

from local.emulator.faults import Fault
from local.emulator.kernel_methods import KERNELS, METHODS
from local.emulator.service import RpcMethod
from tests.local.emulated import Emulated

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
DEEP = 100_000
HOSTILE = [
    "\0",
    "a" * 5000,
    7,
    [],
    {"a": 1},
    "../x",
    True,
    10**30,
    ["\0"],
    1.5,
    float("nan"),
    -1,
    "é" * 100,
    [None],
    "",
]
BODIES = [
    b"[]", b"1", b'"x"', b"null", b"NaN", b'{"a": 1e999}', b"{", b"\xff", b"[" * DEEP, b'{"a":' * DEEP, b"9" * 5000,
    b'{"search": "\\ud800"}', b'{"pageSize": 1' + b"0" * 5000 + b"}",
]  # fmt: skip


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """An emulator with one kernel that has ended; what is pushed stays queued."""
    emulator = Emulated(tmp_path_factory.mktemp("fuzzed") / "emulator")
    emulator.store.start = lambda version: None
    emulator.finished("a-kernel", {"a": b"a"})
    yield emulator
    emulator.close()


def ask(emulator, path, body, *, method="POST"):
    """The answer, which must be one of the service's: no failure of its own, and an error in its own body."""
    data = body if isinstance(body, bytes) else json.dumps(body)
    url, auth = f"{emulator.url}{path}", (emulator.username, emulator.key)
    answer = emulator.http.request(method, url, data=data, auth=auth, timeout=10)
    assert answer.status_code in (200, 302, 400, 403, 404, 409, 501), (path, str(body)[:200], answer.text[:200])
    if answer.status_code >= 400:
        assert answer.json()["error"]["code"] == answer.status_code and len(answer.text) < 1000
    return answer


def usual(emulator, names):
    """Good values of those fields that a method has."""
    values = {
        "userName": emulator.username, "ownerSlug": emulator.username, "kernelSlug": "a-kernel", "language": "python",
        "slug": f"{emulator.username}/a-kernel", "newTitle": "a kernel", "text": '{"cells": []}',
        "kernelType": "notebook",
    }  # fmt: skip
    return {name: value for name, value in values.items() if name in names}


@pytest.mark.parametrize("method", METHODS)
def test_a_field_may_hold_anything(there, method):
    """Each field, a few values each, in turn: all of them with HYPOTHESIS_PROFILE=long."""
    names = [field.json_name for field in METHODS[method].request._fields]
    values = itertools.cycle(HOSTILE)
    for name in names:
        for value in itertools.islice(values, len(HOSTILE) if LONG else 2):
            ask(there, f"/api/v1/{method}", {**usual(there, names), name: value})


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:9])
@pytest.mark.parametrize("method", ["GetKernel", "SaveKernel"])
def test_a_slug_may_be_anything(there, method, value):
    names = [field.json_name for field in METHODS[f"{KERNELS}/{method}"].request._fields]
    field = "slug" if method == "SaveKernel" else "kernelSlug"
    ask(there, f"/api/v1/{KERNELS}/{method}", {**usual(there, names), field: value})


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:9].decode("latin-1"))
@pytest.mark.parametrize("path", [f"/api/v1/{KERNELS}/ListKernels", "/emulator/faults"])
def test_a_body_may_be_anything(there, path, body):
    answer = ask(there, path, body)
    assert answer.status_code == 400 or body == b"null" or (body, path) == (b"[]", "/emulator/faults")


# Each fault, and the method that it strikes.
STRUCK = {"status": "ListKernels", "corrupt": "ListKernels", "stuck": "GetKernelSessionStatus"}
STRUCK |= dict.fromkeys(("listed", "unlisted"), "ListKernelSessionOutput")


@pytest.mark.parametrize("fault", STRUCK)
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Fault)])
def test_a_field_of_a_fault_may_hold_anything(there, name, fault):
    """It is refused, or the call that it strikes is answered: by the method, or by the status that was asked for."""
    for value in HOSTILE:
        asked = ask(there, "/emulator/faults", {"fault": fault, "method": STRUCK[fault], name: value})
        if asked.status_code == 200:
            answer = there.call(STRUCK[fault], userName=there.username, kernelSlug="a-kernel")
            assert answer.status_code == (503 if fault == "status" and answer.status_code != 200 else 200)
        ask(there, "/emulator/faults", b"", method="DELETE")


def test_of_several_faults_all_count_or_none(there):
    answer = ask(there, "/emulator/faults", [{"fault": "drop"}, {"fault": "delay", "seconds": "long"}])
    assert answer.status_code == 400 and "seconds 'long'" not in answer.text
    assert "0 to 3600 seconds" in answer.json()["error"]["message"] and there.faults.listed() == []


@pytest.mark.parametrize(
    "text", ["[" * DEEP, "9" * 5000, '{"cells": ' + "[" * DEEP, "\ufeff{}"], ids=lambda text: text[:9]
)
def test_a_notebook_may_be_anything(there, text):
    answer = there.push("any-text", text=text)
    assert answer.status_code == 200 and "not valid JSON" in answer.json()["error"]


def test_what_is_named_twice_is_mounted_once(there):
    twice = ["hojjatk/mnist-dataset"] * 2
    kernels = [f"{there.username}/a-kernel"] * 2
    answer = there.push("named-twice", "1", datasetDataSources=twice, kernelDataSources=kernels)
    assert answer.json()["versionNumber"] == 1


@pytest.mark.parametrize(
    "path", ["%00/a-kernel", "a/" + "b" * 5000, "%ff/%fe", "../..", "emulator/a-kernel?versionLabel=v0"]
)
def test_an_address_may_be_anything(there, path):
    assert ask(there, f"/api/v1/kernels/logs/stream/{path}", b"", method="GET").status_code in (403, 404)


def test_a_fault_of_the_emulator_itself_is_told_in_the_same_way(there, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("a bug")

    monkeypatch.setitem(METHODS, f"{KERNELS}/ListKernels", RpcMethod(api.ApiListKernelsRequest, fail))
    answer = there.call("ListKernels")
    assert (answer.status_code, answer.json()["error"]["status"]) == (500, "INTERNAL")
    assert "RuntimeError" in answer.text and "a bug" not in answer.text
