"""Real digits, read by the networks of the zoo: MNIST's own saved as pictures, and photographs.

The figures here are floors that a change must not break, a few points under what was measured.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from local.digits import glyphs, labelled_photographs
from local.digits.reader import Reader
from local.models import registry
from local.pictures import picture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mnist():
    if not os.environ.get("K2L_DATA"):
        pytest.skip("K2L_DATA is not set: no MNIST to read")
    from shared.data.datasets import load

    return load("mnist", download=False, halves=["test"])


@pytest.fixture(scope="module")
def network():
    return registry.open_runtime(registry.find("compact"))


@pytest.fixture(scope="module")
def figures():
    """{kind: figures} of the photographs, as `k2l evaluate camera --photos` tells them."""
    if not os.environ.get("K2L_PHOTOS"):
        pytest.skip("K2L_PHOTOS is not set: no photographs to read")
    model = registry.find("camera")
    reader = Reader(registry.open_runtime(model), model.sure)
    verdicts = [
        labelled_photographs.judge(one, reader) for one in labelled_photographs.labelled(Path(os.environ["K2L_PHOTOS"]))
    ]
    return {row["kind"]: row for row in labelled_photographs.rows(verdicts) if not row["source"]}


def accuracy(network, greys, labels):
    """The share of pictures read right; a picture with no glyph in it counts as wrong."""
    found = [glyphs.single(grey) for grey in greys]
    blank = np.zeros((28, 28), np.uint8)
    predictions = network.logits(np.stack([blank if g is None else g.image for g in found])).argmax(1)
    there = np.array([g is not None for g in found])
    return float(((predictions == labels) & there).mean())


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


@pytest.mark.parametrize(("kind", "floor"), [("single", 0.97), ("lowres", 0.92), ("multi", 0.7)])
def test_photographed_digits_are_read(figures, kind, floor):
    assert figures[kind]["right"] >= floor
    assert figures[kind]["rejected"] <= 0.06


def test_what_is_no_digit_is_mostly_rejected(figures):
    assert figures["negative"]["false_accepts"] <= 0.11
