"""Models on the emulator: the unmodified `kaggle` command and kagglehub, and the resumable uploads below them."""

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.local import published_models

MODELS = "models.ModelApiService"


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def command(emulator, home):
    """Runs `kaggle models …` in a home of its own, with the emulator as its proxy."""
    return partial(emulator.kaggle, home, "models", TMPDIR=str(home))  # where it notes its uploads


@pytest.fixture
def folder(emulator, tmp_path):
    """A folder that `kaggle models create` and `kaggle models instances create` take."""
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights" * 1000)
    (folder / "empty.txt").write_bytes(b"")
    model = {"ownerSlug": emulator.username, "title": "Bert", "slug": "bert", "subtitle": "", "isPrivate": True}
    (folder / "model-metadata.json").write_text(json.dumps(model | {"description": "# Bert\n\nA card."}))
    instance = {
        "ownerSlug": emulator.username, "modelSlug": "bert", "instanceSlug": "main", "framework": "pyTorch",
        "overview": "small", "usage": "load it", "licenseName": "Apache 2.0", "fineTunable": False, "trainingData": [],
        "modelInstanceType": "Unspecified",
    }  # fmt: skip
    (folder / "model-instance-metadata.json").write_text(json.dumps(instance))
    return folder


def test_the_kaggle_command_publishes_shows_and_fetches_a_model(emulator, command, folder, tmp_path):
    created = command("create", "-p", str(folder))
    assert "Your model was created." in created.stdout, created
    assert "already exists" in command("create", "-p", str(folder)).stdout
    made = command("instances", "create", "-p", str(folder))
    assert "Your model instance was created." in made.stdout, made
    assert "already exists" in command("instances", "create", "-p", str(folder)).stdout
    handle = f"{emulator.username}/bert/pyTorch/main"
    (folder / "model.bin").write_bytes(b"better weights")
    versioned = command("instances", "versions", "create", handle, "-p", str(folder), "-n", "better")
    assert "Your model instance version was created." in versioned.stdout, versioned
    assert "emulator/bert" in command("list", "--owner", emulator.username).stdout
    got = json.loads(command("get", f"{emulator.username}/bert").stdout)
    assert (got["title"], got["isPrivate"]) == ("Bert", True)
    assert '"versionNumber": 2' in command("instances", "get", handle).stdout
    listed = command("instances", "list", f"{emulator.username}/bert").stdout
    assert "better" in listed and "2" in listed
    assert "model.bin" in command("instances", "files", handle).stdout
    assert "7000" in command("instances", "versions", "files", f"{handle}/1").stdout
    assert len(command("instances", "versions", "list", handle).stdout.splitlines()) == 4
    fetched = command("instances", "versions", "download", f"{handle}/2", "-p", str(tmp_path / "got"), "--untar")
    assert (tmp_path / "got" / "model.bin").read_bytes() == b"better weights", fetched
    assert (tmp_path / "got" / "empty.txt").read_bytes() == b""


def test_the_kaggle_command_changes_and_deletes_a_model(emulator, command, folder):
    command("create", "-p", str(folder))
    about = json.loads((folder / "model-metadata.json").read_text()) | {"title": "Bert again", "isPrivate": False}
    (folder / "model-metadata.json").write_text(json.dumps(about))
    assert "was updated" in command("update", "-p", str(folder)).stdout
    got = json.loads(command("get", f"{emulator.username}/bert").stdout)
    assert (got["title"], got.get("isPrivate", False)) == ("Bert again", False)
    command("instances", "create", "-p", str(folder))
    assert "deleted" in command("instances", "delete", f"{emulator.username}/bert/pyTorch/main", "-y").stdout
    assert "No instances found" in command("instances", "list", f"{emulator.username}/bert").stdout
    assert "deleted" in command("delete", f"{emulator.username}/bert", "-y").stdout
    gone = command("get", f"{emulator.username}/bert")
    assert gone.returncode != 0 and "404" in gone.stdout + gone.stderr
    assert not list((emulator.state / "trash").iterdir())


