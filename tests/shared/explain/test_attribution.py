"""Where a network looked: held against cases whose answer is known, and against the long way round."""

import numpy as np
import pytest
import torch
from torch import nn

from shared.data.preprocessing import to_float
from shared.data.registry import GLYPH
from shared.explain import attribution, numpy_forward
from shared.networks import weights
from shared.networks.architectures import architecture, trace
from shared.networks.build_torch import build_torch
from shared.training.metrics import softmax

IMAGE = np.random.default_rng(3).integers(0, 256, (28, 28)).astype(np.uint8)


def one_pixel(images):
    """Logits of somebody who looks at the pixel of row 9, column 20 alone: ink there is a 1, anything else a 0."""
    seen = images[:, 9, 20] / 255
    return np.stack([1 - seen, seen], axis=1)


def test_covering_what_is_looked_at_is_seen_and_nothing_else():
    image = np.full((28, 28), 255, np.uint8)
    fall = attribution.occlusion(image, one_pixel, 1)
    there = np.zeros((28, 28), bool)
    there[7:12, 18:23] = True  # every place whose 5 x 5 pixels hold that one
    assert np.array_equal(fall != 0, there) and fall[there] == pytest.approx(2)
    assert attribution.occlusion(image, one_pixel, 0)[there] == pytest.approx(-2)
    smaller = attribution.occlusion(image, one_pixel, 1, size=1)
    assert np.argwhere(smaller).tolist() == [[9, 20]]


def test_covering_paper_costs_nothing_and_is_not_tried():
    asked = []
    image = np.zeros((28, 28), np.uint8)
    image[9, 20] = 255
    attribution.occlusion(image, lambda images: asked.append(len(images)) or one_pixel(images), 1)
    assert asked == [1 + 25]
    assert not attribution.occlusion(np.zeros((28, 28), np.uint8), one_pixel, 1).any()


def test_the_corner_can_be_covered():
    covered = attribution.cover(np.full((28, 28), 9, np.uint8), 0, 27)
    assert np.argwhere(covered == 0).tolist() == [[row, column] for row in range(3) for column in (25, 26, 27)]


def test_log_odds_are_those_of_the_probability():
    logits = np.array([[1.0, 2.0, 0.5], [0.0, -3.0, 4.0]])
    share = softmax(logits)[:, 1]
    assert attribution.log_odds(logits, 1) == pytest.approx(np.log(share / (1 - share)))
    assert np.isfinite(attribution.log_odds(np.array([[900.0, 0.0]]), 0)).all()


@pytest.mark.parametrize("name", ["compact", "lite", "sprint", "camera", "improved", "lite@1.5"])
def test_grad_cam_is_what_autograd_makes_it(name):
    """Naively: the derivative by autograd, a loop over the maps, and each pixel of a map as a tent over the picture."""
    torch.manual_seed(2)
    network = architecture(name)
    module = build_torch(network).eval()
    arrays = weights.of_torch(module.state_dict())
    seen, layer = attribution.grad_cam(network, arrays, numpy_forward.forward(network, arrays, IMAGE[None]), 3)
    at = [row.name for row in trace(network)].index(layer) + 1
    before, behind = nn.Sequential(*list(module)[:at]), nn.Sequential(*list(module)[at:])
    maps = before(torch.from_numpy(to_float(IMAGE[None], GLYPH))).detach().requires_grad_()
    behind(maps)[0, 3].backward()
    expected = torch.zeros(maps.shape[2:])
    for one, gradient in zip(maps[0].detach(), maps.grad[0], strict=True):
        expected += gradient.mean() * one
    expected = torch.relu(expected).numpy()
    (first, _), step = attribution.field(network, layer)
    near = np.array([
        [max(0, 1 - abs(pixel - first - step * at) / step) for at in range(len(expected))] for pixel in range(28)
    ])  # fmt: skip
    assert np.abs(seen - near @ expected @ near.T).max() < 1e-5
    assert seen.shape == (28, 28) and seen.min() >= 0 and seen.max() <= expected.max() + 1e-6


def test_the_maps_chosen_can_still_say_where():
    assert {name: attribution.last_maps(architecture(name)) for name in ("compact", "lite", "sprint", "ds_cnn_v2")} == {
        "compact": "relu2", "lite": "relu4", "sprint": "relu2", "ds_cnn_v2": "relu2"
    }  # fmt: skip


def test_a_map_lies_where_its_pixels_see():
    """A picture with one pixel of ink: the place of the strongest answer, as `field` has it, is that pixel's."""
    image = np.zeros((28, 28), np.uint8)
    for name, layer in (("compact", "maxpool1"), ("lite", "relu4"), ("sprint", "relu2")):
        network = architecture(name)
        arrays = {key: np.ones_like(one) for key, one in weights.of_torch(build_torch(network).state_dict()).items()}
        (first, _), step = attribution.field(network, layer)
        image[:] = 0
        image[13:15, 13:15] = 255  # the middle: whatever is symmetric stays so
        maps = numpy_forward.forward(network, arrays, image[None])[layer][0, 0]
        places = first + step * np.arange(len(maps))
        assert maps.sum(axis=0) @ places / maps.sum() == pytest.approx(13.5, abs=0.51), name


def test_a_map_is_enlarged_by_straight_lines():
    large = attribution.enlarged(np.array([[0.0, 4.0], [0.0, 4.0]]), ((10, 10), 4), (28, 28))
    assert large[10, 10:15].tolist() == [0, 1, 2, 3, 4] and large[12, 14] == 4
    assert large[14, 14:19].tolist() == [4, 3, 2, 1, 0] and not large[:, 20:].any()
