"""The mean over views of an image: made as said, and an answer like any other."""

import numpy as np
import pytest

from local.evaluation import evaluate, test_time_augmentation
from local.models import registry
from local.runtimes import onnx_runtime
from shared.data.datasets import load


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_a_view_turns_and_resizes_about_the_middle():
    cross = np.zeros((1, 28, 28), np.uint8)
    cross[0, 13:15], cross[0, :, 13:15] = 255, 255
    assert (test_time_augmentation.view(cross, 0, 1) == cross).all()
    assert np.abs(test_time_augmentation.view(cross, 90, 1).astype(int) - cross).max() <= 1
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 4:24, 13:15] = 255
    left = test_time_augmentation.view(bar, 10, 1)[0]
    assert left[5, :13].sum() > left[5, 15:].sum()  # counter-clockwise: its top leans to the left
    heights = [(test_time_augmentation.view(bar, 0, scale)[0].max(axis=1) > 127).sum() for scale in (0.8, 1, 1.2)]
    assert heights == [16, 20, 24]


def test_the_answer_is_the_mean_over_all_views(digits):
    runtime = registry.open_runtime(registry.find("compact"))
    images = digits.test_images[:7]
    expected = np.mean(
        [runtime.logits(test_time_augmentation.view(images, *one)) for one in test_time_augmentation.VIEWS], axis=0
    )
    viewed = test_time_augmentation.Viewed(runtime)
    assert np.allclose(viewed.logits(images), expected, atol=1e-5)
    assert viewed.logits(images).dtype == np.float32 and viewed.logits(images[:0]).shape == (0, 10)
    assert len(viewed.bare(images)()) == len(test_time_augmentation.VIEWS)
    assert isinstance(runtime, onnx_runtime.OnnxRuntime)


def test_an_evaluation_says_that_it_is_over_views(digits):
    model = registry.find("compact")
    alone, seen = (evaluate.evaluate_all([(model, digits)], views=on)[0] for on in (False, True))
    assert (alone.runtime, seen.runtime) == ("onnxruntime", "onnxruntime, 5 views")
    assert seen.scores.accuracy != alone.scores.accuracy
