"""A manifest vouches for every byte of its folder, and nothing else is believed."""

import hashlib
import json

import pytest

from local.core import workspace
from shared.core import manifest
from shared.core.errors import ModelError
from shared.core.file_names import safe_name
from shared.data.registry import GLYPH

FACTS = {
    "run_id": "r", "name": "n", "framework": "torch", "architecture": "compact", "trainable_parameters": 1,
    "dataset": "digits", "parameters": {}, "bundle_sha256": "b", "source_commit": "c", "environment": {},
    "metrics": {"validation": {}, "test": {"accuracy": 0.5}},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.pth").write_bytes(b"weights")
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "curves.png").write_bytes(b"picture")
    manifest.write(tmp_path, manifest.TrainingManifest(**FACTS))
    return tmp_path


def test_it_names_every_file_with_hash_and_size(folder):
    stated = manifest.read(folder)
    assert manifest.REQUIRED.keys() <= stated.as_dict().keys()
    digest = hashlib.sha256(b"weights").hexdigest()
    assert stated.files["model.pth"] == manifest.File(sha256=digest, bytes=7)
    assert sorted(stated.files) == ["model.pth", "plots/curves.png"]
    assert manifest.verify(folder) == stated


@pytest.mark.parametrize("content", [b"weighty", b"weights and more", b""])
def test_a_changed_file_is_named(folder, content):
    (folder / "model.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.pth was changed after"):
        manifest.verify(folder)
    manifest.verify(folder, ["plots/curves.png"])


def test_a_missing_file_is_named(folder):
    (folder / "plots" / "curves.png").unlink()
    with pytest.raises(ModelError, match=r"curves\.png is missing"):
        manifest.verify(folder)


def test_a_file_that_nobody_vouches_for_is_refused(folder):
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match="nothing proves its origin"):
        manifest.verify(folder, ["model.onnx"])
    manifest.add_files(folder, ["model.onnx"])
    manifest.verify(folder, ["model.onnx"])


def test_a_file_that_is_let_go_is_vouched_for_no_longer_and_stays(folder):
    before = (folder / manifest.NAME).read_bytes()
    manifest.remove_files(folder, ["model.onnx"])
    assert (folder / manifest.NAME).read_bytes() == before
    manifest.remove_files(folder, ["plots/curves.png", "model.onnx"])
    assert list(manifest.verify(folder).files) == ["model.pth"] and (folder / "plots" / "curves.png").exists()
    manifest.add_files(folder, ["plots/curves.png"])
    assert (folder / manifest.NAME).read_bytes() == before


def test_a_folder_without_manifest_says_how_to_get_one(tmp_path):
    with pytest.raises(ModelError, match=r"no manifest\.json"):
        manifest.read(tmp_path)
    with pytest.raises(ModelError, match="not a folder"):
        manifest.read(tmp_path / "nowhere")


def test_a_file_that_is_far_too_long_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / manifest.NAME).open("wb") as file:
        file.truncate(10**12)  # bytes, of which none is on the disk
    with pytest.raises(ModelError, match="longer than 10,000,000 bytes"):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a manifest of k2l"),
        (b"{}", "schema missing"),
        (json.dumps({**FACTS, "schema": 99}).encode(), "schema 99: a newer k2l reads it, this one reads 1 to 2"),
        (json.dumps({**FACTS, "schema": 3, "read_by": "0.9"}).encode(), "schema 3: k2l 0.9 or newer reads it"),
        (json.dumps({**FACTS, "schema": True}).encode(), "schema True"),
        (json.dumps({**FACTS, "schema": 1, "files": [], "created_at": ""}).encode(), "`files` must be an object"),
        (json.dumps({**FACTS, "schema": 1, "files": {"a": 1}, "created_at": ""}).encode(), "no sha256"),
        (
            json.dumps(
                {**FACTS, "schema": 1, "files": {"a": {"sha256": "0" * 64, "bytes": -1}}, "created_at": ""}
            ).encode(),
            "no sha256",
        ),
        (json.dumps({**FACTS, "schema": 1, "files": {}, "created_at": "", "metrics": {}}).encode(), "no test accuracy"),
        (json.dumps({**FACTS, "schema": 1, "files": {"../a": {}}, "created_at": ""}).encode(), "outside its folder"),
    ],
)
def test_what_is_no_manifest_is_refused_in_a_line(text, said):
    with pytest.raises(ModelError, match=said):
        manifest.parse(text, "it")


@pytest.mark.parametrize("name", ["a", "a.b", "a/b.png", "model.int8.onnx", "ünï/çödé", "a b"])
def test_names_below_the_folder_are_safe(name):
    assert safe_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../evil",
        "a/../../b",
        "C:evil",
        "C:\\evil",
        "a\\b",
        "a\0b",
        "a//b",
        "a/",
        "a\nb",
        ".. /evil",
        "x. ",
        "NUL",
        "com1.txt",
    ],
)
def test_names_that_leave_the_folder_are_not(name):
    assert not safe_name(name)


def test_json_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.json"
    manifest.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        manifest.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_what_kaggle_itself_keeps_in_the_working_folder_is_not_vouched_for(tmp_path):
    """The running notebook lies there and changes until after the manifest is written."""
    for name in ("model.pth", "__notebook__.ipynb", "__results___files/__results___0_0.png", ".virtual/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert manifest.contents(tmp_path) == ["model.pth"]


def test_a_manifest_of_schema_1_is_read_and_stays_what_it_is():
    published = workspace.zoo() / "compact"
    facts = json.loads((published / manifest.NAME).read_text(encoding="utf-8"))
    assert facts["schema"] == 1 and "input" not in facts
    stated = manifest.read(published)
    assert (stated.schema, stated.input, stated.classes) == (1, None, ())
    assert {key: value for key, value in stated.as_dict().items() if key != "read_by"} == facts


def test_what_a_run_without_a_training_left_is_read_and_is_no_model(tmp_path):
    facts = {key: value for key, value in FACTS.items() if key not in manifest.OF_TRAINING}
    manifest.write(tmp_path, manifest.Manifest(**facts, more={"of_tomorrow": [1]}))
    assert manifest.read_any(tmp_path).more == {"of_tomorrow": [1]}
    with pytest.raises(ModelError, match="did not train a model"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("changes", [{"height": 0}, {"channels": 3}, {"color": "CMYK"}, {"std": [0.0]}, {"width": "x"}])
def test_an_input_that_describes_no_picture_is_refused(folder, changes):
    facts = manifest.read(folder).as_dict() | {"input": GLYPH.as_dict()}
    assert manifest.parse(json.dumps(facts), "it").input == GLYPH
    with pytest.raises(ModelError, match="`input` is not a valid input"):
        manifest.parse(json.dumps(facts | {"input": GLYPH.as_dict() | changes}), "it")
