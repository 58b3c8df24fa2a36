"""Publishing against the emulator, over HTTP and through the real SDK: once, whole, and never by accident in public."""

import re

import pytest
import requests

from local.core import workspace
from local.core.events import FileArrived, Message
from local.emulator import model_methods
from local.kaggle_api import models_api
from local.kaggle_api.errors import PushLostError, UnansweredError
from local.publishing import publish, upload, upload_plan
from shared.core import manifest
from shared.core.errors import ConfigError, CredentialsError, ModelError, RefusedError, ServiceError
from shared.core.events import Progress
from tests.local import published_models

pytestmark = pytest.mark.usefixtures("home", "no_waits")
ONCE = dict.fromkeys(published_models.FRAMEWORKS, 1)


@pytest.fixture
def mine(home):
    return published_models.model(home / "models" / "mine")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody waits between tries, nor for what may still appear."""
    monkeypatch.setattr(upload.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(publish, "SETTLE", 0.0)


def published_by(service, name="mine", *, public=False, again=False, **options):
    return list(publish.publish(service, upload_plan.plan_upload(name, **options), public=public, again=again))


def test_a_model_is_published_once(emulator, service, mine):
    told = []
    first = list(publish.publish(service, upload_plan.plan_upload("mine"), public=False, report=told.append))
    assert [(one.handle, one.state, one.version) for one in first] == [
        (f"{emulator.username}/k2l-mine/{one}/default", "published", 1) for one in published_models.FRAMEWORKS
    ]
    done = [event for event in told if not isinstance(event, Progress)]
    assert done[0] == Message(f"created the model {emulator.username}/k2l-mine (private)") and len(done) == 11
    assert FileArrived("pyTorch/model.pth", 200_000) in done and Progress(1.0) in told
    second = published_by(service)
    assert {one.state for one in second} == {"there already"} and published_models.versions(emulator) == ONCE
    assert published_models.files(emulator, "pyTorch") == {
        name: (mine / name).read_bytes() for name in ("model.pth", "history.csv", "manifest.json")
    }
    assert set(published_models.files(emulator, "onnx")) == {
        "model.onnx",
        "model.int8.onnx",
        "history.csv",
        "manifest.json",
    }
    assert published_models.files(emulator, "tfLite")["model.int8.tflite"] == b""
    assert not list(workspace.state().rglob("publishing/*"))


def test_the_model_says_what_its_card_says(emulator, service, mine):
    (mine / "README.md").write_text("# mine\n\nIts card.\n")
    published_by(service, title="k2l of mine", license="apache 2.0", notes="first")
    there = models_api.ModelsApi(service).model("k2l-mine")
    assert (there.title, there.description, there.private) == ("k2l of mine", "# mine\n\nIts card.\n", True)
    assert models_api.ModelsApi(service).instance("k2l-mine", "onnx").license == "Apache 2.0"
    (mine / "README.md").write_text("another card")
    published_by(service)
    assert models_api.ModelsApi(service).model("k2l-mine").description == "another card"
    with pytest.raises(RefusedError, match=r"under 'Apache 2\.0' there: leave --license out"):
        published_by(service, license="GPL 3")
    assert published_models.versions(emulator) == ONCE


def test_what_has_changed_is_the_next_version_with_its_notes(emulator, service, mine):
    published_by(service)
    published_models.model(mine, published_models.FILES | {"model.pth": b"other"})
    published_by(service, notes="trained longer")
    assert published_models.versions(emulator) == dict.fromkeys(published_models.FRAMEWORKS, 2)
    assert published_models.files(emulator, "pyTorch")["model.pth"] == b"other"
    listed = emulator.call("ListModelInstances", "models.ModelApiService", ownerSlug="emulator", modelSlug="k2l-mine")
    notes = {one["versionNotes"] for one in listed.json()["instances"]}
    sha256 = manifest.sha256(mine / manifest.NAME)
    assert notes == {f"trained longer (k2l run r1, manifest sha256 {sha256})"}


def test_a_plan_says_it_all_and_writes_nothing(emulator, service, mine, home):
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    todo, steps = publish.dry_run(service, upload_plan.plan_upload("mine"), public=False)
    assert todo == ["create the model"] and {one.state for one in steps} == {"new"}
    assert sum(one.bytes for one in steps) > 200_000 and {one.license for one in steps} == {"MIT"}
    assert published_models.versions(emulator) == {} and not list(emulator.service.blobs.folder.iterdir())
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert {one.state for one in publish.dry_run(None, upload_plan.plan_upload("mine"), public=False)[1]} == {"unknown"}
    published_by(service)
    todo, steps = publish.dry_run(service, upload_plan.plan_upload("mine"), public=True)
    assert todo == ["change of the model: is_private"] and {one.state for one in steps} == {"there already"}


def test_nothing_becomes_public_by_accident(emulator, service, mine):
    published_by(service)
    assert models_api.ModelsApi(service).model("k2l-mine").private
    published_by(service, public=True)
    assert not models_api.ModelsApi(service).model("k2l-mine").private
    for run in (published_by, lambda service: publish.dry_run(service, upload_plan.plan_upload("mine"), public=False)):
        with pytest.raises(RefusedError, match=r"is public there.*--public"):
            run(service)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"slug": "Mine"}, "lower-case"),
        ({"slug": "a--b-cd"}, "single hyphens"),
        ({"slug": "x" * 51}, "5 to 50"),
        ({"slug": "../evil"}, "--slug"),
        ({"title": "x"}, "--title"),
        ({"title": "two\nlines"}, "one line"),
        ({"license": "apache"}, r"Did you mean 'Apache 2\.0'"),
        ({"license": "beerware"}, "no license 'beerware'"),
    ],
)
def test_what_the_service_would_not_take_is_said_before_it_is_asked(mine, options, said):
    with pytest.raises(ConfigError, match=said):
        upload_plan.plan_upload("mine", **options)


def test_what_is_not_whole_is_not_published(mine, monkeypatch):
    published_models.model(mine, interrupted={"epoch": 1})
    with pytest.raises(ModelError, match="a training that was interrupted"):
        upload_plan.plan_upload("mine")
    published_models.model(mine)
    with monkeypatch.context() as patch, pytest.raises(ModelError, match="200,000 bytes: more than 100,000"):
        patch.setattr(upload_plan, "MAX_BYTES", 100_000)
        upload_plan.plan_upload("mine")
    (mine / "model.onnx").write_bytes(b"changed")
    with pytest.raises(ModelError, match=r"was changed after its manifest\.json"):
        upload_plan.plan_upload("mine")


def test_what_was_changed_since_it_was_planned_is_not_published(emulator, service, mine):
    plan = upload_plan.plan_upload("mine")
    published_models.model(mine, run_id="r2")
    with pytest.raises(ModelError, match="Nothing was published"):
        list(publish.publish(service, plan, public=False))
    assert published_models.versions(emulator) == {}


def test_a_folder_without_weights_has_nothing_to_publish(home):
    published_models.model(home / "models" / "mine", {"history.csv": b"1"})
    with pytest.raises(ModelError, match="holds no file to publish"):
        upload_plan.plan_upload("mine")


def test_files_go_where_the_table_says_and_the_rest_is_reported(mine):
    plan = upload_plan.plan_upload("mine")
    assert plan.left_out == ("plots/curve.png",)
    assert [upload_plan.framework_of(name) for name in ("a.PTH", "a.pt2", "a.keras", "dir/a.onnx", "a.bin")] == [
        "pyTorch", "pyTorch", "keras", "", "",
    ]  # fmt: skip
    assert set(upload_plan.FRAMEWORKS.values()) == set(upload_plan.USAGE) == set(models_api.ENUMS)


def test_the_emulator_knows_the_same_licences():
    """Each has its own list, from Kaggle's documentation: one taken from the other could hide an error in both."""
    assert set(upload_plan.LICENSES) == model_methods.LICENSES and len(upload_plan.LICENSES) == 23
    assert {upload_plan.DEFAULT_LICENSE, *upload_plan.USUAL_LICENSES} <= set(upload_plan.LICENSES)


