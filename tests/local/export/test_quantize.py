import dataclasses
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from local.export import export
from local.export import quantize as quantization
from local.export.quantize import METHODS, quantize
from local.runs import journal
from local.runtimes import loading, torch_ao
from shared.core import manifest
from shared.core.errors import ConfigError, DataError, KernelError, ModelError
from shared.data import datasets
from shared.data.preprocessing import to_float
from shared.data.registry import GLYPH
from shared.networks.architectures import ARCHITECTURES, architecture
from shared.networks.build_torch import build_torch
from shared.training.config import TrainConfig
from tests.heard import Heard
from tests.local.model_folders import write_folder, write_manifest
from tests.local.model_formats import images as probes
from tests.local.model_formats import save_filling

needs_mnist = pytest.mark.skipif("K2L_DATA" not in os.environ, reason="needs MNIST: set K2L_DATA")
FILES = {method.file for method in METHODS.values()}


def train(folder, config, images):
    """A model folder with a network that has learned its data set."""
    from shared.training.train_torch import save_weights
    from shared.training.train_torch import train as train_torch

    folder.mkdir()
    save_weights(train_torch(config, images).model, folder / "model.pth")
    write_manifest(folder, config.architecture, dataset=config.dataset)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, digits):
    """sprint, after a second or two of digits; to be copied before it is changed."""
    config = TrainConfig.create(architecture="sprint", dataset="digits", epochs=10, device="cpu")
    return train(tmp_path_factory.mktemp("trained") / "trained", config, digits)


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "trained")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def with_writer(monkeypatch, write, name="onnx"):
    monkeypatch.setitem(METHODS, name, dataclasses.replace(METHODS[name], write=write))


def write_other_weights(source, images, path):
    """What a quantization that went wrong might leave: a network that runs and reads nothing."""
    write_folder(path.parent / "other", "sprint")
    from local.export import export

    export.export(path.parent / "other", ["onnx"])
    shutil.move(path.parent / "other" / "model.onnx", path)
    shutil.rmtree(path.parent / "other")


def test_every_quantized_file_is_smaller_reads_as_well_and_is_vouched_for(folder, digits, capfd):
    heard = Heard()
    made = quantize(folder, max_drop=2, report=heard)  # an image of 144 is 0.7 points
    assert capfd.readouterr() == ("", "") and heard.all("share") == [0.25, 0.5, 0.75, 1.0]
    assert all(one.kept and one.why == "" and one.images == 144 for one in made)
    assert {one.file.name for one in made} == FILES
    assert set(manifest.verify(folder).files) == FILES | {f"model.{one}" for one in ("pth", "onnx", "tflite")}
    for one in made:
        share = 0.52 if one.format == "float16" else 0.3
        assert one.bytes == one.file.stat().st_size <= share * one.base_bytes, one
        runtime = loading.load(one.file, architecture="sprint")
        assert runtime.name == one.runtime
        whole = loading.load(one.base, architecture="sprint")
        assert (
            runtime.logits(digits.test_images).argmax(1) == whole.logits(digits.test_images).argmax(1)
        ).mean() > 0.98


def test_int8_takes_little_more_than_a_quarter_of_the_bytes(tmp_path):
    folder = write_folder(tmp_path / "m", "baseline")
    for one in quantize(folder, ["onnx", "tflite"], max_drop=100):
        assert one.bytes <= 0.27 * one.base_bytes, one


def test_calibration_sees_training_images_alone_the_classes_in_equal_shares(folder, digits, monkeypatch):
    seen = []

    def write(source, images, path):
        seen.append(images)
        shutil.copy(source.folder / "model.onnx", path)

    with_writer(monkeypatch, write)
    (made,) = quantize(folder, ["onnx"], images=200)
    assert made.kept and made.drop == 0 and made.bytes == made.base_bytes
    (images,) = seen
    inner, held_out = digits.split()
    places = {image.tobytes(): at for at, image in enumerate(digits.train_images)}
    chosen = {places[image.tobytes()] for image in images}
    assert len(chosen) == 200 and chosen <= set(inner) and not chosen & set(held_out)
    counts = np.bincount(digits.train_labels[sorted(chosen)])
    assert counts.max() - counts.min() <= 3


def test_the_test_set_is_not_touched(folder, digits):
    without = dataclasses.replace(digits, test_images=None, test_labels=None)
    assert len(quantize(folder, ["torch"], dataset=without, beside=["onnx"])) == 1
    assert "model.onnx" in manifest.verify(folder).files


