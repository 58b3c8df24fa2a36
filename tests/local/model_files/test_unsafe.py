"""Files that could do harm: run code, or fill the memory. Each is refused in one line, before its framework sees it."""

import json
import pickle
import resource
import shutil
import sys
import zipfile

import pytest
import torch

from local.model_files import memory_limit, onnx_cost
from local.runtimes import loading
from shared.networks.architectures import architecture
from tests.local.model_formats import edit_config, refusal, save_filling, save_onnx


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A network as .keras."""
    from shared.networks.build_keras import build_keras

    path = tmp_path_factory.mktemp("keras") / "model.keras"
    build_keras(architecture("lite")).save(path)
    return path


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused(tmp_path, zipped):
    path, marker = tmp_path / "trap.pth", tmp_path / "it-ran"
    if zipped:
        torch.save({"conv1.weight": Trap(marker)}, path)
    else:
        path.write_bytes(pickle.dumps(Trap(marker)))
    assert "refused" in refusal(path) and "could run code" in refusal(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Trap(marker))).close()
    assert marker.exists()  # it is a trap


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
    from shared.frameworks.start_keras import keras

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


@pytest.mark.parametrize("name", ["bomb.keras", "bomb.pth"])
def test_an_archive_that_unpacks_to_more_than_a_network_is_refused_packed(tmp_path, monkeypatch, name):
    from shared.frameworks.start_keras import keras

    members = {
        "bomb.keras": ("metadata.json", "config.json", "model.weights.h5"),
        "bomb.pth": ("w/data.pkl", "w/data/0"),
    }
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member in members[name]:
            archive.writestr(member, bytes(4_000_000) if member == members[name][-1] else b"{}")
    assert (tmp_path / name).stat().st_size < 100_000
    monkeypatch.setattr(memory_limit, "UNPACKED_BYTES", 3_000_000)
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("Keras has seen the file"))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("PyTorch has seen the file"))
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_, **__: pytest.fail("it was unpacked"))
    assert "it unpacks to more than 3 MB" in refusal(tmp_path / name)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_a_file_larger_than_memory_is_not_read(tmp_path, suffix):
    """A file of holes: it takes no place on the disk."""
    path = tmp_path / f"holes{suffix}"
    path.write_bytes(b"\x18\0\0\0TFL3" if suffix == ".tflite" else b"\x08\x08\x12\x00")
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    assert "it unpacks to more than 400 MB" in refusal(path)


@pytest.mark.skipif(sys.platform != "linux", reason="no other system holds a process to a size")
def test_what_asks_for_more_memory_than_any_network_has_is_refused_in_words(tmp_path, monkeypatch):
    """The second wall, where the first let a file through."""
    monkeypatch.setattr(onnx_cost, "check", lambda *_: 256)
    before, most = resource.getrlimit(resource.RLIMIT_DATA), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for values in (memory_limit.growth() // 4, 10**12):
        save_filling(tmp_path / "greedy.onnx", values)
        assert "cannot be read" in refusal(tmp_path / "greedy.onnx")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 200_000  # kB
    save_filling(tmp_path / "modest.onnx", 1000)
    assert loading.load(tmp_path / "modest.onnx").classes == 10
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_an_onnx_tensor_that_claims_terabytes_is_refused(tmp_path):
    import onnx

    save_onnx(tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.initializer[0].dims[:] = [784, 10**10]
    onnx.save(model, tmp_path / "model.onnx")
    assert "cannot be read" in refusal(tmp_path / "model.onnx")


@pytest.mark.parametrize("location", ["/etc/hostname", "../outside.bin", "./w.bin"])
def test_an_onnx_file_reads_no_other_file(tmp_path, monkeypatch, location):
    import onnx

    (tmp_path / "inside").mkdir()
    for place in (tmp_path / "outside.bin", tmp_path / "inside" / "w.bin"):
        place.write_bytes(bytes(784 * 10 * 4))
    path = tmp_path / "inside" / "model.onnx"
    save_onnx(path)
    model = onnx.load(path)
    (weights,) = model.graph.initializer
    weights.ClearField("float_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    monkeypatch.chdir(path.parent)
    assert "cannot be read" in refusal(path)


def test_an_onnx_file_brings_no_operators_of_its_own(tmp_path):
    import onnx
    from onnx import helper

    save_onnx(tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    model.opset_import.append(helper.make_opsetid("theirs", 1))
    model.graph.node[-1].domain = "theirs"
    onnx.save(model, tmp_path / "model.onnx")
    assert "it holds theirs.MatMul. Only plain layers" in refusal(tmp_path / "model.onnx")


def test_keras_weights_are_read_from_the_file_alone(model, tmp_path):
    """HDF5 lets an array lie in any other file of this machine."""
    import h5py

    (tmp_path / "secret").write_bytes(bytes(1_000_000))
    with zipfile.ZipFile(model) as old, zipfile.ZipFile(tmp_path / "model.keras", "w") as new:
        for name in old.namelist():
            (tmp_path / "part").write_bytes(old.read(name))
            if name.endswith(".h5"):
                with h5py.File(tmp_path / "part", "a") as weights:
                    names = []
                    weights.visit(names.append)
                    first = next(one for one in names if one.endswith("vars/0"))
                    shape = weights[first].shape
                    del weights[first]
                    lies = [(str(tmp_path / "secret"), 0, 1_000_000)]
                    weights.create_dataset(first, shape=shape, dtype="f4", external=lies)
            new.write(tmp_path / "part", name)
    assert "cannot be read" in refusal(tmp_path / "model.keras")


def test_keras_too_is_told_to_run_no_code_of_a_file(model, monkeypatch):
    """A second wall: a file that would need it does not come past the first, the list of plain layers."""
    from shared.frameworks.start_keras import keras

    options, load = {}, keras.models.load_model
    monkeypatch.setattr(keras.models, "load_model", lambda path, **how: (options.update(how), load(path, **how))[1])
    assert loading.load(model).classes == 10
    assert options["safe_mode"] is True


def test_how_a_model_was_trained_is_not_loaded(model, tmp_path):
    def change(config):
        config["compile_config"] = {"loss": {"module": "theirs", "class_name": "function", "config": "loss"}}

    edit_config(model, tmp_path / "compiled.keras", change)
    assert loading.load(tmp_path / "compiled.keras").classes == 10


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