def test_the_kaggle_command_resumes_an_upload(emulator, command, folder):
    (folder / "model.bin").write_bytes(b"w" * 3_000_000)
    command("create", "-p", str(folder))
    emulator.faults.add(fault="cut", match="model.bin")
    emulator.faults.add(fault="status", match="model.bin", skip=1)  # its first repeat is by itself, from the beginning
    made = command("instances", "create", "-p", str(folder))
    assert "Will resume upload at 15" in made.stdout and "was created" in made.stdout, made
    instance = emulator.service.models.model(emulator.username, "bert").instances()[0]
    assert (instance.versions()[0].folder / "files" / "model.bin").read_bytes() == b"w" * 3_000_000


HUB = """
import json, kagglehub
kagglehub.model_upload("{handle}", "{folder}", license_name="MIT", version_notes="from the hub")
one = kagglehub.model_download("{handle}/1", path="model.onnx")
print(json.dumps([kagglehub.model_download("{handle}"), one]))
"""


def test_kagglehub_publishes_and_fetches_a_model(emulator, home, tmp_path):
    folder = published_models.model(tmp_path / "mine", {"model.onnx": b"onnx", "history.csv": b"1"})
    code = HUB.format(handle=f"{emulator.username}/mine/onnx/default", folder=folder)
    for version in (1, 2):
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env=emulator.environment(home), cwd=home, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        everything, one = map(Path, json.loads(done.stdout.splitlines()[-1]))
        assert {path.name for path in everything.iterdir()} == {"model.onnx", "history.csv", "manifest.json"}
        assert one.read_bytes() == b"onnx" and everything.name == str(version)


def test_a_resumable_upload_is_taken_as_googles_storage_takes_it(shared_emulator):
    emulator = shared_emulator

    def put(data, said=""):
        headers = {"Content-Range": said} if said else {}
        answer = requests.put(place["createUrl"], data=data, headers=headers, timeout=10)
        return answer.status_code, answer.headers.get("range", "")

    place = begun(emulator, "model.bin", 10)
    assert put(b"", "bytes */10") == (308, "")
    assert put(b"abcd") == (308, "bytes=0-3")
    assert put(b"", "bytes */10") == (308, "bytes=0-3")
    assert put(b"xyz", "bytes 7-9/10") == (308, "bytes=0-3")  # not behind what is there
    assert put(b"", "bytes */11") == (400, "") and put(b"", "chunks 1-2") == (400, "")
    assert put(b"x" * 11) == (400, "")
    assert put(iter((b"0123456789", b"x"))) == (400, "") and put(b"", "bytes */10") == (308, "")
    assert put(b"abcd") == (308, "bytes=0-3")
    answer = requests.put(place["createUrl"], data=b"efghij", headers={"Content-Range": "bytes 4-9/10"}, timeout=10)
    assert answer.json()["md5Hash"] == base64.b64encode(hashlib.md5(b"abcdefghij").digest()).decode()
    assert put(b"", "bytes */10") == (200, "") and put(b"0123456789") == (200, "")
    assert emulator.service.blobs.of(place["token"]).content.read_bytes() == b"abcdefghij"


def begun(emulator, name, size, **more):
    answer = emulator.call(
        "StartBlobUpload", "blobs.BlobApiService", type="MODEL", name=name, contentLength=size, **more
    )
    answer.raise_for_status()
    return answer.json()


def test_only_whoever_has_the_place_may_write_there(shared_emulator):
    emulator = shared_emulator
    place = begun(emulator, "model.bin", 3)
    url = place["createUrl"]
    assert requests.put(url, data=b"abc", auth=(emulator.username, emulator.key), timeout=10).status_code == 400
    for wrong in (url[:-1] + ("0" if url[-1] != "0" else "1"), url.partition("?")[0], url.replace("=", "=../")):
        assert requests.put(wrong, data=b"abc", timeout=10).status_code == 404
    assert emulator.service.blobs.of(url.rpartition("=")[2]) is None  # it is no token
    for bad in ({"name": "../evil"}, {"name": "a/b"}, {"name": ""}, {"contentLength": -1}, {"type": "DATASET"}):
        fields = {"type": "MODEL", "name": "m", "contentLength": 1} | bad
        assert emulator.call("StartBlobUpload", "blobs.BlobApiService", **fields).status_code in (400, 501)