def test_the_zoo_has_slugs_and_cards():
    plan = upload_plan.plan_upload(str(workspace.zoo() / "ds_cnn_v2"))
    assert (plan.slug, plan.title) == ("k2l-ds-cnn-v2", "k2l ds_cnn_v2")
    assert plan.description.startswith("# ds_cnn_v2") and plan.left_out == ()


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "drop", "method": "Upload"},
        {"fault": "drop", "method": "Upload", "moment": "after"},
        {"fault": "cut", "match": "model.pth"},
        {"fault": "cut", "match": "model.pth", "times": 4},
        {"fault": "status", "method": "Upload", "times": 3},
        {"fault": "status", "method": "StartBlobUpload", "status": 429, "headers": {"Retry-After": "1"}},
        {"fault": "drop", "method": "StartBlobUpload", "moment": "after"},
        {"fault": "drop", "method": "GetModel"},
        {"fault": "truncate", "method": "GetModelInstance"},
        {"fault": "drop", "method": "CreateModel", "moment": "after"},
        {"fault": "status", "method": "CreateModelInstance", "status": 429, "headers": {"Retry-After": "1"}},
        {"fault": "drop", "method": "CreateModelInstance", "moment": "after", "times": 3},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_after_a_fault_all_is_published_and_nothing_twice(emulator, service, mine, fault):
    emulator.faults.add(**fault)
    published_by(service)
    assert emulator.faults.struck
    assert published_models.versions(emulator) == ONCE
    assert published_models.files(emulator, "pyTorch")["model.pth"] == published_models.FILES["model.pth"]


