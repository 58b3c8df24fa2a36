"""Files that could do harm: run code, or fill the memory. Each is refused in one line, before its framework sees it."""

import json
import pickle
import shutil
import zipfile

import pytest
import torch
from model_formats import edit_config, refusal, save_onnx

from local import runtimes
from local.runtimes import keras_runtime
from shared.architectures import architecture


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A network as .keras."""
    from shared.build_keras import build_keras

    path = tmp_path_factory.mktemp("keras") / "model.keras"
    build_keras(architecture("lite")).save(path)
    return path


class Trap:
    def __reduce__(self):
        return print, ("this must never run",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys, zipped):
    path = tmp_path / "trap.pth"
    if zipped:
        torch.save({"conv1.weight": Trap()}, path)
    else:
        path.write_bytes(pickle.dumps(Trap()))
    assert "refused" in refusal(path) and "could run code" in refusal(path)
    assert capsys.readouterr().out == ""


def test_a_program_of_torch_is_not_taken_for_weights(tmp_path):
    with zipfile.ZipFile(tmp_path / "program.pth", "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"program/{name}", b"")
    assert "TorchScript program: refused, as it could run code" in refusal(tmp_path / "program.pth")


def change_class(config):
    config["config"]["layers"][1] |= {"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__"}}}


def change_module(config):
    config["config"]["layers"][1]["module"] = "os"


def change_outermost(config):
    config |= {"module": "subprocess", "class_name": "Popen", "config": {"args": "true"}}


def register_foreign(config):
    config["config"]["layers"][1]["registered_name"] = "theirs>Conv2D"


def bring_a_function(config):
    config["config"]["layers"][1]["config"]["activation"] = {
        "module": "os", "class_name": "function", "config": "system", "registered_name": "system",
    }  # fmt: skip


def nest_a_model(config):
    config["config"]["layers"].append(json.loads(json.dumps(config)))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (change_class, "keras.layers.Lambda"),
        (change_module, "os.Conv2D"),
        (change_outermost, "subprocess.Popen"),
        (register_foreign, "theirs>Conv2D"),
        (bring_a_function, "os.system"),
        (nest_a_model, "keras.Sequential"),
    ],
)
def test_a_keras_file_that_names_more_than_plain_layers_is_refused_unloaded(
    model, tmp_path, monkeypatch, change, named
):
    from shared.start_keras import keras

    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("Keras has seen the file"))
    edit_config(model, tmp_path / "trap.keras", change)
    said = refusal(tmp_path / "trap.keras")
    assert "refused" in said and named in said and "could run code" in said


def test_a_keras_file_with_more_inside_is_refused(model, tmp_path):
    path = tmp_path / "more.keras"
    shutil.copy(model, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/vocabulary.txt", "a")
    assert "refused: it holds assets/vocabulary.txt" in refusal(path)


def test_a_keras_file_that_unpacks_to_more_than_a_network_is_refused_packed(tmp_path, monkeypatch):
    from shared.start_keras import keras

    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "{}")
        with archive.open("model.weights.h5", "w") as weights:
            for _ in range(keras_runtime.UNPACKED_BYTES // 1_000_000):
                weights.write(bytes(1_000_000))
    assert path.stat().st_size < 1_000_000
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("Keras has seen the file"))
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_, **__: pytest.fail("it was unpacked"))
    assert "unpacks to more than 200 MB" in refusal(path)


def test_how_a_model_was_trained_is_not_loaded(model, tmp_path):
    def change(config):
        config["compile_config"] = {"loss": {"module": "theirs", "class_name": "function", "config": "loss"}}

    edit_config(model, tmp_path / "compiled.keras", change)
    assert runtimes.load(tmp_path / "compiled.keras").classes == 10


def test_weights_that_lie_beside_an_onnx_file_are_not_read(tmp_path, monkeypatch):
    """A manifest vouches for the file alone; neither its folder nor the working one is looked into."""
    import onnx

    save_onnx(tmp_path / "whole.onnx")
    whole = onnx.load(tmp_path / "whole.onnx")
    (weights,) = whole.graph.initializer
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights), weights.name))  # as raw bytes
    onnx.save(whole, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (tmp_path / "w.bin").is_file()
    monkeypatch.chdir(tmp_path)
    assert "cannot be read" in refusal(tmp_path / "model.onnx")
