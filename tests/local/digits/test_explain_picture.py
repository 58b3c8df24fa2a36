"""`k2l explain`: which weights, which digit, and what is said of them."""

import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from local.digits import explain_picture
from local.models import registry
from shared.data.registry import DATASETS
from shared.networks.architectures import architecture, trace
from shared.training.metrics import surest_mistakes
from tests.local.model_folders import write_folder

PICTURES = Path(__file__).resolve().parents[2] / "data" / "pictures"


@pytest.fixture
def raw(tmp_path):
    """A digit as MNIST has it, saved as it is: 28x28, white on black."""
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 12:16] = 255
    cv2.imwrite(str(tmp_path / "raw.png"), image)
    return tmp_path / "raw.png"


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("name", ["compact", "sprint", "camera", "lite@1.5"])
def test_what_it_explains_ends_in_the_runtimes_own_logits(home, raw, name, framework):
    write_folder(home / "models" / "mine", name, framework, dataset="camera" if name == "camera" else "digits")
    opened = explain_picture.open_weights("mine")
    assert (opened.network.name, opened.model.file.suffix) == (name, {"torch": ".pth", "keras": ".keras"}[framework])
    subject = explain_picture.find(str(raw), opened, sure=0)
    told = explain_picture.explain(subject, opened)
    assert np.abs(told.logits - registry.open_runtime(opened.model).logits(subject.image[None])[0]).max() < 1e-4
    assert list(told.values) == ["input", *(row.name for row in trace(architecture(name)))]
    assert tuple(told.classes) == DATASETS["camera" if name == "camera" else "mnist"].classes


def test_both_frameworks_weights_give_the_same_maps(home, raw):
    for framework in ("torch", "keras"):
        write_folder(home / "models" / framework, "lite", framework)
    opened = [explain_picture.open_weights(framework) for framework in ("torch", "keras")]
    one, other = (explain_picture.explain(explain_picture.find(str(raw), model, sure=0), model) for model in opened)
    assert all(np.abs(one.values[name] - other.values[name]).max() < 1e-4 for name in one.values)
    assert np.abs(one.occlusion - other.occlusion).max() < 1e-4
    assert one.grad_cam_layer == other.grad_cam_layer and np.abs(one.grad_cam - other.grad_cam).max() < 1e-4


def test_a_keras_file_that_stands_alone_bears_its_networks_name(home, raw):
    write_folder(home / "x", "lite@1.5", "keras")
    shutil.copy(home / "x" / "model.keras", home / "alone.keras")
    assert explain_picture.open_weights(str(home / "alone.keras")).network.name == "lite@1.5"


def test_a_raw_digit_is_taken_as_it_is_and_a_page_is_cut(home, raw):
    write_folder(home / "models" / "mine", "lite")
    opened = explain_picture.open_weights("mine")
    assert np.array_equal(
        explain_picture.find(str(raw), opened, sure=0).image, cv2.imread(str(raw), cv2.IMREAD_GRAYSCALE)
    )
    cut = explain_picture.find(str(PICTURES / "7-light.png"), opened, sure=0)
    assert cut.image.shape == (28, 28) and cut.box is not None and cut.stem == "7-light"


def test_what_is_no_digit_is_taken_as_it_stands(home, tmp_path):
    """A shirt fills its picture: it is not cut out and made small, and a light background is turned dark."""
    write_folder(home / "models" / "clothes", "lite", dataset="fashion-mnist")
    shirt = np.full((28, 28), 255, np.uint8)
    shirt[2:26, 6:14] = 30
    cv2.imwrite(str(tmp_path / "shirt.png"), shirt)
    opened = explain_picture.open_weights("clothes")
    subject = explain_picture.find(str(tmp_path / "shirt.png"), opened)
    assert np.array_equal(subject.image, 255 - shirt) and "Shirt" in opened.classes


def test_a_test_image_and_a_misread_one(home, digits):
    write_folder(home / "models" / "mine", "lite")
    opened = explain_picture.open_weights("mine")
    eighth = explain_picture.find("test:8", opened)
    assert np.array_equal(eighth.image, digits.test_images[8]) and eighth.true == digits.test_labels[8]
    logits = opened.runtime.logits(digits.test_images)
    wrong = surest_mistakes(logits, digits.test_labels)
    assert np.all(logits[wrong].argmax(1) != digits.test_labels[wrong])
    assert len(wrong) == np.sum(logits.argmax(1) != digits.test_labels)
    first = explain_picture.find("misread:1", opened)
    told = explain_picture.explain(first, opened)
    assert told.wrong and np.array_equal(first.image, digits.test_images[wrong[0]]) and first.stem == "misread-1"
    second = explain_picture.explain(explain_picture.find("misread:2", opened), opened)
    assert told.confidence >= second.confidence


def test_the_verb_leaves_a_picture_and_tells_the_way(k2l, home, raw):
    write_folder(home / "models" / "mine", "lite")
    done = k2l("explain", raw, "--model", "mine", "--conf", "0", "--out", home / "seen")
    assert (
        "mine (lite) reads" in done.stdout and "globalaveragepool1" in done.stdout and "Most depends on" in done.stdout
    )
    target = home / "seen" / "raw-mine-explained.png"
    assert done.stderr.strip() == f"picture: {target}"
    with Image.open(target) as picture:
        assert picture.width == 1500 and picture.height > 1000


