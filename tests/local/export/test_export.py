import json
import os
import shutil

import numpy as np
import onnx
import pytest
import torch

from local.core import workspace
from local.export import export
from local.model_files import formats
from local.runs import journal
from local.runtimes import loading
from shared.core import manifest
from shared.core.errors import ConfigError, KernelError, ModelError
from shared.data import datasets
from shared.data.registry import GLYPH
from shared.networks.architectures import architecture
from tests.heard import Heard
from tests.local.model_folders import write_folder, write_manifest
from tests.local.model_formats import images as probes

needs_mnist = pytest.mark.skipif("K2L_DATA" not in os.environ, reason="needs MNIST: set K2L_DATA")


COMPACT = architecture("compact")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_onnx_file_is_one_with_named_ends_and_a_free_batch(small_model):
    graph = onnx.load(small_model / "model.onnx", load_external_data=False).graph
    ends = [
        (end.name, [d.dim_param or d.dim_value for d in end.type.tensor_type.shape.dim])
        for end in (*graph.input, *graph.output)
    ]
    assert ends == [("images", ["batch", 1, 28, 28]), ("logits", ["batch", 10])]
    assert not any(tensor.external_data for tensor in graph.initializer)
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    assert names(small_model) == ["manifest.json", "model.onnx", "model.pth"]


@pytest.mark.parametrize("name", ["compact", "ds_cnn_v1", "improved", "sprint"])
def test_an_export_says_what_its_source_says(tmp_path, capfd, name):
    folder = write_folder(tmp_path / "m", name)
    (done,) = export.export(folder, ["onnx"])
    assert done.file == folder / "model.onnx" and done.difference < 1e-4 and done.seconds > 0
    assert manifest.verify(folder, ["model.onnx"])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_every_format_is_reached_from_either_framework(tmp_path, capfd, framework):
    folder = write_folder(tmp_path / "m", "sprint", framework)
    capfd.readouterr()
    heard = Heard()
    done = export.export(folder, report=heard)
    other = {"torch": "keras", "keras": "pth"}[framework]
    assert {one.file.name for one in done} == {f"model.{kind}" for kind in (other, "onnx", "tflite", "pt2")}
    assert all(one.difference < 1e-4 for one in done) and heard.all("share") == [0.25, 0.5, 0.75, 1.0]
    assert sorted(manifest.verify(folder).files) == [name for name in names(folder) if name != manifest.NAME]
    assert capfd.readouterr() == ("", "")
    for one in done:
        assert str(workspace.CHECKOUT).encode() not in one.file.read_bytes(), one.file
    logits = [
        loading.load(folder / f"model{suffix}", architecture="sprint").logits(probes()) for suffix in formats.SUFFIXES
    ]
    assert np.ptp(logits, axis=0).max() < 1e-4


def test_a_tflite_file_takes_any_batch_without_working_out_its_size(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    folder = write_folder(tmp_path / "m", "compact")
    export.export(folder, ["tflite"])
    interpreter = Interpreter(str(folder / "model.tflite"), num_threads=1)
    place = interpreter.get_input_details()[0]["index"]
    for n in (1, 7, 256):
        interpreter.resize_tensor_input(place, [n, 28, 28, 1])
        interpreter.allocate_tensors()
        interpreter.invoke()
        assert interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).shape == (n, 10)
    steps = [step["op_name"] for step in interpreter._get_ops_details()]
    assert not {"SHAPE", "PACK", "STRIDED_SLICE"} & set(steps) and steps.count("DELEGATE") == 1


@pytest.mark.parametrize("name", ["onnx", "pt2"])
def test_an_export_that_differs_is_not_kept(tmp_path, monkeypatch, name):
    folder = write_folder(tmp_path / "m", "lite")
    (folder / f"model.{name}").write_bytes(b"what was there")
    manifest.add_files(folder, [f"model.{name}"])
    before = (folder / manifest.NAME).read_bytes()
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(ModelError, match=rf"model\.{name} was not kept"):
        export.export(folder, [name])
    assert (folder / f"model.{name}").read_bytes() == b"what was there"
    assert (folder / manifest.NAME).read_bytes() == before
    assert names(folder) == ["manifest.json", f"model.{name}", "model.pth"]


@pytest.mark.parametrize(("shift", "kept"), [(2e-5, True), (2e-4, False)])
def test_an_export_is_kept_up_to_a_difference_of_a_ten_thousandth(small_model, tmp_path, monkeypatch, shift, kept):
    """The writer's file gives logits that all differ from those of the source by `shift`."""

    def writes_another(source, path):
        model = onnx.load(small_model / "model.onnx")
        graph = model.graph
        graph.node[-1].output[0] = "exact"
        graph.initializer.append(onnx.numpy_helper.from_array(np.float32([shift]), "shift"))
        graph.node.append(onnx.helper.make_node("Add", ["exact", "shift"], ["logits"]))
        onnx.save(model, path)

    folder = shutil.copytree(small_model, tmp_path / "m")
    monkeypatch.setitem(export.WRITERS, "onnx", writes_another)
    if kept:
        (done,) = export.export(folder, ["onnx"], images=probes())
        assert done.difference == pytest.approx(shift, rel=0.1)
    else:
        with pytest.raises(ModelError, match=r"model\.onnx was not kept: .* by 0\.0002, more than 0\.0001"):
            export.export(folder, ["onnx"], images=probes())


