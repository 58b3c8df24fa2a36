"""A data set of other pictures goes through everything that digits go through: 32x32, in colour, four classes.

No number of MNIST's may be left anywhere on the way: each file of the network reads the pictures as it does.
"""

import dataclasses

import numpy as np
import pytest

from local.core import workspace
from local.digits import explain_picture
from local.digits.reader import Reader
from local.evaluation import benchmark
from local.evaluation.evaluate import evaluate, evaluate_all
from local.experiments.train import train
from local.export import export
from local.export.quantize import quantize
from local.models import registry
from local.runtimes import loading
from shared.core import manifest
from shared.core.errors import ModelError
from shared.core.input_spec import InputSpec
from shared.data import datasets
from shared.data.datasets import DataSet
from shared.data.registry import DATASETS, DatasetInfo
from shared.explain import explanation_plots
from shared.training import config
from shared.training.config import TrainConfig

COLOURS = DatasetInfo(
    name="colours",
    task="classification",
    classes=("red", "green", "blue", "white"),
    input=InputSpec(
        height=32,
        width=32,
        channels=3,
        color="RGB",
        resize="fit",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    ),
)


def pictures(count, seed):
    """A blot of a class's colour somewhere on a dark, grainy ground: uint8 [n, 32, 32, 3], and the classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(COLOURS.classes)
    images = rng.integers(0, 90, (count, *COLOURS.input.shape_of_bytes), np.uint8)
    colours = np.array([(220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 220)], np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(0, 20, 2)
        image[top : top + 12, left : left + 12] = colours[label]
    return images, labels.astype(np.int64)


@pytest.fixture(scope="module", params=["torch", "keras"])
def trained(request, tmp_path_factory):
    """The model folder that a training left, with all that can be made of it; and the data set."""
    (train_images, train_labels), (test_images, test_labels) = pictures(400, 0), pictures(80, 1)
    data = DataSet(
        name="colours",
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=COLOURS.classes,
        input=COLOURS.input,
        source="made here",
    )
    load = datasets.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("K2L_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setitem(DATASETS, "colours", COLOURS)
        word = config.PARAMETERS["dataset"]
        patch.setitem(config.PARAMETERS, "dataset", dataclasses.replace(word, choices=(*word.choices, "colours")))
        patch.setattr(datasets, "load", lambda name, **more: data if name == "colours" else load(name, **more))
        recipe = TrainConfig.create(
            architecture="lite", dataset="colours", epochs=6, device="cpu", batch_size=32, elastic=1.0, stroke=0.1
        )
        stated = train(recipe, framework=request.param, name="colours")
        folder = workspace.models() / "colours"
        export.export(folder)
        quantized = quantize(folder, ["onnx", "tflite", "torch"], max_drop=5)
        assert all(one.kept for one in quantized), [one.why for one in quantized]
        yield folder, stated, data


def logits_of(folder, name, data):
    return registry.open_runtime(registry.find(str(folder / name))).logits(data.test_images)


@pytest.mark.slow
def test_the_manifest_says_what_the_network_takes(trained):
    folder, stated, _ = trained
    read = manifest.read(folder)
    assert (read.input, read.classes) == (COLOURS.input, COLOURS.classes)
    assert read.trainable_parameters == stated.trainable_parameters != 4006
    assert stated.metrics["test"]["accuracy"] > 0.9


@pytest.mark.slow
def test_every_file_reads_the_pictures_alike(trained):
    folder, _, data = trained
    names = [one.file.name for one in registry.files(str(folder))]
    assert len(names) == 7  # four float ones, three in int8
    logits = {name: logits_of(folder, name, data) for name in names}
    reference = logits["model.pth"]
    assert reference.shape == (80, 4)
    for name in names:
        if "int8" not in name:
            assert np.abs(logits[name] - reference).max() < 1e-4, name
        assert (logits[name].argmax(axis=1) == data.test_labels).mean() > 0.9, name
    turned = registry.open_runtime(registry.find(str(folder / "model.onnx"))).logits(data.test_images[..., ::-1])
    assert (turned.argmax(axis=1) == data.test_labels).mean() < 0.8  # red and blue are not the same to it


@pytest.mark.slow
def test_it_is_evaluated_and_timed_and_explained(trained):
    folder, _, data = trained
    every = registry.files(str(folder))
    results = evaluate_all([(one, data) for one in every], views=False)
    assert {result.row()["dataset"] for result in results} == {"colours"}
    assert min(result.scores.accuracy for result in results) > 0.9
    assert evaluate_all([(every[0], data)], views=True)[0].scores.accuracy > 0.9
    rows = benchmark.bench(every[:1], batches=(1, 2), seconds=0.0)
    assert [row.batch for row in rows] == [1, 2] and rows[0].cold_start_s
    weights = explain_picture.open_weights(str(folder))
    told = explain_picture.explain(explain_picture.find("test:2", weights), weights)
    assert np.abs(told.logits - logits_of(folder, "model.onnx", data)[2]).max() < 1e-4
    assert told.occlusion.shape == told.grad_cam.shape == (32, 32) and "blue" in told.verdict()
    explanation_plots.way(told)


@pytest.mark.slow
def test_it_is_not_taken_for_a_network_of_digits(trained, digits):
    folder, _, _ = trained
    model = registry.find(str(folder))
    with pytest.raises(ModelError, match=r"model\.onnx takes 32x32 RGB pictures, digits has 28x28 grey ones"):
        evaluate(model, digits)
    with pytest.raises(ModelError, match="this network takes 32x32 RGB pictures"):
        Reader(registry.open_runtime(model))
    for name in ("model.onnx", "model.tflite", "model.keras"):
        with pytest.raises(ModelError, match="not a network of 28x28 grey images"):
            loading.load(folder / name)
    with pytest.raises(ModelError, match="does not hold the weights of lite"):
        loading.load(folder / "model.pth", architecture="lite")
