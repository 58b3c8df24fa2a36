import numpy as np
import onnx
import pytest
from model_folders import write_weights

from local import convert, runtimes
from shared.errors import ModelError


def test_an_export_is_one_file_with_named_ends_and_a_free_batch(small_model):
    graph = onnx.load(small_model / "model.onnx", load_external_data=False).graph
    ends = [
        (end.name, [d.dim_param or d.dim_value for d in end.type.tensor_type.shape.dim])
        for end in (*graph.input, *graph.output)
    ]
    assert ends == [("images", ["batch", 1, 28, 28]), ("logits", ["batch", 10])]
    assert not any(tensor.external_data for tensor in graph.initializer)
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    assert sorted(path.name for path in small_model.iterdir()) == ["manifest.json", "model.onnx", "model.pth"]


@pytest.mark.parametrize("name", ["compact", "ds_cnn_v1", "improved", "sprint"])
def test_an_export_says_what_its_source_says(tmp_path, capfd, name):
    write_weights(tmp_path / "w.pth", name)
    export = convert.export_onnx(tmp_path / "w.pth", tmp_path / "w.onnx", architecture=name)
    assert export.difference < 1e-4 and export.file.is_file() and export.seconds > 0
    assert runtimes.load(export.file).classes == 10
    assert capfd.readouterr() == ("", "")


def test_an_export_that_differs_is_not_kept(tmp_path, monkeypatch):
    write_weights(tmp_path / "w.pth", "lite")
    (tmp_path / "w.onnx").write_bytes(b"what was there")
    monkeypatch.setattr(convert, "TOLERANCE", -1.0)
    with pytest.raises(ModelError, match=r"w\.onnx was not kept"):
        convert.export_onnx(tmp_path / "w.pth", tmp_path / "w.onnx", architecture="lite")
    assert (tmp_path / "w.onnx").read_bytes() == b"what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.onnx", "w.pth"]


def test_weights_that_diverged_are_not_exported(tmp_path):
    import torch

    write_weights(tmp_path / "w.pth", "lite")
    weights = torch.load(tmp_path / "w.pth")
    next(iter(weights.values())).fill_(float("nan"))
    torch.save(weights, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="diverged"):
        convert.export_onnx(tmp_path / "w.pth", tmp_path / "w.onnx", architecture="lite")


def test_the_probes_are_always_the_same_and_span_all_brightness():
    images = convert.probes()
    assert images.shape == (256, 28, 28) and images.dtype == np.uint8
    assert np.array_equal(images, convert.probes())
    assert images[0].max() == 0 and images[-1].mean() > 100
