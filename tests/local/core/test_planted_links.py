"""In a model folder of a stranger, links stand where something may be written: nothing is written through them."""

import shutil

import pytest

from local.core import outputs
from local.export import export
from shared.core import manifest
from shared.core.errors import UserError
from tests.local.model_formats import images


@pytest.fixture
def victim(tmp_path):
    file = tmp_path / "victim"
    file.write_bytes(b"precious")
    yield file
    assert file.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx", "model.float16.tflite"])
def test_a_file_is_never_written_through_a_link(small_model, tmp_path, victim, name):
    folder = tmp_path / "theirs"
    shutil.copytree(small_model, folder)
    target = folder / name
    for planted in (name, f".{target.stem}.part{target.suffix}", f".{name}.part", f"{name}.part"):
        (folder / planted).unlink(missing_ok=True)
        (folder / planted).symlink_to(victim)
    with outputs.in_manifest(target) as part:
        part.write_bytes(b"made")
    assert target.read_bytes() == b"made" and not target.is_symlink()
    manifest.verify(folder, [name])


def test_an_export_replaces_links_of_any_name_and_the_manifest_too(small_model, tmp_path, victim):
    folder = tmp_path / "theirs"
    shutil.copytree(small_model, folder)
    shutil.copy(folder / manifest.NAME, tmp_path / "their-manifest")
    for planted, place in (
        (".model.part.onnx", victim), ("model.onnx", victim), (manifest.NAME, tmp_path / "their-manifest"),
    ):  # fmt: skip
        (folder / planted).unlink(missing_ok=True)
        (folder / planted).symlink_to(place)
    before = (tmp_path / "their-manifest").read_bytes()
    export.export(folder, ["onnx"], images=images())
    assert (tmp_path / "their-manifest").read_bytes() == before
    assert "model.onnx" in manifest.verify(folder).files


def test_pictures_go_into_no_folder_that_a_link_leads_to(tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "lite").symlink_to(elsewhere)
    refused = pytest.raises(UserError, match=r"out/lite is a link that leads out of .*nothing was written")
    with refused, outputs.gathered(out) as stage:
        (stage / "a.png").write_bytes(b"a")
        (stage / "lite").mkdir()
        (stage / "lite" / "b.png").write_bytes(b"b")
    assert [path.name for path in out.iterdir()] == ["lite"] and list(elsewhere.iterdir()) == []


def test_what_a_killed_command_left_in_a_model_folder_goes_with_the_next(small_model, tmp_path, victim):
    folder = tmp_path / "mine"
    shutil.copytree(small_model, folder)
    (folder / ".k2l-part-killed").mkdir()
    (folder / ".k2l-part-killed" / "model.onnx").write_bytes(b"half")
    (folder / ".k2l-part-link").symlink_to(victim.parent)
    with outputs.in_manifest(folder / "model.onnx") as part:
        part.write_bytes(b"made")
    assert [path.name for path in folder.glob(".*")] == [".k2l-part-link"] and victim.exists()