def test_a_quantization_that_was_killed_is_made_by_the_same_command(folder, monkeypatch):
    def kill(folder, names):
        raise KeyboardInterrupt

    quantize(folder, ["onnx"], max_drop=5)
    stated = manifest.read(folder)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(manifest, "add_files", kill)
        quantize(folder, ["onnx"], max_drop=5)
    assert manifest.verify(folder).files.keys() == stated.files.keys() - {"model.int8.onnx"}
    quantize(folder, ["onnx"], max_drop=5)
    assert manifest.verify(folder).files.keys() == stated.files.keys()
    assert {path.name for path in folder.iterdir()} == {*stated.files, manifest.NAME}


def test_a_file_that_loses_too_much_is_refused_and_nothing_changes(folder, monkeypatch):
    quantize(folder, ["onnx"], max_drop=5)
    before = contents(folder)
    with_writer(monkeypatch, write_other_weights)
    (made,) = quantize(folder, ["onnx"])
    assert not made.kept and made.drop > 50 and made.accuracy < 0.4
    assert "model.int8.onnx was not kept: it loses" in made.why and "more than 0.2" in made.why
    assert contents(folder) == before


def test_a_file_that_its_own_runtime_cannot_run_is_left_out_and_the_others_go_on(folder, home, capsys, monkeypatch):
    with_writer(monkeypatch, lambda source, images, path: path.write_bytes(b"\x20\0\0\0TFL3" + bytes(60)), "tflite")
    from scripts.quantize import quantize as verb

    verb(str(folder), to="tflite,torch", max_drop=100, seconds=0, json=True)
    out, err = capsys.readouterr()
    rows = {Path(row["file"]).name: row for row in map(json.loads, out.splitlines())}
    assert rows["model.int8.pth"]["kept"] and not rows["model.int8.tflite"]["kept"]
    assert rows["model.int8.tflite"]["validation_accuracy"] is rows["model.int8.tflite"]["drop"] is None
    (line,) = [line for line in err.splitlines() if "left out" in line]
    assert re.fullmatch(r"left out: model\.int8\.tflite: LiteRT cannot run it \(.+\)\.", line)
    assert ".k2l-part" not in line and "again" not in line and not (folder / "model.int8.tflite").exists()
    verb(str(folder), to="tflite,torch", max_drop=100, seconds=0, json=False)
    assert "refused" in capsys.readouterr().out


def test_a_drop_of_exactly_the_limit_is_kept(folder, monkeypatch):
    monkeypatch.setattr(quantization, "_count", lambda *rest: 144 if rest[-1].parent == folder else 140)
    (made,) = quantize(folder, ["onnx"], max_drop=100 * 4 / 144)
    assert made.kept and made.right == 140


def test_what_cannot_be_quantized_is_told(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"format 'int8' does not exist; .*onnx, tflite, float16, torch"):
        quantize(folder, ["int8"])
    write_manifest(folder, "sprint", dataset="kmnist")
    with pytest.raises(DataError, match="holds no kmnist"):
        quantize(folder, ["onnx"], data_dir=tmp_path)
    (folder / manifest.NAME).unlink()
    with pytest.raises(ModelError, match=r"no manifest\.json"):
        quantize(folder, ["onnx"])


def test_a_float_file_that_was_changed_is_not_quantized(folder):
    quantize(folder, ["onnx"], max_drop=100)
    (folder / "model.onnx").write_bytes(b"another")
    with pytest.raises(ModelError, match=r"model\.onnx was changed"):
        quantize(folder, ["onnx"])


def test_a_missing_package_gives_the_pip_line(small_model, tmp_path, monkeypatch):
    folder = shutil.copytree(small_model, tmp_path / "m")
    before = contents(folder)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelError, match=r"model\.int8\.onnx needs onnx, which is not installed.*pip install"):
        quantize(folder, ["onnx"])
    assert contents(folder) == before


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_can_be_quantized_in_torch(tmp_path, name):
    network = architecture(name)
    torch.manual_seed(0)
    module = build_torch(network).eval()
    weights = torch_ao.quantize(module, network, [torch.from_numpy(to_float(probes(), GLYPH))])
    torch.save(weights, tmp_path / "model.int8.pth")
    torch.save(module.state_dict(), tmp_path / "model.pth")
    int8, whole = (
        loading.load(tmp_path / f"model.{kind}", architecture=name).logits(probes()) for kind in ("int8.pth", "pth")
    )
    assert np.abs(int8 - whole).max() < 0.1 * np.abs(whole).max()
    assert torch_ao.is_int8(weights) and not torch_ao.is_int8(module.state_dict())
    other = architecture("lite" if name != "lite" else "compact")
    with pytest.raises(ModelError, match=f"not the int8 weights of {other.name}"):
        torch_ao.build_int8(other, weights)


