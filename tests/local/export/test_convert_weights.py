import os
import re

import numpy as np
import pytest
import torch

from local.export import convert_weights
from shared.core.errors import ModelError
from shared.core.input_spec import InputSpec
from shared.data.datasets import load
from shared.data.preprocessing import to_float, to_nhwc
from shared.data.registry import GLYPH
from shared.explain import numpy_forward
from shared.networks.architectures import ARCHITECTURES, architecture
from shared.networks.build_torch import build_torch
from shared.networks.weights import of_torch
from tests.local.model_folders import write_weights
from tests.local.model_formats import images as probes


@pytest.fixture
def weights(tmp_path):
    def make(name):
        write_weights(tmp_path / "w.pth", name)
        return torch.load(tmp_path / "w.pth")

    return make


def torch_logits(weights, network, images):
    module = build_torch(network)
    module.load_state_dict(weights)
    module.eval()
    with torch.inference_mode():
        parts = [
            module(torch.from_numpy(to_float(images[at : at + 1000], GLYPH))) for at in range(0, len(images), 1000)
        ]
    return np.concatenate([part.numpy() for part in parts])


def keras_logits(model, images):
    parts = [model(np.moveaxis(to_float(images[at : at + 1000], GLYPH), 1, -1)) for at in range(0, len(images), 1000)]
    return np.concatenate([np.asarray(part) for part in parts])


def agree(one, other):
    assert np.abs(one - other).max() < 1e-4
    assert np.array_equal(one.argmax(1), other.argmax(1))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_go_to_keras_and_back_unchanged(weights, name):
    network, before = architecture(name), weights(name)
    model = convert_weights.to_keras(before, network)
    agree(keras_logits(model, probes()), torch_logits(before, network, probes()))
    after = convert_weights.to_torch(model, network)
    assert list(after) == list(before)
    for key, values in before.items():
        assert after[key].dtype == values.dtype, key
        assert key.endswith("num_batches_tracked") or torch.equal(after[key], values), key


@pytest.mark.parametrize("name", ["sprint", "lite"])
def test_weights_made_in_keras_say_the_same_in_torch(name):
    from shared.networks.build_keras import build_keras

    network, random = architecture(name), np.random.RandomState(1)
    model = build_keras(network)
    for variable in model.variables:
        if variable.name != "kernel":  # biases and batch norms that have learned something
            variable.assign(random.uniform(0.1, 1, variable.shape))
    agree(torch_logits(convert_weights.to_torch(model, network), network, probes()), keras_logits(model, probes()))


def test_arrays_do_as_well_as_tensors(weights):
    network, tensors = architecture("lite"), weights("lite")
    model = convert_weights.to_keras({key: values.numpy() for key, values in tensors.items()}, network)
    agree(keras_logits(model, probes()), torch_logits(tensors, network, probes()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("conv2.bias"), "conv2.bias of compact is missing"),
        (lambda weights: weights.update(other=torch.zeros(1)), "compact has no other"),
        (lambda weights: weights.update({"dense1.weight": torch.zeros(3, 4)}), "must be [128, 1568], and is [3, 4]"),
    ],
)
def test_weights_that_do_not_fit_are_told_by_name(weights, change, message):
    wrong = weights("compact")
    change(wrong)
    with pytest.raises(ModelError, match=re.escape(message)):
        convert_weights.to_keras(wrong, architecture("compact"))


def renamed(name, **changed):
    """A network in Keras whose layers are named by Keras, some of them made otherwise."""
    from shared.frameworks.start_keras import keras
    from shared.networks.build_keras import build_keras

    model = keras.Sequential([keras.Input((28, 28, 1))])
    for layer in build_keras(architecture(name)).layers:
        config = layer.get_config() | changed.get(layer.name, {})
        config.pop("name")
        model.add(type(layer).from_config(config))
    return model


@pytest.mark.parametrize("name", ["compact", "lite"])
def test_layers_that_keras_named_cross_over_by_their_order(name):
    network, model = architecture(name), renamed(name)
    assert not {layer.name for layer in model.layers} & set(dict(build_torch(network).named_children()))
    weights = convert_weights.to_torch(model, network)
    assert list(weights) == list(build_torch(network).state_dict())
    agree(torch_logits(weights, network, probes()), keras_logits(model, probes()))


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("lite", {"conv1": {"use_bias": True}}, r"conv1 of lite has 1 arrays, and conv2d\S* of Keras kernel, bias\."),
        ("compact", {"conv2": {"use_bias": False}}, r"conv2\.bias of compact is missing"),
        ("lite", {"batchnorm1": {"scale": False}}, r"batchnorm1\.weight of lite is missing"),
    ],
)
def test_layers_that_have_other_arrays_are_told_in_a_line(name, changed, message):
    with pytest.raises(ModelError, match=message) as told:
        convert_weights.to_torch(renamed(name, **changed), architecture(name))
    assert len(str(told.value).splitlines()) == 1


def test_a_model_of_another_network_is_refused():
    from shared.networks.build_keras import build_keras

    model = build_keras(architecture("compact"))
    with pytest.raises(ModelError, match=r"lite has 19 layers, and the Keras model 11"):
        convert_weights.to_torch(model, architecture("lite"))
    with pytest.raises(ModelError, match=r"conv1\.weight of baseline must be \[3, 3, 1, 32\], and is \[3, 3, 1, 16\]"):
        convert_weights.to_torch(model, architecture("baseline"))


@pytest.mark.skipif("K2L_DATA" not in os.environ, reason="needs MNIST: set K2L_DATA")
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_test_images_of_mnist_get_the_same_answers_both_ways(weights, name):
    """Five hundred: what a network of random weights answers to more of them is more of the same."""
    images, network = load("mnist").test_images[:500], architecture(name)
    model = convert_weights.to_keras(weights(name), network)
    agree(keras_logits(model, images), torch_logits(convert_weights.to_torch(model, network), network, images))


@pytest.mark.parametrize("name", ["compact", "sprint", "lite"])
def test_weights_cross_over_for_other_pictures_too(name, tmp_path):
    """In colour, no square, and with an odd frame around the crop: flattened rows and the crop's place are the same."""
    spec = InputSpec(
        height=33, width=47, channels=3, color="RGB", resize="fit", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)
    )
    network = architecture(name, spec, 5)
    write_weights(tmp_path / "w.pth", name, spec=spec, classes=5)
    tensors = torch.load(tmp_path / "w.pth")
    module = build_torch(network)
    module.load_state_dict(tensors)
    model = convert_weights.to_keras(tensors, network)
    images = np.random.default_rng(0).integers(0, 256, (16, *spec.shape_of_bytes), np.uint8)
    batch = to_float(images, spec)
    with torch.inference_mode():
        ours = module.eval()(torch.from_numpy(batch)).numpy()
    assert np.abs(model(to_nhwc(batch, spec), training=False).numpy() - ours).max() < 1e-4
    by_hand = numpy_forward.logits(network, of_torch(tensors), images)
    assert by_hand.shape == (16, 5) and np.abs(by_hand - ours).max() < 1e-4
    back = of_torch(convert_weights.to_torch(model, network))
    assert all(np.array_equal(back[key], values) for key, values in of_torch(tensors).items())