def test_weights_that_diverged_are_not_exported(tmp_path):
    folder = write_folder(tmp_path / "m", "lite")
    weights = torch.load(folder / "model.pth")
    next(iter(weights.values())).fill_(float("nan"))
    torch.save(weights, folder / "model.pth")
    manifest.add_files(folder, ["model.pth"])
    with pytest.raises(ModelError, match="diverged"):
        export.export(folder, ["onnx"])


def kill(*rest):
    raise KeyboardInterrupt


def test_an_export_that_was_killed_is_made_by_the_same_command(small_model, tmp_path):
    folder = shutil.copytree(small_model, tmp_path / "m")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(manifest, "add_files", kill)
        export.export(folder, ["onnx"])
    assert list(manifest.verify(folder).files) == ["model.pth"]
    assert [one.file.name for one in export.ensure(folder, ["onnx"])] == ["model.onnx"]
    assert list(manifest.verify(folder).files) == ["model.onnx", "model.pth"]
    assert names(folder) == names(small_model)


@pytest.mark.parametrize("change", [lambda file: file.write_bytes(b"another"), lambda file: file.unlink()])
def test_an_export_that_was_changed_or_lost_can_be_made_again(small_model, home, capsys, change):
    from scripts.export import export as verb

    folder = shutil.copytree(small_model, home / "models" / "small")
    change(folder / "model.onnx")
    verb("small", to="onnx")
    assert "model.onnx" in capsys.readouterr().out and "model.onnx" in manifest.verify(folder).files


def test_one_command_at_a_time_works_on_a_model(small_model, home):
    from scripts.export import export as verb

    shutil.copytree(small_model, home / "models" / "small")
    with journal.lock("small"), pytest.raises(KernelError, match="another command of k2l is working on 'small'"):
        verb("small", to="onnx")


def test_a_network_that_keras_named_is_exported_and_one_of_another_kind_is_told(tmp_path):
    from shared.frameworks.start_keras import keras
    from shared.networks.build_keras import build_keras

    folder = write_folder(tmp_path / "m", "compact", "keras")
    layers = [type(one).from_config(one.get_config() | {"name": None}) for one in build_keras(COMPACT).layers]
    keras.Sequential([keras.Input((28, 28, 1)), *layers]).save(folder / "model.keras")
    write_manifest(folder, "compact", framework="keras")
    (done,) = export.export(folder, ["onnx"])
    assert done.difference < 1e-4
    write_manifest(folder, "lite", framework="keras")
    with pytest.raises(ModelError, match=r"model\.keras is not the lite of its manifest: lite has 19 layers, "):
        export.export(folder, ["onnx"])


def test_what_is_there_is_not_exported_again_unless_asked_for(small_model, tmp_path):
    folder = shutil.copytree(small_model, tmp_path / "m")
    assert export.ensure(folder, ["onnx", "pth"]) == []
    assert [one.file.name for one in export.ensure(folder, ["pt2", "onnx"])] == ["model.pt2"]
    assert [one.file.name for one in export.export(folder, ["onnx", "onnx"])] == ["model.onnx"]


def test_what_cannot_be_exported_is_told(small_model, tmp_path):
    folder = shutil.copytree(small_model, tmp_path / "m")
    with pytest.raises(ConfigError, match=r"format 'onx' does not exist; did you mean 'onnx'\?"):
        export.export(folder, ["onx"])
    with pytest.raises(ConfigError, match="no format was asked for"):
        export.export(folder, [])
    with pytest.raises(ConfigError, match=r"model\.pth is what was trained"):
        export.export(folder, ["onnx", "pth"])
    (folder / "model.pth").write_bytes(b"other weights")
    with pytest.raises(ModelError, match=r"model\.pth was changed"):
        export.export(folder, ["onnx"])
    (folder / manifest.NAME).unlink()
    with pytest.raises(ModelError, match=r"no manifest\.json"):
        export.export(folder, ["onnx"])


def test_exports_are_checked_on_digits_where_the_data_set_is_not_here(digits, home, monkeypatch):
    monkeypatch.delenv("K2L_DATA", raising=False)
    for name in ("digits", "kmnist", "another"):
        assert np.array_equal(export.check_images(name, GLYPH), digits.test_images[:256])


@needs_mnist
def test_exports_are_checked_on_their_own_data_set_where_it_is_here():
    assert np.array_equal(export.check_images("mnist", GLYPH), datasets.load("mnist").test_images[:256])


@pytest.mark.slow
def test_the_verb_prints_one_object_a_file(home, k2l):
    write_folder(home / "models" / "m", "lite")
    done = k2l("export", "m", "--to", "onnx, pt2", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(row) for row in rows] == [["model", "file", "bytes", "difference", "seconds"]] * 2
    assert [row["file"] for row in rows] == [str(home / "models" / "m" / f"model.{kind}") for kind in ("onnx", "pt2")]
    assert done.stderr == ""


def test_the_verb_says_what_is_wrong_in_a_line(home, small_model, error_of):
    shutil.copytree(small_model, home / "models" / "small")
    for arguments in (["nothing"], ["small/model.onnx"], ["small", "--to", "tflight"], ["small", "--to", ","]):
        assert error_of("export", *arguments)


def test_no_name_of_this_machine_or_moment_is_written_into_a_file(tmp_path):
    one, other = (write_folder(tmp_path / name, "lite", framework="keras") for name in ("m", "n"))
    shutil.copy(one / "model.keras", other / "model.keras")
    write_manifest(other, "lite", framework="keras")
    for folder in (one, other):
        export.export(folder, ["onnx", "pth", "pt2"], images=probes())
    for name in ("model.onnx", "model.pth", "model.pt2"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
        assert b".k2l-part" not in (one / name).read_bytes()
