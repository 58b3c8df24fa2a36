import pickle
import sys

import numpy as np
import pytest
import torch

from local import runtimes
from local.convert import probes
from shared.architectures import architecture
from shared.build_torch import build_torch
from shared.errors import ModelError


def save_onnx(path, module, example, **options):
    """A foreign ONNX file, as somebody else's exporter might leave it."""
    import io
    import warnings
    from contextlib import redirect_stdout

    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (example,), path, dynamo=True, verbose=False, external_data=False, **options)


def test_the_same_images_give_the_same_logits_in_every_runtime(small_model):
    images = probes()
    torch_logits = runtimes.load(small_model / "model.pth", architecture="lite").logits(images)
    onnx_logits = runtimes.load(small_model / "model.onnx").logits(images)
    assert torch_logits.shape == onnx_logits.shape == (256, 10)
    assert torch_logits.dtype == onnx_logits.dtype == np.float32
    assert np.abs(torch_logits - onnx_logits).max() < 1e-4
    assert np.ptp(torch_logits, axis=0).min() > 1e-3  # the images do tell the logits apart


def test_a_batch_gives_what_its_images_give_alone(small_model):
    for name in ("model.pth", "model.onnx"):
        runtime = runtimes.load(small_model / name, architecture="lite", threads=2)
        images = probes()[100:107]
        alone = np.concatenate([runtime.logits(image[None]) for image in images])
        assert np.allclose(runtime.logits(images), alone, atol=1e-5)
        assert runtime.logits(images[:0]).shape == (0, 10)


def test_dropout_is_off(tmp_path):
    torch.save(build_torch(architecture("compact")).state_dict(), tmp_path / "w.pth")
    runtime = runtimes.load(tmp_path / "w.pth", architecture="compact")
    assert np.array_equal(runtime.logits(probes()), runtime.logits(probes()))


def test_running_torch_leaves_the_process_its_threads(small_model):
    before = torch.get_num_threads()
    runtimes.load(small_model / "model.pth", architecture="lite", threads=1).logits(probes()[:1])
    assert torch.get_num_threads() == before


def test_an_unknown_suffix_is_told_which_run(tmp_path):
    with pytest.raises(ModelError, match=r"\.onnx, \.pth"):
        runtimes.load(tmp_path / "model.h5")


@pytest.mark.parametrize(("module", "file"), [("onnxruntime", "model.onnx"), ("torch", "model.pth")])
def test_a_runtime_that_is_not_installed_gives_the_pip_line(small_model, monkeypatch, module, file):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelError, match=f"pip install {module}"):
        runtimes.load(small_model / file, architecture="lite")


@pytest.mark.parametrize("suffix", [".onnx", ".pth"])
@pytest.mark.parametrize("content", [b"", b"no network at all", b"PK\x03\x04 half a zip"])
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.") as error:
        runtimes.load(path, architecture="lite")
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


class Trap:
    def __reduce__(self):
        return print, ("this must never run",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_in_one_line(tmp_path, capsys, zipped):
    path = tmp_path / "trap.pth"
    if zipped:
        torch.save({"conv1.weight": Trap()}, path)
    else:
        path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError, match=r"refused.*could run code") as error:
        runtimes.load(path, architecture="lite")
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


def test_weights_of_another_network_are_named(small_model):
    with pytest.raises(ModelError, match="does not hold the weights of compact"):
        runtimes.load(small_model / "model.pth", architecture="compact")


def test_weights_that_are_no_state_dict_are_named(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "w.pth")
    with pytest.raises(ModelError, match="does not hold the weights of lite"):
        runtimes.load(tmp_path / "w.pth", architecture="lite")


def test_weights_without_an_architecture_are_refused(small_model):
    with pytest.raises(ModelError, match="manifest"):
        runtimes.load(small_model / "model.pth")


def test_an_onnx_file_for_other_images_is_refused(tmp_path):
    path = tmp_path / "rgb.onnx"
    save_onnx(
        path, torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10)), torch.zeros(1, 3, 32, 32)
    )
    with pytest.raises(ModelError, match=r"rgb\.onnx takes tensor\(float\)\[1, 3, 32, 32\]"):
        runtimes.load(path)


def test_an_onnx_file_that_gives_no_logits_is_refused(tmp_path):
    path = tmp_path / "copy.onnx"
    batch = ({0: torch.export.Dim("batch")},)
    save_onnx(path, torch.nn.ReLU(), torch.zeros(2, 1, 28, 28), dynamic_shapes=batch)
    with pytest.raises(ModelError, match="not a classifier"):
        runtimes.load(path)
