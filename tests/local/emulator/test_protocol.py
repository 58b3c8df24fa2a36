"""What the emulator answers: keys, names, versions, refusals, paging, storage. Hardly anything runs here."""

import base64
import http.client
import time
from urllib.parse import urlsplit

import pytest

from local.emulator.service import Signer
from local.emulator.storage import quota

pytestmark = pytest.mark.usefixtures("plain_sessions")


def test_without_the_right_key_nothing_is_answered(shared_emulator):
    emulator = shared_emulator
    url = f"{emulator.url}/api/v1/kernels.KernelsApiService/ListKernels"
    for value in (None, "Bearer wrong", "Basic !", "Basic \xff\xe9", "Bearer \xff\xe9", "\xff"):
        headers = {"Authorization": value.encode("latin-1")} if value else {}
        answer = emulator.http.post(url, json={}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert emulator.http.post(url, json={}, auth=("somebody", emulator.key)).status_code == 401
    assert emulator.http.post(url, json={}, headers={"Authorization": f"Bearer {emulator.key}"}).status_code == 200
    assert emulator.http.get(f"{emulator.url}/emulator/faults").status_code == 401


def test_a_body_is_read_to_its_end_and_kept_only_with_the_key_and_up_to_20_mb(shared_emulator):
    emulator = shared_emulator
    url = f"{emulator.url}/api/v1/kernels.KernelsApiService/SaveKernel"
    for auth, size, code in (
        ((emulator.username, "wrong"), 30_000_000, 401),
        ((emulator.username, emulator.key), 20_000_001, 413),
        ((emulator.username, emulator.key), 20_000_000, 400),  # taken, and found not to be JSON
    ):
        chunks = [b"x" * 1_000_000] * (size // 1_000_000) + [b"x" * (size % 1_000_000)]
        answer = emulator.http.post(url, data=iter(chunk for chunk in chunks if chunk), auth=auth, timeout=30)
        assert (answer.status_code, answer.json()["error"]["code"]) == (code, code)


def test_json_that_python_cannot_follow_is_told(shared_emulator):
    url = f"{shared_emulator.url}/api/v1/kernels.KernelsApiService/ListKernels"
    auth = (shared_emulator.username, shared_emulator.key)
    for text in ("[" * 100_000, '{"search": "\\ud800"}'):
        answer = shared_emulator.http.post(url, data=text, auth=auth, timeout=10)
        assert answer.status_code == 400 and "cannot be parsed" in answer.json()["error"]["message"]


def test_both_prefixes_and_absolute_targets_are_understood(shared_emulator):
    emulator = shared_emulator
    path = "kernels.KernelsApiService/ListKernels"
    token = base64.b64encode(f"{emulator.username}:{emulator.key}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    for target in (f"/api/v1/{path}", f"/v1/{path}", f"http://localhost/api/v1/{path}"):
        connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc)
        connection.request("POST", target, "{}", headers)
        assert connection.getresponse().status == 200
        connection.close()


def test_localhost_is_answered_too(shared_emulator):
    port = urlsplit(shared_emulator.url).port
    assert shared_emulator.http.get(f"http://localhost:{port}/emulator/ping").status_code == 401


def test_a_token_is_told_whose_it_is(shared_emulator):
    emulator = shared_emulator
    answer = emulator.call("IntrospectToken", "security.OAuthService", token=emulator.key)
    assert answer.json() == {"active": True, "username": emulator.username}
    assert emulator.call("IntrospectToken", "security.OAuthService", token="other").json() == {}


def test_an_unknown_kernel_is_denied_and_an_unknown_method_not_found(shared_emulator):
    emulator = shared_emulator
    for slug in ("never-pushed", "../../kernels", ""):
        answer = emulator.call("GetKernelSessionStatus", userName=emulator.username, kernelSlug=slug)
        assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert emulator.call("DanceTango").status_code == 404
    assert emulator.call("ListKernels", kernelType=3, sortBy="SIDEWAYS").status_code == 400


def test_versions_are_asked_for_with_a_v(shared_emulator):
    emulator = shared_emulator
    emulator.finished("many-versions", status="ERROR")
    emulator.finished("many-versions")
    assert emulator.status("many-versions") == "COMPLETE"
    assert emulator.status("many-versions", versionLabel="v1") == "ERROR"
    for label in ("1", "v3", "v0", "latest"):
        answer = emulator.call(
            "GetKernelSessionStatus", userName=emulator.username, kernelSlug="many-versions", versionLabel=label
        )
        assert answer.status_code == 404, label


def test_the_log_stream_tells_the_version_it_is_asked_for(emulator):
    emulator.push("two-logs", "print('first')")
    emulator.wait("two-logs")
    emulator.push("two-logs", "print('second')")
    emulator.wait("two-logs")
    url = f"{emulator.url}/api/v1/kernels/logs/stream/{emulator.username}/two-logs"
    auth = (emulator.username, emulator.key)
    for label, said in ((None, "second\n"), ("v2", "second\n"), ("v1", "first\n")):
        stored = emulator.http.get(url, params={"versionLabel": label}, auth=auth, timeout=30).json()
        assert "".join(record["data"] for record in stored if record["stream_name"] == "stdout") == said
    for label in ("v3", "1"):
        assert emulator.http.get(url, params={"versionLabel": label}, auth=auth, timeout=30).status_code == 404


def test_a_second_push_is_the_next_version(emulator):
    assert emulator.push("pushed-twice", "1").json()["versionNumber"] == 1
    answer = emulator.push("pushed-twice", "2").json()
    assert answer["versionNumber"] == 2
    assert answer["ref"] == f"/code/{emulator.username}/pushed-twice"
    assert emulator.wait("pushed-twice", versionLabel="v1") == "COMPLETE"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"newTitle": "Four"}, "title must be between 5 and 50"),
        ({"newTitle": "x" * 51}, "title must be between 5 and 50"),
        ({"slug": "emulator/abcd", "newTitle": "abcd!"}, "slug must be between 5 and 50"),
        ({"newTitle": None}, "title must be between 5 and 50"),
        ({"language": "r"}, "language 'r'"),
        ({"kernelType": "script"}, "kernel type 'script'"),
        ({"text": "not json"}, "not valid JSON"),
    ],
)
def test_a_bad_push_is_refused_with_200_and_an_error(shared_emulator, fields, error):
    answer = shared_emulator.push("bad-push", "1", **fields)
    assert answer.status_code == 200
    assert error in answer.json()["error"]
    assert "versionNumber" not in answer.json()


