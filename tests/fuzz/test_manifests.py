"""Whatever a manifest holds: a table that every reader can count on, or a line that says what is wrong with it."""

import hashlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.core import manifest
from shared.core.file_names import safe_name
from tests.fuzz.malformed import DEEP, everything, json_values, mutated, names, told
from tests.local import trips

CONTENT = b"weights"
STATED = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "bytes": len(CONTENT)}
GOOD = {
    **trips.FACTS, "schema": 1, "run_id": "r1", "bundle_sha256": "b", "name": "mine", "created_at": "now",
    "files": {"model.pth": STATED, "plots/curve.png": STATED},
}  # fmt: skip


def text_of(value):
    return json.dumps(value).encode()


def nested(files):
    return GOOD | {"files": files}


def good(stated):
    """All that a reader of a manifest counts on, without looking again."""
    needed = manifest.REQUIRED if isinstance(stated, manifest.TrainingManifest) else manifest.ENVELOPE
    assert all(type(getattr(stated, key)) is kind for key, kind in needed.items())
    if isinstance(stated, manifest.TrainingManifest):
        assert f"{stated.trainable_parameters:,}" and f"{stated.test_accuracy:.2%}"
    assert manifest.parse(text_of(stated.as_dict()), "it") == stated
    assert {**stated.parameters} == stated.parameters and stated.environment.get("accelerator") != 0
    for name, file in stated.files.items():
        assert safe_name(name) and file.bytes >= 0 and len(file.sha256) == 64
        name.encode()


@given(st.binary(max_size=300) | json_values.map(text_of))
@example(b"[" * DEEP)
@example(b'{"a":' * DEEP)
@example(b"9" * DEEP)
@example(b"\xff\xfe{\0}\0")
@example(b"\xef\xbb\xbf{}")
@example(b"NaN")
@example(b'"schema"')
def test_any_bytes_are_told(data):
    with told():
        good(manifest.parse(data, "it"))


@given(mutated(GOOD))
@example(GOOD | {"schema": True})
@example(GOOD | {"schema": {"\n\n": 10**30}})
@example(GOOD | {"trainable_parameters": "many"})
@example(GOOD | {"parameters": None})
@example(GOOD | {"architecture": {}})
@example(GOOD | {"metrics": {"test": {"accuracy": float("nan")}}})
@example(nested({"\ud800": STATED}))
@example(nested({"a" * 300: STATED}))
@example(nested({"a/" * 3000 + "b": STATED}))
@example(nested({"model.pth": STATED | {"bytes": True}}))
@example(nested({"model.pth": STATED | {"bytes": 7.0}}))
@example(nested({"model.pth": STATED | {"bytes": -7}}))
def test_a_good_manifest_with_a_part_changed_is_told(value):
    with told():
        good(manifest.parse(text_of(value), "it"))


@given(st.integers(0, 600), st.integers(0, 20), st.binary(max_size=20))
def test_a_good_manifest_with_some_bytes_changed_is_told(at, cut, data):
    whole = text_of(GOOD)
    with told():
        good(manifest.parse(whole[:at] + data + whole[at + cut :], "it"))


@pytest.fixture
def model(tmp_path):
    """A whole model folder, and beside it a file that is none of its business."""
    (tmp_path / "outside").write_bytes(CONTENT)
    folder = tmp_path / "models" / "mine"
    (folder / "plots").mkdir(parents=True)
    for name in GOOD["files"]:
        (folder / name).write_bytes(CONTENT)
    return folder


@given(mutated(GOOD) | st.dictionaries(names, st.just(STATED), max_size=3).map(nested))
@example(GOOD)
@example(nested({"../../outside": STATED}))
@example(nested({"plots": STATED}))
@example(nested({"model.pth/a": STATED}))
@example(nested({"model.pth": STATED | {"bytes": 10**30}}))
def test_a_folder_is_verified_by_reading_alone(model, value):
    (model / manifest.NAME).write_bytes(text_of(value))
    before = everything(model.parent.parent)
    with told():
        stated = manifest.verify(model)
        assert all((model / name).read_bytes() == CONTENT for name in stated.files)
        assert "../../outside" not in stated.files
    assert everything(model.parent.parent) == before


@given(names | st.text())
@example(".. /evil")
def test_a_safe_name_stays_in_its_folder_and_can_be_made(model, name):
    if safe_name(name):
        path = model / "inside" / f"{name}.123456.part"  # as it is while it is being written
        assert model / "inside" in path.resolve().parents
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            path.write_bytes(b"")


@pytest.mark.parametrize("name", ["model.pth", "plots/curve.png"])
def test_a_link_is_read_and_never_written_through(model, name):
    """What it leads to is held against the manifest like any other file."""
    (model / manifest.NAME).write_bytes(text_of(GOOD))
    (model / name).unlink()
    (model / name).symlink_to(model.parent.parent / "outside")
    assert manifest.verify(model) == manifest.parse(text_of(GOOD), "it")
    (model.parent.parent / "outside").write_bytes(b"another")
    with told():
        manifest.verify(model)
        raise AssertionError("the link's new content was taken")
