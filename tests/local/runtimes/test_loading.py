"""What runs, and that it says the same everywhere; what is refused is in test_runtimes_refused.py and _unsafe.py."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from local.export import convert_weights
from local.runtimes import loading, torch_ao
from shared.data.preprocessing import to_float
from shared.data.registry import GLYPH
from shared.networks.architectures import architecture
from shared.networks.build_torch import build_torch
from tests.local.model_folders import write_weights
from tests.local.model_formats import images, save_tflite

NAMES = {"model.onnx": "onnxruntime", "model.tflite": "litert", "model.pth": "torch", "model.keras": "keras"}


@pytest.fixture(scope="session")
def formats(small_model, tmp_path_factory):
    """A folder with one network in every format, float and quantized."""
    folder = tmp_path_factory.mktemp("formats")
    for name in ("model.onnx", "model.pth"):
        shutil.copy(small_model / name, folder / name)
    network, weights = architecture("lite"), torch.load(folder / "model.pth")
    model = convert_weights.to_keras(weights, network)
    model.save(folder / "model.keras")
    save_tflite(folder / "model.tflite", model)
    for ends in ("float32", "int8", "uint8"):
        save_tflite(folder / f"{ends}.int8.tflite", model, ends=ends)
    module = build_torch(network)
    module.load_state_dict(weights)
    torch.save(
        torch_ao.quantize(module, network, [torch.from_numpy(to_float(images(), GLYPH))]), folder / "model.int8.pth"
    )
    return folder


def logits(path, threads=1):
    return loading.load(path, architecture="lite", threads=threads).logits(images())


def test_the_same_images_give_the_same_logits_in_every_runtime(formats, capfd):
    said = {name: logits(formats / name) for name in NAMES}
    for name, values in said.items():
        assert values.shape == (256, 10) and values.dtype == np.float32
        assert np.abs(values - said["model.pth"]).max() < 1e-4, name
    assert np.ptp(said["model.pth"], axis=0).min() > 1e-3  # the images do tell the logits apart
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["float32.int8.tflite", "int8.int8.tflite", "uint8.int8.tflite", "model.int8.pth"])
def test_a_quantized_file_says_nearly_the_same(formats, name):
    exact, near = logits(formats / "model.pth"), logits(formats / name)
    assert near.dtype == np.float32 and len(np.unique(near)) < 257
    assert 0 < np.abs(near - exact).max() < 0.1 * np.ptp(exact)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_what_its_images_give_alone(formats, name):
    runtime = loading.load(formats / name, architecture="lite", threads=2)
    assert (runtime.name, runtime.classes) == (NAMES[name], 10)
    some = images()[100:107]
    alone = np.concatenate([runtime.logits(image[None]) for image in some])
    assert np.allclose(runtime.logits(some), alone, atol=1e-5)
    assert runtime.logits(some[:0]).shape == (0, 10)
    assert np.array_equal(runtime.logits(some[:1]), alone[:1])


@pytest.mark.parametrize("name", NAMES)
def test_the_bare_call_computes_the_same(formats, name):
    runtime = loading.load(formats / name, architecture="lite")
    (last, *_) = [np.asarray(runtime.bare(images()[:3])())]
    assert np.allclose(last.reshape(3, 10), runtime.logits(images()[:3]), atol=1e-6)


def test_logits_stay_as_they_are_when_the_next_images_come(formats):
    for name in NAMES:
        runtime = loading.load(formats / name, architecture="lite")
        first = runtime.logits(images()[200:201])
        kept = first.copy()
        runtime.logits(images()[:1])
        assert np.array_equal(first, kept), name


def test_dropout_is_off(tmp_path):
    write_weights(tmp_path / "w.pth", "compact")
    convert_weights.to_keras(torch.load(tmp_path / "w.pth"), architecture("compact")).save(tmp_path / "w.keras")
    for name in ("w.pth", "w.keras"):
        runtime = loading.load(tmp_path / name, architecture="compact")
        assert np.array_equal(runtime.logits(images()), runtime.logits(images()))


def test_running_torch_leaves_the_process_its_threads(small_model):
    before = torch.get_num_threads()
    for threads in (1, 2):
        loading.load(small_model / "model.pth", architecture="lite", threads=threads).logits(images()[:1])
        assert torch.get_num_threads() == before


def test_each_runtime_loads_its_own_framework_alone_and_takes_the_threads_it_is_given(formats):
    script = (
        "import sys; from pathlib import Path; import numpy as np; from local.runtimes import loading\n"
        "for path in sys.argv[1:]:\n"
        "    loading.load(Path(path), threads=1).logits(np.zeros((1, 28, 28), np.uint8))\n"
        "    if tensorflow := sys.modules.get('tensorflow'):\n"
        "        print(tensorflow.config.threading.get_intra_op_parallelism_threads(), 'thread of', end=' ')\n"
        "    known = ('torch', 'tensorflow', 'onnxruntime', 'ai_edge_litert')\n"
        "    loaded = [name for name in known if sys.modules.get(name)]\n"
        "    print(*loaded)\n"
        "    sys.modules.update(dict.fromkeys(loaded))  # the next ones cannot import it\n"
    )
    files = [formats / name for name in ("model.onnx", "model.tflite", "model.keras")]
    done = subprocess.run([sys.executable, "-c", script, *files], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["onnxruntime", "ai_edge_litert", "1 thread of tensorflow"]