def test_what_cannot_be_a_model_is_refused(shared_emulator):
    emulator = shared_emulator
    mine = {"ownerSlug": emulator.username, "slug": "refused", "title": "Refused", "isPrivate": True}

    def error(method, **fields):
        return emulator.call(method, MODELS, **fields).json().get("error", "")

    for bad in ({"slug": "Big"}, {"slug": "a--b"}, {"slug": ""}, {"title": ""}, {"title": "x" * 51}):
        assert error("CreateModel", **mine | bad)
    assert emulator.call("CreateModel", MODELS, **mine | {"ownerSlug": "other"}).status_code == 403
    assert not error("CreateModel", **mine)
    at = {"ownerSlug": emulator.username, "modelSlug": "refused"}
    half = begun(emulator, "half.bin", 3)["token"]
    body = {"instanceSlug": "main", "framework": "MODEL_FRAMEWORK_ONNX", "licenseName": "MIT"}
    for tokens in ([], ["wrong"], [half]):
        files = [{"token": token} for token in tokens]
        assert "token is not valid" in error("CreateModelInstance", **at, body=body | {"files": files})
    assert "license 'Mine'" in error("CreateModelInstance", **at, body=body | {"licenseName": "Mine"})
    assert "framework" in error("CreateModelInstance", **at, body={"instanceSlug": "main"})
    assert error("CreateModelInstance", **at, body=body | {"files": [{"token": "\ud800"}]})
    for slug in ("absent", "../../kernels", "", "x" * 5000):
        assert emulator.call("GetModel", MODELS, **at | {"modelSlug": slug}).status_code == 404


def test_files_of_a_version_are_listed_page_by_page_and_fetched_by_signed_urls(shared_emulator):
    emulator = shared_emulator
    at = {"ownerSlug": emulator.username, "modelSlug": "paged"}
    emulator.call("CreateModel", MODELS, ownerSlug=emulator.username, slug="paged", title="Paged", isPrivate=True)
    tokens = []
    for n in range(5):
        place = begun(emulator, f"{n}.bin", 1)
        requests.put(place["createUrl"], data=str(n).encode(), timeout=10)
        tokens.append({"token": place["token"]})
    body = {"instanceSlug": "main", "framework": "MODEL_FRAMEWORK_ONNX", "files": tokens}
    emulator.call("CreateModelInstance", MODELS, **at, body=body).raise_for_status()
    at |= {"framework": "MODEL_FRAMEWORK_ONNX", "instanceSlug": "main"}
    first = emulator.call("ListModelInstanceVersionFiles", MODELS, **at, pageSize=3).json()
    rest = emulator.call("ListModelInstanceVersionFiles", MODELS, **at, pageToken=first["nextPageToken"]).json()
    assert [one["name"] for one in first["files"] + rest["files"]] == [f"{n}.bin" for n in range(5)]
    assert "must be specified" in emulator.call("CreateModelInstanceVersion", MODELS, **at).json()["error"]
    fetched = emulator.call("DownloadModelInstanceVersion", MODELS, **at, versionNumber=1, path="3.bin")
    assert fetched.content == b"3" and "signature=" in fetched.url
    packed = emulator.call("DownloadModelInstanceVersion", MODELS, **at, versionNumber=1)
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as archive:
        assert len(archive.getnames()) == 5
    for missing in ({"path": "../version.json"}, {"path": "9.bin"}, {"versionNumber": 2}):
        assert emulator.call("DownloadModelInstanceVersion", MODELS, **at | missing).status_code == 404


def test_a_restart_keeps_models_and_uploads(emulator):
    place = begun(emulator, "model.bin", 6)
    emulator.call("CreateModel", MODELS, ownerSlug=emulator.username, slug="kept", title="BackupMade", isPrivate=True)
    requests.put(place["createUrl"], data=b"abc", timeout=10)
    emulator.leave()
    emulator.start()
    answer = requests.put(place["createUrl"], data=b"def", headers={"Content-Range": "bytes 3-5/6"}, timeout=10)
    assert answer.status_code == 200
    assert (
        emulator.call("GetModel", MODELS, ownerSlug=emulator.username, modelSlug="kept").json()["title"] == "BackupMade"
    )