def test_json_is_one_object_alone_on_stdout(k2l, home, raw):
    write_folder(home / "models" / "mine", "sprint", "keras")
    done = k2l("explain", raw, "--model", "mine", "--conf", "0", "--out", home / "a.png", "--json")
    (facts,) = map(json.loads, done.stdout.splitlines())
    assert (facts["file"], facts["picture"], facts["architecture"]) == (str(raw), str(home / "a.png"), "sprint")
    assert facts["weights"].endswith("model.keras") and Path(facts["picture"]).is_file()
    assert {"layer": "conv1", "shape": [16, 10, 10]}.items() <= facts["layers"][2].items()
    assert len(facts["box"]) == 4 and facts["true"] is None


def test_without_out_the_picture_lies_where_one_is(home, raw, monkeypatch, capsys):
    from scripts.explain import place

    assert place(None, "photo") == Path("photo-explained.png")
    assert place(Path("seen"), "photo") == Path("seen/photo-explained.png")
    assert place(Path("seen/x.PNG"), "photo") == Path("seen/x.PNG")


def test_what_cannot_be_explained_is_refused_in_a_line(home, small_model, error_of, raw, digits):
    shutil.copytree(small_model, home / "models" / "small")
    assert "No model 'nothing'" in error_of("explain", raw, "--model", "nothing")
    onnx = home / "models" / "small" / "model.onnx"
    assert f"trained weights: here {onnx.with_name('model.pth')}" in error_of("explain", raw, "--model", onnx)
    shutil.copy(onnx, home / "alone.onnx")
    assert "there is none beside it" in error_of("explain", raw, "--model", home / "alone.onnx")
    blank = error_of("explain", PICTURES / "blank.png", "--model", "small")
    assert "no digit in it." in blank
    said = error_of("explain", raw, "--model", "small", "--conf", "1")
    assert "1 rejected: --conf 0 explains them as well" in said
    assert "has 1, read as" in error_of("explain", raw, "--model", "small", "--conf", "0", "--digit", "2")
    assert "test images 0 to" in error_of("explain", "test:999999", "--model", "small")
    assert "count from 1" in error_of("explain", "misread:0", "--model", "small")
    assert "No such file" in error_of("explain", home / "no.png", "--model", "small")
    assert "2 pictures; name the one" in error_of("explain", two(home), "--model", "small")
    (home / "file").write_text("")
    assert "it is a file, not a folder" in error_of("explain", raw, "--model", "small", "--out", home / "file")


def two(home):
    """A folder with two pictures."""
    (home / "two").mkdir()
    for name in "ab":
        shutil.copy(PICTURES / "7-light.png", home / "two" / f"{name}.png")
    return home / "two"


def test_int8_and_foreign_weights_name_what_to_use(home, error_of, raw):
    import torch

    from local.runtimes import torch_ao

    folder = write_folder(home / "models" / "mine", "lite")
    torch.save({"quantize.scale": torch.tensor(1.0)}, folder / "model.int8.pth")
    from shared.core import manifest

    manifest.add_files(folder, ["model.int8.pth"])
    assert torch_ao.is_int8(torch.load(folder / "model.int8.pth"))
    said = error_of("explain", raw, "--model", folder / "model.int8.pth")
    assert f"trained weights: here {folder / 'model.pth'}" in said
    assert explain_picture.open_weights("mine").model.file.name == "model.pth"


def test_of_both_frameworks_weights_those_are_read_whose_framework_is_here(home, monkeypatch):
    from local.export import convert_weights
    from local.model_files import formats
    from shared.core import manifest

    folder = write_folder(home / "models" / "mine", "sprint")
    opened = explain_picture.open_weights("mine")
    convert_weights.to_keras(opened.arrays, opened.network).save(folder / "model.keras")
    manifest.add_files(folder, ["model.keras"])
    assert explain_picture.open_weights("mine").model.file.name == "model.pth"
    monkeypatch.setattr(formats, "installed", lambda path: path.suffix == ".keras")
    again = explain_picture.open_weights("mine")
    assert again.model.file.name == "model.keras"
    assert all(np.array_equal(again.arrays[key], values) for key, values in opened.arrays.items())


def test_without_a_framework_it_says_what_to_install(home, error_of, raw, monkeypatch):
    write_folder(home / "models" / "mine", "lite")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "not installed here: pip install torch" in error_of("explain", raw, "--model", "mine")


def test_a_keras_model_of_another_kind_is_refused(home, error_of, raw):
    from shared.frameworks.start_keras import keras

    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    keras.Sequential(layers, name="mine").save(home / "mine.keras")
    assert "none of the networks of shared/networks/architectures.py" in error_of(
        "explain", raw, "--model", home / "mine.keras"
    )
    keras.Sequential(layers, name="compact").save(home / "false.keras")
    assert "compact has 11 layers" in error_of("explain", raw, "--model", home / "false.keras")
