import dataclasses
import shutil

import pytest

from local.models import registry
from shared.core import manifest
from shared.core.errors import ModelError
from tests.local.model_folders import write_manifest


@pytest.fixture
def copy(home, small_model):
    """A model folder under models/ that a test may change."""
    return shutil.copytree(small_model, home / "models" / "small")


def test_a_name_is_a_folder_under_models_and_onnx_is_preferred(copy):
    model = registry.find("small")
    assert (model.name, model.file, model.architecture, model.dataset) == (
        "small",
        copy / "model.onnx",
        "lite",
        "digits",
    )
    assert registry.open_runtime(model).name == "onnxruntime"


def test_a_folder_without_onnx_gives_its_weights(copy):
    (copy / "model.onnx").unlink()
    write_manifest(copy, "lite")
    model = registry.find("small")
    assert model.file.name == "model.pth" and registry.open_runtime(model).classes == 10


def test_all_files_that_run_are_found_plain_ones_first(copy):
    for name in ("a.onnx", "model.int8.onnx", "model.int8.tflite", "model.keras", "model.pt2", "model.tflite"):
        (copy / name).write_bytes(name.encode())
    write_manifest(copy, "lite")
    names = [model.file.name for model in registry.files("small")]
    assert names == [
        "model.onnx", "model.tflite", "model.pth", "model.keras", "model.int8.onnx", "a.onnx", "model.int8.tflite",
    ]  # fmt: skip
    assert all(model.name == "small" and model.architecture == "lite" for model in registry.files("small"))
    assert [model.file.name for model in registry.files("small/model.pth")] == ["model.pth"]


def test_a_quantized_file_is_not_taken_for_the_model(copy):
    (copy / "model.onnx").rename(copy / "model.int8.onnx")
    write_manifest(copy, "lite")
    assert registry.find("small").file.name == "model.pth"
    (copy / "model.pth").unlink()
    write_manifest(copy, "lite")
    assert registry.find("small").file.name == "model.int8.onnx"


def test_all_files_are_checked_before_any_is_used(copy):
    (copy / "model.pth").write_bytes(b"changed")
    assert registry.find("small").file.name == "model.onnx"
    with pytest.raises(ModelError, match=r"model\.pth was changed"):
        registry.files("small")


def test_folders_and_files_can_be_named_by_path(copy, monkeypatch):
    assert registry.find(str(copy)).file == copy / "model.onnx"
    assert registry.find(str(copy / "model.pth")).architecture == "lite"
    assert registry.find("small/model.pth").name == "small"
    monkeypatch.chdir(copy)
    assert registry.find(".").name == "small"
    (copy / "sub").mkdir()
    monkeypatch.chdir(copy / "sub")
    assert registry.find("..").name == "small"


@pytest.mark.parametrize("name", ["model.onnx", "model.pth"])
def test_a_file_changed_after_its_manifest_was_written_is_refused(copy, name):
    file = copy / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name} was changed after its manifest\.json was written"):
        registry.find(f"small/{name}")


def test_a_file_that_is_far_too_large_is_refused_before_its_bytes_are_read(copy):
    with (copy / "model.onnx").open("wb") as file:
        file.truncate(10**12)  # bytes, of which none is on the disk
    stated = manifest.read(copy)
    stated.files["model.onnx"] = dataclasses.replace(stated.files["model.onnx"], bytes=10**12)
    manifest.save(copy, stated)
    with pytest.raises(ModelError, match="more than 400 MB"):
        registry.find("small")


def test_a_file_that_the_manifest_does_not_name_is_refused(copy):
    shutil.copy(copy / "model.onnx", copy / "other.onnx")
    with pytest.raises(ModelError, match=r"other\.onnx"):
        registry.find("small/other.onnx")


def test_a_folder_is_found_whatever_became_of_its_files(copy):
    (copy / "model.onnx").write_bytes(b"changed")
    (copy / "model.pth").unlink()
    assert registry.folder("small") == registry.folder(str(copy)) == copy
    with pytest.raises(ModelError, match=r"small/model\.onnx is a file: name its model folder"):
        registry.folder("small/model.onnx")
    with pytest.raises(ModelError, match="No model 'smal'"):
        registry.folder("smal")


def test_a_folder_without_manifest_is_refused(copy):
    (copy / manifest.NAME).unlink()
    with pytest.raises(ModelError, match=r"no manifest\.json"):
        registry.find("small")


def test_an_onnx_file_on_its_own_is_taken_and_weights_are_not(small_model, tmp_path, home):
    for name in ("model.onnx", "model.pth"):
        shutil.copy(small_model / name, tmp_path / name)
    model = registry.find(str(tmp_path / "model.onnx"))
    assert (model.manifest, model.architecture, model.dataset) == (None, None, None)
    assert registry.open_runtime(model).classes == 10
    for ask in (registry.find, registry.files):
        with pytest.raises(ModelError, match=r"manifest\.json must lie beside it"):
            ask(str(tmp_path / "model.pth"))
    for name in ("other.tflite", "other.keras"):
        (tmp_path / name).write_bytes(b"")
        assert registry.find(str(tmp_path / name)).file.name == name


def test_a_folder_with_nothing_that_runs_says_what_would(copy):
    for name in ("model.onnx", "model.pth"):
        (copy / name).unlink()
    (copy / "model.bin").write_bytes(b"1")
    write_manifest(copy, "lite")
    for ask in (registry.find, registry.files):
        with pytest.raises(ModelError, match=r"\.onnx, \.tflite, \.pth, \.keras"):
            ask("small")


def test_an_unknown_name_lists_what_there_is_and_how_to_get_more(copy):
    with pytest.raises(ModelError, match=r"No model 'smal'.*There is small\..*k2l loop.*k2l train"):
        registry.find("smal")
    with pytest.raises(ModelError, match="No model ''"):
        registry.find("")


def test_a_suffix_that_does_not_run_is_named(home, tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"")
    with pytest.raises(ModelError, match=r"no runtime for \.h5 .*save it as \.keras.*\.onnx, \.tflite"):
        registry.find(str(tmp_path / "weights.h5"))


def test_by_default_the_newest_model_of_digits_is_used(copy, home, small_model):
    for name, changes in {
        "old": {"created_at": "2001-01-01T00:00:00+00:00"},
        "new": {"created_at": "2999-01-01T00:00:00+00:00"},
        "shirts": {"created_at": "2999-01-02T00:00:00+00:00", "dataset": "fashion-mnist"},
    }.items():
        write_manifest(shutil.copytree(small_model, home / "models" / name), "lite", **changes)
    (home / "models" / "broken").mkdir()
    (home / "models" / "broken" / manifest.NAME).write_text("{")
    model, reason = registry.default()
    assert model.name == "new" and "newest" in reason


def test_the_environment_names_the_default_model(copy, monkeypatch):
    monkeypatch.setenv("K2L_MODEL", "small/model.pth")
    model, reason = registry.default()
    assert model.file.name == "model.pth" and reason == "$K2L_MODEL"


def test_without_any_model_the_way_to_one_is_told(home):
    with pytest.raises(ModelError, match=r"holds no model yet.*k2l loop"):
        registry.default()
