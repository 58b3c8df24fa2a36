"""Real digits: MNIST's own saved as pictures, and photographs. A network is trained for it, in about 15 seconds.

The figures here are floors that a change must not break, a few points under what was measured.
"""

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from local.runtimes import torch_runtime
from local.vision import glyphs, picture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mnist():
    if not os.environ.get("K2L_DATA"):
        pytest.skip("K2L_DATA is not set: no MNIST to train on")
    from shared.data import load

    return load("mnist", download=False)


@pytest.fixture(scope="module")
def network(mnist):
    """`compact`, two epochs."""
    from shared.config import TrainConfig
    from shared.train_torch import train

    trained = train(TrainConfig.create(architecture="compact", dataset="mnist", epochs=2, device="cpu"), mnist)
    return torch_runtime.TorchRuntime(module=trained.model, threads=1, classes=10)


def accuracy(network, greys, labels):
    """The share of pictures read right; a picture with no glyph in it counts as wrong."""
    found = [glyphs.single(grey) for grey in greys]
    blank = np.zeros((28, 28), np.uint8)
    predictions = network.logits(np.stack([blank if g is None else g.image for g in found])).argmax(1)
    there = np.array([g is not None for g in found])
    return float(((predictions == labels) & there).mean())


def photographs(kind):
    if not os.environ.get("K2L_PHOTOS"):
        pytest.skip("K2L_PHOTOS is not set: no photographs to read")
    folder = Path(os.environ["K2L_PHOTOS"])
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    return [picture.read(folder / row["file"]) for row in rows], np.array([int(row["label"]) for row in rows])


def test_mnists_own_images_read_from_files_as_well_as_directly(network, mnist, tmp_path):
    images, labels = mnist.test_images[:2000], mnist.test_labels[:2000]
    directly = float((network.logits(images).argmax(1) == labels).mean())
    greys = []
    for image in images:
        cv2.imwrite(str(tmp_path / "digit.png"), image)
        greys.append(picture.read(tmp_path / "digit.png"))
    assert directly > 0.98
    assert accuracy(network, greys, labels) >= directly - 0.003


def test_mnist_enlarged_on_paper_reads_nearly_as_well(network, mnist):
    images, labels = mnist.test_images[:500], mnist.test_labels[:500]
    pages = [
        cv2.resize(210 - (image * 0.6).astype(np.uint8), (224, 224), interpolation=cv2.INTER_CUBIC) for image in images
    ]
    assert accuracy(network, pages, labels) >= 0.97


@pytest.mark.parametrize(("kind", "floor"), [("single", 0.93), ("lowres", 0.84)])
def test_photographed_digits_are_read(network, kind, floor):
    greys, labels = photographs(kind)
    assert accuracy(network, greys, labels) >= floor