@pytest.mark.parametrize("method", ["CreateModel", "CreateModelInstance", "CreateModelInstanceVersion"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_after_a_lost_answer_the_same_command_finishes(emulator, service, mine, method, moment):
    again, wanted = False, 1
    if method == "CreateModelInstanceVersion":
        published_by(service)
        published_models.model(mine, run_id="r2")
        again, wanted = moment == "before", 2
    emulator.faults.add(fault="drop", method=method, moment=moment)
    if moment == "before":
        with pytest.raises(PushLostError, match="the same command"):
            published_by(service)
    published_by(service, again=again)
    assert published_models.versions(emulator) == dict.fromkeys(published_models.FRAMEWORKS, wanted)


def test_a_version_that_was_sent_and_is_not_seen_yet_is_not_sent_again(emulator, service, mine):
    published_by(service)
    published_models.model(mine, run_id="r2")
    emulator.faults.add(fault="unseen", skip=1, times=None)  # the first look is at what was there before
    emulator.faults.add(fault="drop", method="CreateModelInstanceVersion", moment="after")
    with pytest.raises(PushLostError, match="looks again"):
        published_by(service)
    with pytest.raises(PushLostError, match=r"(?s)quarter of an hour.*--again"):
        published_by(service)
    emulator.faults.clear()
    assert [one.state for one in published_by(service)] == ["there already", "published", "published"]
    assert published_models.versions(emulator) == dict.fromkeys(published_models.FRAMEWORKS, 2)


def test_an_instance_that_was_made_and_is_not_seen_yet_is_not_made_again(emulator, service, mine):
    emulator.faults.add(fault="unseen", times=None)
    emulator.faults.add(fault="drop", method="CreateModelInstance", moment="after")
    with pytest.raises(PushLostError):
        published_by(service)
    assert [one.state for one in published_by(service)] == ["published"] * 3
    assert [one.state for one in published_by(service)] == ["not ready there yet"] * 3
    emulator.faults.clear()
    assert [one.state for one in published_by(service)] == ["there already"] * 3
    assert published_models.versions(emulator) == ONCE


def test_a_version_that_was_answered_is_not_sent_again(emulator, service, mine):
    published_by(service)
    published_models.model(mine, run_id="r2")
    published_by(service)
    emulator.faults.add(fault="unseen", times=None)
    assert {one.state for one in published_by(service, again=True)} == {"not ready there yet"}
    emulator.faults.clear()
    # Its number is told, its files are not there yet.
    emulator.faults.add(fault="status", method="DownloadModelInstanceVersion", status=404, times=None)
    assert {(one.state, one.version) for one in published_by(service)} == {("not ready there yet", 2)}
    assert published_models.versions(emulator) == dict.fromkeys(published_models.FRAMEWORKS, 2)


def test_what_is_sent_behind_an_instance_that_is_not_shown_is_sent_once(emulator, service, mine):
    emulator.faults.add(fault="unseen", times=None)
    published_by(service)
    published_models.model(mine, run_id="r2")
    assert {(one.state, one.version) for one in published_by(service)} == {("published", 2)}
    assert {(one.state, one.version) for one in published_by(service)} == {("not ready there yet", 2)}
    emulator.faults.clear()
    assert {one.state for one in published_by(service)} == {"there already"}
    assert published_models.versions(emulator) == dict.fromkeys(published_models.FRAMEWORKS, 2)


def test_the_next_command_resumes_an_upload(emulator, service, mine, monkeypatch):
    emulator.faults.add(fault="cut", match="model.pth")
    emulator.faults.add(fault="status", method="Upload", skip=1, times=None)
    with pytest.raises(ServiceError, match=r"did not arrive whole.*HTTP 503"):
        published_by(service)
    (kept,) = emulator.service.blobs.folder.glob("*/content")
    assert 0 < kept.stat().st_size < len(published_models.FILES["model.pth"])
    record = next(workspace.state().glob("publishing/*.json"))
    assert record.parent.stat().st_mode & 0o777 == 0o700
    emulator.faults.clear()
    sent = []
    put = service.upload
    monkeypatch.setattr(service, "upload", lambda url, data, headers: sent.append(headers) or put(url, data, headers))
    published_by(service)
    size = len(published_models.FILES["model.pth"])
    assert sent[0]["Content-Range"] == f"bytes */{size}"
    assert sent[1]["Content-Range"].startswith("bytes ") and not sent[1]["Content-Range"].startswith("bytes 0-")
    assert published_models.versions(emulator) == ONCE and "upload_id" not in record.read_text()


@pytest.mark.parametrize("there", [0, 3, 7])
def test_the_rest_of_a_file_says_how_long_it_is(service, tmp_path, there):
    (tmp_path / "file").write_bytes(b"0123456789")
    session = models_api.ModelsApi(service).start_upload("a.onnx", 10, 0)
    service.upload(session.url, b"0123456789"[:there], {})
    sent = []
    service._uploads.hooks["response"].append(lambda answer, **rest: sent.append(answer.request.headers))
    upload.send(service, session, tmp_path / "file", 10, fresh=False)
    assert [one["Content-Length"] for one in sent] == ["0", str(10 - there)]


def test_a_file_of_no_bytes_is_sent_though_its_upload_was_begun_before(emulator, service, mine):
    emulator.faults.add(fault="status", method="Upload", match="int8.tflite", times=None)
    with pytest.raises(ServiceError):
        published_by(service)
    emulator.faults.clear()
    published_by(service)
    assert published_models.versions(emulator) == ONCE


def test_a_manifest_that_breaks_off_when_it_is_read_back_is_read_again(emulator, service, mine):
    published_by(service)
    emulator.faults.add(fault="truncate", match="manifest.json", times=2)
    assert {one.state for one in published_by(service)} == {"there already"}
    assert emulator.faults.struck["truncate"] == 2
    emulator.faults.add(fault="truncate", match="manifest.json", times=None)
    with pytest.raises(ServiceError, match="cannot be reached"):
        published_by(service)


def test_a_manifest_that_is_damaged_when_it_is_read_back_is_read_again(emulator, service, mine):
    published_by(service)
    emulator.faults.add(fault="corrupt", match="manifest.json", times=2)
    assert {one.state for one in published_by(service)} == {"there already"}
    emulator.faults.add(fault="corrupt", match="manifest.json", times=None)
    with pytest.raises(UnansweredError, match="differ from the storage's MD5"):
        published_by(service)


def test_a_version_that_lacks_a_file_is_not_taken_for_ours(emulator, service, mine):
    published_by(service)
    there = emulator.service.models.model(emulator.username, "k2l-mine").instances()
    next(path for one in there for path in one.versions()[0].folder.rglob("model.pth")).unlink()
    assert [one.version for one in published_by(service)] == [2, 1, 1]


def test_an_upload_that_has_expired_is_restarted(emulator, service, mine):
    emulator.faults.add(fault="status", method="Upload", status=404, times=2)
    published_by(service)
    assert published_models.versions(emulator) == ONCE
    emulator.faults.add(fault="status", method="Upload", status=410, times=None)
    published_models.model(mine, run_id="r2")
    with pytest.raises(upload.GoneError):
        published_by(service)


def test_a_file_of_which_other_bytes_arrived_is_sent_again(emulator, service, mine):
    emulator.faults.add(fault="status", method="Upload", status=200, body={"md5Hash": "AAAA"})
    published_by(service)
    assert published_models.files(emulator, "pyTorch")["model.pth"] == published_models.FILES["model.pth"]


def test_a_refusal_is_in_the_services_words_and_leaves_no_trace(emulator, service, mine):
    said = {"error": "Too many models today"}
    emulator.faults.add(fault="status", method="CreateModelInstance", status=200, body=said)
    with pytest.raises(RefusedError, match="Too many models today"):
        published_by(service)
    published_by(service)
    assert published_models.versions(emulator) == ONCE


def test_a_conflict_said_by_http_is_one_too(emulator, service, mine):
    emulator.faults.add(fault="unseen")
    published_by(service)
    emulator.service.models.delete(emulator.service.models.model(emulator.username, "k2l-mine").folder)
    next(workspace.state().glob("publishing/*.json")).unlink()
    emulator.faults.add(fault="status", method="CreateModel", status=409, times=None)
    with pytest.raises(RefusedError, match="was not found"):  # it goes on, and there the emulator has no such model
        published_by(service)


def test_credentials_that_expire_on_the_way_leave_no_doubt(emulator, service, mine):
    published_by(service)
    published_models.model(mine, run_id="r2")
    emulator.faults.add(fault="status", method="CreateModelInstanceVersion", status=401)
    with pytest.raises(CredentialsError):
        published_by(service)
    published_by(service)
    assert published_models.versions(emulator) == dict.fromkeys(published_models.FRAMEWORKS, 2)


@pytest.mark.parametrize(
    "text",
    ["", "[", "[]", '{"uploads": {}}', '{"uploads": {"a": 1}, "sent": {}}', '{"uploads": [], "sent": {"a": {}}}'],
)
def test_a_record_that_cannot_be_read_is_restarted(emulator, service, mine, text):
    published_by(service)
    next(workspace.state().glob("publishing/*.json")).write_text(text)
    assert {one.state for one in published_by(service)} == {"there already"}


def test_a_record_whose_entries_were_changed_is_restarted(emulator, service, mine):
    published_by(service)
    kept = next(workspace.state().glob("publishing/*.json"))
    kept.write_text(re.sub(r'"at": [\d.]+', '"at": "noon"', kept.read_text()))
    assert {one.state for one in published_by(service)} == {"there already"}


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("GetModel", {"title": 3}),
        ("GetModelInstance", {"versionNumber": "one"}),
        ("ListModelInstanceVersionFiles", {"files": [{"name": 1}]}),
        ("ListModelInstanceVersionFiles", "no JSON"),
        ("StartBlobUpload", {}),
        ("StartBlobUpload", {"token": "t", "createUrl": "file:///etc/passwd"}),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_line(emulator, service, mine, method, body):
    if method != "StartBlobUpload":
        published_by(service)
    emulator.faults.add(fault="status", method=method, status=200, body=body)
    with pytest.raises(UnansweredError):
        published_by(service)


def test_an_error_holds_no_signature(service):
    with pytest.raises(ServiceError, match="cut off") as failed:
        service.upload("ftp://h/a?upload_id=secret", b"", {})
    assert "secret" not in str(failed.value)


def test_no_key_goes_where_files_are_sent(emulator, service, mine):
    session = models_api.ModelsApi(service).start_upload("a.onnx", 3, 0)
    assert session.token not in repr(session) and session.url not in repr(session)
    answer = requests.put(session.url, data=b"abc", auth=("emulator", emulator.key), timeout=10)
    assert answer.status_code == 400
    assert service.upload(session.url, b"abc", {}).status_code == 200
