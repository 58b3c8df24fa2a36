"""What is worked out by hand is what the frameworks work out: values, and the gradients of every one of them."""

import numpy as np
import pytest
import torch

from shared.data.preprocessing import to_float
from shared.data.registry import GLYPH
from shared.explain import numpy_forward
from shared.networks import weights
from shared.networks.architectures import ARCHITECTURES, architecture, trace
from shared.networks.build_torch import build_torch

NETWORKS = [*ARCHITECTURES, "lite@1.5"]
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)


def built(name):
    """A network whose batch norms have seen something, its arrays, and itself."""
    torch.manual_seed(1)
    network = architecture(name)
    module = build_torch(network)
    with torch.no_grad():
        module.train()(torch.rand(16, 1, 28, 28))
    module.eval()
    return network, weights.of_torch(module.state_dict()), module


def values_of(module, images):
    """What each layer of the module gives, by name, with gradients kept."""
    latest, values = torch.from_numpy(to_float(images, GLYPH)).requires_grad_(), {}
    values["input"] = latest
    for name, layer in module.named_children():
        latest = layer(latest)
        latest.retain_grad()
        values[name] = latest
    return values


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_gives_what_pytorch_gives(name):
    network, arrays, module = built(name)
    theirs, ours = values_of(module, IMAGES), numpy_forward.forward(network, arrays, IMAGES)
    assert list(ours) == list(theirs) == ["input", *(row.name for row in trace(network))]
    for layer, values in ours.items():
        assert values.dtype == np.float32 and values.shape == tuple(theirs[layer].shape)
        assert np.abs(values - theirs[layer].detach().numpy()).max() < 1e-4, layer
    assert np.array_equal(numpy_forward.logits(network, arrays, IMAGES), list(ours.values())[-1])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_gradient_is_autograds(name):
    network, arrays, module = built(name)
    theirs, ours = values_of(module, IMAGES), numpy_forward.forward(network, arrays, IMAGES)
    *_, logits = theirs.values()
    direction = torch.randn_like(logits)
    logits.backward(direction)
    gradients = numpy_forward.backward(network, arrays, ours, direction.numpy())
    assert list(gradients) == list(reversed(list(theirs)))
    for layer, gradient in gradients.items():
        assert np.abs(gradient - theirs[layer].grad.numpy()).max() < 1e-4, layer


def test_the_way_back_can_end_early():
    network, arrays, _ = built("compact")
    values = numpy_forward.forward(network, arrays, IMAGES)
    gradients = numpy_forward.backward(network, arrays, values, np.ones((3, 10), np.float32), to="relu2")
    assert list(gradients)[-1] == "relu2"


def test_a_convolution_is_a_sum_over_a_window():
    maps, kernels = np.arange(2 * 25, dtype=np.float32).reshape(1, 2, 5, 5), np.ones((1, 2, 3, 3), np.float32)
    kernels[0, 1] = -1
    answers = numpy_forward.convolution(maps, kernels, np.float32([0.5]))
    assert answers.shape == (1, 1, 3, 3) and np.all(answers == -9 * 25 + 0.5)


def test_pooling_takes_the_largest_and_leaves_out_what_fills_no_window():
    maps = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    assert numpy_forward.max_pool(maps).tolist() == [[[[6, 8], [16, 18]]]]


@pytest.mark.parametrize("name", ["compact", "lite", "sprint", "camera"])
def test_the_weights_of_both_frameworks_are_the_same_arrays(name):
    from local.export import convert_weights

    network, arrays, module = built(name)
    again = weights.of_keras(convert_weights.to_keras(module.state_dict(), network), network)
    assert list(again) == list(arrays)
    assert all(np.array_equal(again[key], arrays[key]) for key in arrays)