def test_somebody_elses_kernel_is_denied(shared_emulator):
    assert shared_emulator.push("their-kernel", "1", slug="somebody/their-kernel").status_code == 403


def test_a_notebook_over_a_megabyte_gets_a_bare_400(shared_emulator, notebook):
    answer = shared_emulator.push("big-one", text=notebook("#" * 1_000_001))
    assert (answer.status_code, answer.content) == (400, b"")


def test_a_kernel_is_filed_under_its_titles_slug(emulator):
    answer = emulator.push("asked-for", "1", newTitle="Something Else").json()
    assert answer["ref"].endswith("/something-else")
    assert emulator.call("GetKernel", userName=emulator.username, kernelSlug="asked-for").status_code == 403
    assert emulator.push("asked-for", "1", newTitle="Something Else").status_code == 409
    assert emulator.push("something-else", "1", newTitle="Asked For").status_code == 409


def test_sources_that_do_not_exist_are_named_and_the_push_succeeds(emulator):
    answer = emulator.push(
        "bad-sources",
        "1",
        datasetDataSources=["nobody/nothing", "../kernels/x", "hojjatk/mnist-dataset"],
        competitionDataSources=["digit-recognizer"],
        modelDataSources=["a/b/c/d/1"],
    ).json()
    assert answer["versionNumber"] == 1
    assert answer["invalidDatasetSources"] == ["nobody/nothing", "../kernels/x"]
    assert answer["invalidCompetitionSources"] == ["digit-recognizer"]
    assert answer["invalidModelSources"] == ["a/b/c/d/1"]


def test_two_gpu_sessions_and_five_others_fit(emulator, monkeypatch):
    monkeypatch.setattr(emulator.store, "start", lambda version: None)  # they stay QUEUED
    for n in range(2):
        assert "error" not in emulator.push(f"gpu-number-{n}", "1", machineShape="NvidiaTeslaT4").json()
    refused = emulator.push("gpu-number-2", "1", enableGpu=True).json()
    assert refused["error"] == "Maximum batch GPU session count of 2 reached."
    for n in range(5):
        assert "error" not in emulator.push(f"cpu-number-{n}", "1").json()
    assert "CPU session count of 5" in emulator.push("cpu-number-5", "1").json()["error"]
    emulator.call("DeleteKernel", userName=emulator.username, kernelSlug="gpu-number-0")
    assert "error" not in emulator.push("gpu-number-2", "1", enableGpu=True).json()


