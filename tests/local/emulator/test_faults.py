"""The emulator misbehaves as it is told to, on the calls that are meant, as often as is said."""

import json
import time

import pytest
import requests


def message(answer):
    return answer.json()["error"]["message"]


def test_faults_can_be_switched_over_http(shared_emulator):
    emulator = shared_emulator
    url, auth = f"{emulator.url}/emulator/faults", (emulator.username, emulator.key)
    rule = {"fault": "status", "method": "ListKernels", "status": 429, "headers": {"Retry-After": "7"}, "times": 2}
    assert emulator.http.post(url, json=rule, auth=auth).json()[0]["status"] == 429
    assert emulator.call("ListKernelFiles").status_code == 403
    for _ in range(2):
        answer = emulator.call("ListKernels")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert emulator.call("ListKernels").status_code == 200
    assert "no fault 'gremlin'" in message(emulator.http.post(url, json={"fault": "gremlin"}, auth=auth))
    assert "no field" in message(emulator.http.post(url, json={"fault": "drop", "colour": 1}, auth=auth))
    emulator.http.post(url, json=[rule, rule], auth=auth)
    assert emulator.http.delete(url, auth=auth).json() == []
    assert emulator.call("ListKernels").status_code == 200


def test_a_dropped_connection_comes_before_or_after_the_deed(emulator, monkeypatch):
    monkeypatch.setattr(emulator.store, "start", lambda version: None)
    for moment, versions in (("before", 0), ("after", 1)):
        emulator.faults.add(fault="drop", method="SaveKernel", moment=moment)
        with pytest.raises(requests.ConnectionError):
            emulator.push("lost-answer", "1")
        kernel = emulator.store.kernel(emulator.username, "lost-answer")
        assert (len(kernel.versions()) if kernel else 0) == versions


def test_downloads_can_be_truncated_and_corrupted(shared_emulator):
    emulator = shared_emulator
    emulator.finished("bad-network", {"model.bin": b"0123456789" * 100_000, "other.bin": b"whole"})
    files = {item["fileName"]: item["url"] for item in emulator.outputs("bad-network")["files"]}
    emulator.faults.add(fault="truncate", match="model.bin")
    emulator.faults.add(fault="corrupt", match="model.bin", skip=1)
    assert emulator.http.get(files["other.bin"]).content == b"whole"
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        emulator.http.get(files["model.bin"])
    spoilt = emulator.http.get(files["model.bin"]).content
    assert len(spoilt) == 1_000_000
    assert [place for place, byte in enumerate(spoilt) if byte != ord(str(place % 10))] == [500_000]
    assert emulator.http.get(files["model.bin"]).content[:10] == b"0123456789"


def test_a_status_can_be_stale_a_log_late_and_an_answer_slow(shared_emulator):
    emulator = shared_emulator
    emulator.finished("bad-day", status="ERROR")
    emulator.finished("bad-day")
    emulator.faults.add(fault="stale_status", times=2)
    assert [emulator.status("bad-day") for _ in range(3)] == ["ERROR", "ERROR", "COMPLETE"]
    emulator.faults.add(fault="empty_log")
    assert emulator.status("bad-day") == "COMPLETE"  # another call does not use it up
    assert emulator.outputs("bad-day")["log"] == ""
    assert json.loads(emulator.outputs("bad-day")["log"])[0]["data"] == "it ran\n"
    emulator.faults.add(fault="delay", method="GetKernelSessionStatus", seconds=0.3)
    began = time.monotonic()
    emulator.status("bad-day")
    assert time.monotonic() - began >= 0.3


def test_outputs_logs_and_links_can_be_other_than_they_are(shared_emulator):
    emulator = shared_emulator
    emulator.finished("bad-list", {"a": b"a", "b": b"b"})
    emulator.faults.add(fault="listed", names=["../evil"])
    emulator.faults.add(fault="unlisted", names=["b"])
    emulator.faults.add(fault="cut_log")
    answer = emulator.outputs("bad-list")
    assert [file["fileName"] for file in answer["files"]] == ["a", "../evil"]
    assert emulator.http.get(answer["files"][1]["url"]).content == b"a"
    with pytest.raises(ValueError, match=r"delimiter|string"):
        json.loads(answer["log"])
    emulator.faults.add(fault="expired")
    refused = emulator.http.get(answer["files"][0]["url"])
    assert (refused.status_code, refused.headers["content-type"][:15]) == (403, "application/xml")
    assert b"ExpiredToken" in refused.content


def test_a_body_can_be_slow_or_stall(shared_emulator):
    emulator = shared_emulator
    emulator.finished("bad-line", {"a": bytes(1000)})
    url = emulator.outputs("bad-line")["files"][0]["url"]
    emulator.faults.add(fault="slow", rate=2000)
    began = time.monotonic()
    assert emulator.http.get(url).content == bytes(1000)
    assert time.monotonic() - began > 0.3
    emulator.faults.add(fault="stall")
    with pytest.raises(requests.ConnectionError, match="timed out"):
        emulator.http.get(url, timeout=0.3)


def test_room_and_time_can_be_said_to_be_used_up(shared_emulator):
    emulator = shared_emulator
    emulator.faults.add(fault="no_quota", method="*", times=2)
    quota = emulator.call("GetAcceleratorQuotaStatistics").json()["gpuQuota"]
    assert quota["timeUsed"] == quota["totalTimeAllowed"]
    assert "weekly GPU quota" in emulator.push("no-room", "1", enableGpu=True).json()["error"]
    emulator.faults.add(fault="no_capacity")
    assert "session count" in emulator.push("no-room", "1").json()["error"]
    assert emulator.store.kernel(emulator.username, "no-room") is None


def test_a_share_of_all_calls_can_fail(shared_emulator):
    emulator = shared_emulator
    emulator.faults.add(fault="status", method="ListKernels", chance=0.5, times=None)
    codes = [emulator.call("ListKernels").status_code for _ in range(60)]
    emulator.faults.clear()
    assert 10 < codes.count(503) < 50