@pytest.mark.skipif(sys.platform != "linux", reason="no other system holds a process to a size")
def test_a_file_that_asks_for_more_memory_than_any_has_is_not_quantized(tmp_path, monkeypatch, digits):
    folder = write_folder(tmp_path / "m", "lite", dataset="digits")
    save_filling(folder / "model.onnx", 10**12)
    write_manifest(folder, "lite", dataset="digits")
    with_writer(monkeypatch, lambda source, images, path: pytest.fail("it was read again"))
    with pytest.raises(ModelError, match=r"model\.onnx was refused: 2 pictures would take more"):
        quantize(folder, ["onnx"], dataset=digits)


@pytest.mark.parametrize("max_drop", [float("nan"), -0.1, 101])
def test_a_drop_that_is_no_number_of_points_is_refused(folder, max_drop):
    with pytest.raises(ConfigError, match=r"max_drop=.* is out of range"):
        quantize(folder, ["onnx"], max_drop=max_drop)


def test_weights_in_int8_are_no_source_and_belong_to_their_network(folder):
    """compact and baseline differ in shapes alone, and torch itself would take int8 weights of any shape."""
    compact, baseline = architecture("compact"), architecture("baseline")
    weights = torch_ao.quantize(build_torch(compact).eval(), compact, [torch.rand(8, 1, 28, 28)])
    torch_ao.build_int8(compact, weights)
    with pytest.raises(ModelError, match="their shapes are another network's"):
        torch_ao.build_int8(baseline, weights)
    torch.save(weights, folder / "model.pth")
    write_manifest(folder, "compact")
    with pytest.raises(ModelError, match=r"model\.pth is in int8 already"):
        export.export(folder, ["onnx"], images=probes())


def test_a_torch_without_quantization_names_the_way_out(monkeypatch):
    import torch.ao

    monkeypatch.setitem(sys.modules, "torch.ao.quantization", None)
    monkeypatch.delattr(torch.ao, "quantization", raising=False)
    with pytest.raises(ModelError, match="PT2E"):
        torch_ao.build_int8(architecture("lite"), {})


def test_the_verb_tells_what_was_refused_and_fails_if_nothing_was_kept(folder, home, capsys, monkeypatch):
    from scripts.quantize import quantize as verb

    with_writer(monkeypatch, write_other_weights)
    with pytest.raises(SystemExit) as end:
        verb(str(folder), to="onnx", seconds=0)
    assert end.value.code == 1
    out, err = capsys.readouterr()
    assert "refused" in out and "model.int8.onnx was not kept: it loses" in err and "no file was saved" in err
    assert not (folder / "model.int8.onnx").exists()


def test_the_verb_prints_one_object_a_file_float_files_before_theirs(folder, home, capsys):
    from scripts.quantize import quantize as verb

    verb(str(folder), to="onnx,torch", max_drop=100, seconds=0, json=True)
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["file"] for row in rows] == [
        str(folder / f"model.{kind}") for kind in ("onnx", "int8.onnx", "pth", "int8.pth")
    ]
    assert len({tuple(row) for row in rows}) == 1 and err == ""
    assert [row["runtime"] for row in rows] == ["onnxruntime", "onnxruntime", "torch", "torch"]
    for row, base in zip(rows, [rows[0], rows[0], rows[2], rows[2]], strict=True):
        assert row["kept"] and row["base"] == base["file"] and row["share"] == row["bytes"] / base["bytes"]
        for n in (1, 256):
            assert row[f"ratio_{n}"] == pytest.approx(row[f"p50_us_{n}"] / base[f"p50_us_{n}"], abs=2e-4)
            assert row[f"ratio_onnxruntime_{n}"] == pytest.approx(row[f"p50_us_{n}"] / rows[0][f"p50_us_{n}"], abs=2e-4)


def test_the_verb_says_what_is_wrong_in_a_line(home, small_model, error_of):
    folder = shutil.copytree(small_model, home / "models" / "small")
    write_manifest(folder, "lite", dataset="kmnist")
    for arguments in (["nothing"], ["small/model.onnx"], ["small", "--to", "int8"], ["small", "--data-dir", home]):
        assert error_of("quantize", *arguments)


def test_one_command_at_a_time_works_on_a_model(folder, home):
    from scripts.quantize import quantize as verb

    with journal.lock("trained"), pytest.raises(KernelError, match="another command of k2l is working on 'trained'"):
        verb(str(folder), to="onnx")


@pytest.mark.slow
@needs_mnist
def test_a_network_trained_on_mnist_loses_next_to_nothing_in_any_format(tmp_path):
    images = datasets.load("mnist")
    folder = train(tmp_path / "m", TrainConfig.create(architecture="sprint", dataset="mnist", epochs=1), images)
    made = quantize(folder, dataset=images)
    assert all(one.kept for one in made), [one.why for one in made]