def test_the_weeks_gpu_hours_end(emulator, monkeypatch):
    monkeypatch.setattr(emulator.store, "start", lambda version: None)
    now = time.time()
    emulator.store.ledger.book(now - 40 * 3600 - 8 * 86400, now - 8 * 86400)  # last week's
    answer = emulator.call("GetAcceleratorQuotaStatistics").json()
    assert answer["gpuQuota"]["timeUsed"] == "0.000s"
    assert answer["gpuQuota"]["totalTimeAllowed"] == "108000.000s"
    refresh = quota.last_refresh(now).timestamp()
    emulator.store.ledger.book(refresh, refresh + 31 * 3600)
    assert "weekly GPU quota of 30.00 hours" in emulator.push("no-more-gpu", "1", enableGpu=True).json()["error"]
    assert "error" not in emulator.push("cpu-goes-on", "1").json()


def test_the_quota_is_refreshed_on_saturday():
    friday = 1_795_132_800.0  # 2026-11-20 00:00 UTC
    assert quota.next_refresh(friday).isoformat() == "2026-11-21T00:00:00+00:00"
    assert quota.last_refresh(friday + 86400).isoformat() == "2026-11-21T00:00:00+00:00"


def test_outputs_come_in_pages(shared_emulator):
    emulator = shared_emulator
    emulator.finished("many-files", {f"folder/{n:02}.txt": b"x" for n in range(45)})
    seen, token, pages = [], "", 0
    while True:
        answer = emulator.outputs("many-files", pageToken=token, pageSize=20)
        seen += [item["fileName"] for item in answer["files"]]
        pages += 1
        token = answer.get("nextPageToken")
        if not token:
            break
    assert (pages, seen) == (3, [f"folder/{n:02}.txt" for n in range(45)])
    negative = base64.urlsafe_b64encode(b"-20").decode()
    for fields in ({"pageToken": "bogus!"}, {"pageToken": "\xe9"}, {"pageToken": negative}, {"pageSize": -1}):
        bad = emulator.call("ListKernelSessionOutput", userName=emulator.username, kernelSlug="many-files", **fields)
        assert bad.status_code == 400, fields


def test_outputs_are_signed_hashed_and_served_in_ranges(shared_emulator):
    emulator = shared_emulator
    emulator.finished("one-file", {"model.bin": b"0123456789"})
    url = emulator.outputs("one-file")["files"][0]["url"]
    answer = emulator.http.get(url)
    assert answer.content == b"0123456789"
    assert answer.headers["x-goog-hash"] == "md5=eB5eJF1ptWaXm4bijSPyxw=="
    assert answer.headers["content-length"] == "10"
    assert answer.headers["last-modified"].endswith("GMT")
    part = emulator.http.get(url, headers={"Range": "bytes=4-"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"456789", "bytes 4-9/10")
    assert emulator.http.get(url, auth=(emulator.username, emulator.key)).status_code == 400
    assert emulator.http.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 403
    assert emulator.http.get(url.replace("model.bin", "other.bin")).status_code == 403


def test_a_signed_url_expires():
    signer = Signer("secret", lifetime=-1)
    query = dict(pair.split("=") for pair in urlsplit(signer.sign("a/b/1/c")).query.split("&"))
    assert not signer.accepts("a/b/1/c", query["expires"], query["signature"])


def test_a_download_is_redirected_to_storage_without_the_key(shared_emulator):
    emulator = shared_emulator
    emulator.finished("to-download", {"a b.txt": b"content"})
    fields = {"ownerSlug": emulator.username, "kernelSlug": "to-download"}
    assert emulator.call("DownloadKernelOutput", **fields, filePath="a b.txt", versionNumber=1).content == b"content"
    assert emulator.call("DownloadKernelOutput", **fields, filePath="missing").status_code == 404
    assert emulator.call("DownloadKernelOutput", **fields, versionNumber=7).status_code == 404
    assert emulator.call("DownloadKernelOutput", **fields).content.startswith(b"PK")


def test_nothing_can_be_downloaded_before_the_end(emulator, monkeypatch):
    monkeypatch.setattr(emulator.store, "start", lambda version: None)
    emulator.push("still-queued", "1")
    assert emulator.status("still-queued") == "QUEUED"
    assert emulator.outputs("still-queued") == {}
    fields = {"ownerSlug": emulator.username, "kernelSlug": "still-queued"}
    assert emulator.call("DownloadKernelOutput", **fields).status_code == 404
