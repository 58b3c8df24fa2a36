"""Files that do not run here, each with the one line that says why; what could do harm: test_runtimes_unsafe.py."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from local.export import export
from local.model_files import formats
from shared.core.errors import ModelError
from shared.data.registry import GLYPH
from shared.frameworks.silence import silent_stderr
from shared.networks.architectures import architecture
from tests.local.model_formats import refusal, save_onnx, save_tflite

SUFFIXES = (".onnx", ".tflite", ".pth", ".keras")


@pytest.fixture(scope="session")
def keras_files(tmp_path_factory):
    """A network as .keras and .tflite."""
    from shared.networks.build_keras import build_keras

    folder = tmp_path_factory.mktemp("keras")
    model = build_keras(architecture("lite"))
    model.save(folder / "model.keras")
    save_tflite(folder / "model.tflite", model)
    return folder


@pytest.fixture
def four(keras_files, small_model, tmp_path):
    """{suffix: a file of that format}, copies."""
    places = {".onnx": small_model, ".pth": small_model, ".keras": keras_files, ".tflite": keras_files}
    return {suffix: Path(shutil.copy(places[suffix] / f"model{suffix}", tmp_path)) for suffix in SUFFIXES}


def tiny_keras(*layers, shape=(28, 28, 1)):
    from shared.frameworks.start_keras import keras

    return keras.Sequential([keras.Input(shape), *layers])


def test_an_unknown_suffix_is_told_which_run(tmp_path):
    assert ".onnx, .tflite, .pth, .keras" in refusal(tmp_path / "model.bin")
    assert "torch.export program is for other hosts" in refusal(tmp_path / "model.pt2")
    assert "rename it to .pth" in refusal(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("module", "pip", "suffix", "extra"),
    [
        ("onnxruntime", "onnxruntime", ".onnx", "predict"),
        ("torch", "torch", ".pth", "torch"),
        ("ai_edge_litert", "ai-edge-litert", ".tflite", "predict"),
        ("tensorflow", "tensorflow keras", ".keras", "keras"),
        ("keras", "tensorflow keras", ".keras", "keras"),
    ],
)
def test_a_runtime_that_is_not_installed_gives_the_pip_line(four, monkeypatch, module, pip, suffix, extra):
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "shared.frameworks.start_keras", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    assert refusal(four[suffix]).endswith(f"pip install {pip} (in the extra {extra})")
    assert not formats.installed(four[suffix])


@pytest.mark.parametrize(
    ("module", "suffix"),
    [
        ("onnxruntime", ".onnx"),
        ("torch", ".pth"),
        ("ai_edge_litert.interpreter", ".tflite"),
        ("shared.frameworks.start_keras", ".keras"),
    ],
)
def test_a_module_that_an_installed_runtime_lacks_is_named(four, monkeypatch, module, suffix):
    class Lacking:
        def find_spec(self, name, *_):
            if name == module:
                raise ModuleNotFoundError("No module named 'jaxlib'", name="jaxlib")

    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Lacking(), *sys.meta_path])
    said = refusal(four[suffix])
    assert "No module named 'jaxlib'" in said and "pip install" not in said


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_format_under_each_other_name_is_called_what_it_is(four, tmp_path, suffix):
    kinds = {".onnx": "ONNX network", ".tflite": "LiteRT network", ".pth": "PyTorch weights", ".keras": "Keras model"}
    for true, file in four.items():
        if true != suffix:
            said = refusal(Path(shutil.copy(file, tmp_path / f"renamed{suffix}")))
            assert f"named {suffix} and holds " in said and kinds[true] in said and f"rename it to {true}" in said


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("content", "called"),
    [
        (b"", "nothing"),
        (b"<!DOCTYPE html><title>Not found</title>", "text"),
        (b"PK\x03\x04 half a zip", "a zip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "cannot be read"),
    ],
)
def test_what_is_no_network_at_all_is_said(tmp_path, suffix, content, called):
    (tmp_path / f"broken{suffix}").write_bytes(content)
    assert called in refusal(tmp_path / f"broken{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_short_or_missing_is_one_line(four, tmp_path, suffix, capfd):
    whole = four[suffix].read_bytes()
    for share in (0.02, 0.5, 0.95):
        (tmp_path / f"cut{suffix}").write_bytes(whole[: int(len(whole) * share)])
        refusal(tmp_path / f"cut{suffix}")
    assert "No such file" in refusal(tmp_path / f"absent{suffix}")
    assert capfd.readouterr().out == ""


def test_weights_of_another_network_are_named(small_model):
    assert "does not hold the weights of compact" in refusal(small_model / "model.pth", name="compact")


def test_weights_that_are_no_state_dict_are_named(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "w.pth")
    assert "does not hold the weights of lite" in refusal(tmp_path / "w.pth")


def test_quantized_weights_of_another_network_are_named(tmp_path):
    torch.save({"quantize.scale": torch.ones(1)}, tmp_path / "model.int8.pth")
    assert "not the int8 weights of lite" in refusal(tmp_path / "model.int8.pth")


def test_a_network_that_the_code_no_longer_has_is_told_with_the_model_folder(small_model, tmp_path):
    said = "architecture 'lenet' does not exist"
    assert f"model.pth: {said}" in refusal(small_model / "model.pth", name="lenet")
    folder = shutil.copytree(small_model, tmp_path / "lenet-torch")
    stated = folder / "manifest.json"
    stated.write_text(json.dumps(json.loads(stated.read_text()) | {"architecture": "lenet"}))
    with pytest.raises(ModelError, match=f"{folder}: {said}"):
        export.open_source(folder)


def test_weights_without_an_architecture_are_refused(small_model):
    assert "manifest" in refusal(small_model / "model.pth", name=None)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (("batch", 3, 28, 28), "takes tensor(float)['batch', 3, 28, 28] where float [batch, 1, 28, 28]"),
        (("batch", 1, 32, 32), "takes tensor(float)['batch', 1, 32, 32]"),
        ((1, 1, 28, 28), "with a free batch is due"),
        (("batch", 784), "takes tensor(float)['batch', 784]"),
    ],
    ids=str,
)
def test_an_onnx_file_for_other_images_is_refused(tmp_path, shape, said):
    save_onnx(tmp_path / "other.onnx", shape=shape)
    assert said in refusal(tmp_path / "other.onnx")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"outputs": 1}, "gives float32 [2, 1] for 2 images"),
        ({"flat": False}, "not a classifier"),
        ({"weight": float("nan")}, "no numbers"),
        ({"twice": True}, "has 2 outputs where one"),
    ],
    ids=str,
)
def test_an_onnx_file_that_gives_no_logits_is_refused(tmp_path, options, said):
    save_onnx(tmp_path / "model.onnx", **options)
    assert said in refusal(tmp_path / "model.onnx")


@pytest.mark.parametrize("suffix", [".keras", ".tflite"])
def test_keras_and_litert_files_of_another_shape_are_refused(tmp_path, suffix):
    import keras
    from keras import layers

    path = tmp_path / f"other{suffix}"

    def write(model):
        model.save(path) if suffix == ".keras" else save_tflite(path, model)

    write(tiny_keras(layers.Flatten(), layers.Dense(10), shape=(28, 28, 3)))
    assert "28, 3]" in refusal(path) and "is due" in refusal(path)
    write(tiny_keras(layers.Flatten(), layers.Dense(10), shape=(32, 32, 1)))
    assert "32, 32, 1]" in refusal(path)
    write(tiny_keras(layers.Conv2D(10, 3)))
    assert "gives float32 [2, 26, 26, 10] for 2 images" in refusal(path)
    write(tiny_keras(layers.Flatten(), layers.Dense(1)))
    assert "gives float32 [2, 1] for 2 images" in refusal(path)
    broken = tiny_keras(layers.Flatten(), layers.Dense(10))
    broken.layers[-1].bias.assign(keras.ops.full((10,), float("nan")))
    write(broken)
    assert "no numbers" in refusal(path)


@pytest.mark.parametrize("dtype", ["int32", "int8"])
def test_a_litert_file_whose_whole_numbers_stand_for_no_floats_is_refused(tmp_path, dtype):
    from shared.frameworks.start_keras import keras

    images = keras.Input((28, 28, 1))
    logits = keras.layers.Dense(10)(keras.layers.Flatten()(images))
    path = tmp_path / "whole.tflite"
    save_tflite(path, keras.Model(images, keras.ops.cast(logits, dtype)))
    said = refusal(path)
    assert f"gives {dtype} [-1, 10] where float32" in said and said.endswith("not a classifier.")


def test_a_litert_file_for_one_image_at_a_time_is_refused(tmp_path):
    from keras import layers

    path = tmp_path / "one.tflite"
    save_tflite(path, tiny_keras(layers.Flatten(), layers.Dense(10)), batch=1)
    with silent_stderr():
        assert "does not run on 2 images at once" in refusal(path)


def test_a_network_that_ends_in_softmax_is_refused(tmp_path):
    """Taken for logits, its probabilities would be made into probabilities once more."""
    from shared.frameworks.start_keras import keras

    layers = keras.layers
    tiny_keras(layers.Flatten(), layers.Dense(10, activation="softmax")).save(tmp_path / "model.keras")
    assert "gives probabilities where logits are due" in refusal(tmp_path / "model.keras")


def test_what_a_framework_prints_reaches_neither_stream(tmp_path, monkeypatch, capfd):
    from local.runtimes import onnx_runtime

    def noisy(path, **_):
        print("set up")
        sys.stderr.write("set up\n")
        for descriptor in (1, 2):
            os.write(descriptor, b"set up\n")
        raise ModelError(f"{path} is none")

    save_onnx(tmp_path / "model.onnx")
    monkeypatch.setattr(onnx_runtime, "load", noisy)
    assert refusal(tmp_path / "model.onnx") == "model.onnx is none"
    assert capfd.readouterr() == ("", "")


def test_onnxruntime_does_not_print_that_it_falls_back(tmp_path, capfd):
    """Nor as it runs, where nothing else keeps it quiet."""
    import onnx
    import onnxruntime

    from local.runtimes import onnx_runtime

    path = tmp_path / "model.onnx"
    save_onnx(path)
    assert onnx_runtime.load(path, spec=GLYPH).session._enable_fallback is False
    model = onnx.load(path)
    model.graph.initializer[0].dims[:] = [10, 784]  # onnxruntime's error names the step, by a name that is no text
    model.graph.node[-1].name = "NAME"
    path.write_bytes(model.SerializeToString().replace(b"NAME", b"\xff\xfe\xfd\xfc"))
    with pytest.raises(ModelError):
        onnx_runtime.load(path, spec=GLYPH)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(UnicodeDecodeError):
        onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    assert "EP Error" in capfd.readouterr().out  # left alone, it does
