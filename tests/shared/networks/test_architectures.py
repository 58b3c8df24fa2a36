"""The networks are what their table says, and PyTorch and Keras build just that."""

import dataclasses

import numpy as np
import pytest
import torch

from shared.core.errors import ConfigError
from shared.core.input_spec import InputSpec
from shared.networks import weights
from shared.networks.architectures import (
    ARCHITECTURES,
    BatchNorm,
    Conv,
    architecture,
    count_parameters,
    for_training,
    trace,
)
from shared.networks.build_keras import build_keras
from shared.networks.build_torch import FoldedConv, build_torch

every = pytest.mark.parametrize("network", ARCHITECTURES.values(), ids=lambda network: network.name)

STATED = {
    "compact": 206_922, "baseline": 421_642, "simple": 1_199_882, "ds_cnn_v1": 5_226, "ds_cnn_v2": 4_070,
    "ds_cnn_v3": 6_526, "lite": 4_006,
}  # fmt: skip


def classes(network):
    """Ten; the network for photographs has one more, for what is no digit."""
    return 11 if network.name == "camera" else 10


@every
def test_the_stated_parameters_are_the_computed_ones(network):
    assert network.parameters == count_parameters(network) == STATED.get(network.name, network.parameters)


def test_the_larger_networks_keep_to_their_budget():
    assert 2_400_000 <= ARCHITECTURES["improved"].parameters <= 2_500_000
    assert 105_000 <= ARCHITECTURES["sprint"].parameters <= 112_000
    assert ARCHITECTURES["lite"].parameters <= ARCHITECTURES["ds_cnn_v2"].parameters


@every
def test_torch_builds_the_same_shapes_and_parameters(network):
    model = build_torch(network).eval()
    assert sum(weights.numel() for weights in model.parameters() if weights.requires_grad) == network.parameters
    values = torch.zeros(2, 1, 28, 28)
    for module, row in zip(model, trace(network), strict=True):
        values = module(values)
        assert tuple(values.shape[1:]) == row.shape, row.kind
    assert values.shape == (2, classes(network))


@every
def test_keras_builds_the_same_shapes_and_parameters(network):
    model = build_keras(network)
    assert sum(int(np.prod(weights.shape)) for weights in model.trainable_weights) == network.parameters
    assert model.input_shape == (None, 28, 28, 1)
    for layer, row in zip(model.layers, trace(network), strict=True):
        height_width_channels = (*row.shape[1:], row.shape[0])
        assert layer.output.shape[1:] == height_width_channels, row.kind
    assert model.output_shape == (None, classes(network))


@every
def test_layers_bear_the_same_names_in_both(network):
    names = [row.name for row in trace(network)]
    assert [name for name, _ in build_torch(network).named_children()] == names
    assert [layer.name for layer in build_keras(network).layers] == names


def test_a_layer_is_named_by_its_kind_and_counted():
    assert [row.name for row in trace(architecture("sprint"))] == [
        "crop1", "conv1", "batchnorm1", "relu1", "conv2", "batchnorm2", "relu2",
        "flatten1", "dense1", "relu3", "dense2",
    ]  # fmt: skip


@every
def test_a_strided_convolution_never_pads(network):
    """`same` padding differs between frameworks where the stride is not 1."""
    for layer in network.layers:
        assert not (isinstance(layer, Conv) and layer.same and layer.stride != 1)


def test_the_logits_are_not_squeezed():
    logits = build_torch(architecture("compact")).eval()(torch.rand(64, 1, 28, 28) * 50)
    assert logits.min() < 0 and not torch.allclose(logits.exp().sum(1), torch.ones(64))


def test_batch_norm_has_one_epsilon_and_momentum():
    model = build_torch(architecture("lite"))
    norms = [module for module in model if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == sum(isinstance(layer, BatchNorm) for layer in architecture("lite").layers)
    assert {norm.eps for norm in norms} == {1e-5}
    theirs = [layer for layer in build_keras(architecture("lite")).layers if hasattr(layer, "moving_mean")]
    assert len(theirs) == len(norms)
    assert {layer.epsilon for layer in theirs} == {1e-5}
    assert {round(1 - layer.momentum, 9) for layer in theirs} == {norm.momentum for norm in norms}


def test_an_unknown_network_is_answered_with_all_there_are():
    with pytest.raises(ConfigError, match=r"did you mean 'baseline'.*there are: compact, baseline, simple"):
        architecture("basline")


def test_a_width_multiplies_filters_and_units_but_not_the_classes():
    wide = architecture("compact@2")
    assert [layer.filters for layer in wide.layers if isinstance(layer, Conv)] == [32, 64]
    assert wide.layers[-1] == architecture("compact").layers[-1]
    assert (wide.name, wide.family, wide.parameters) == ("compact@2", "compact", count_parameters(wide))


@every
def test_the_training_order_is_the_same_function(network):
    torch.manual_seed(0)
    usual, quick = build_torch(network).eval(), build_torch(for_training(network)).eval()
    quick.load_state_dict(usual.state_dict())
    images = torch.rand(4, 1, 28, 28)
    # Folded, a convolution adds the same products in another order.
    exactly = not any(isinstance(layer, FoldedConv) for layer in quick)
    assert torch.allclose(usual(images), quick(images), rtol=0, atol=0 if exactly else 1e-6)


def test_a_stride_that_divides_its_kernel_is_folded_whatever_is_left_over():
    torch.manual_seed(0)
    for kernel, stride, side in ((4, 2, 10), (4, 2, 11), (6, 3, 14), (2, 2, 9)):
        usual = torch.nn.Conv2d(3, 5, kernel, stride).to(memory_format=torch.channels_last)
        folded = FoldedConv(3, 5, kernel, stride).to(memory_format=torch.channels_last)
        folded.load_state_dict(usual.state_dict())
        ones, others = (torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)) for _ in range(2))
        answers = usual(ones.requires_grad_()), folded(others.requires_grad_())
        assert answers[0].shape == answers[1].shape and torch.allclose(*answers, atol=1e-6)
        for answer in answers:
            answer.square().sum().backward()
        assert torch.allclose(ones.grad, others.grad, atol=1e-5)
        assert torch.allclose(usual.weight.grad, folded.weight.grad, atol=1e-4)
    kinds = [layer.folded for layer in for_training(architecture("sprint")).layers if isinstance(layer, Conv)]
    assert kinds == [False, True]


WIDE = InputSpec(height=48, width=65, channels=3, color="RGB", resize="fit", mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.mark.parametrize("name", ["compact", "lite", "sprint", "ds_cnn_v2", "improved"])
def test_both_frameworks_build_a_network_for_other_pictures_and_classes(name):
    """Each layer of either framework gives the shape that `trace` says."""
    network = architecture(name, WIDE, 5)
    assert network.classes == 5 and network.input == WIDE and network.parameters != architecture(name).parameters
    images = torch.rand(2, *WIDE.shape)
    module, model = build_torch(network).eval(), build_keras(network)
    values = images
    for layer, other, row in zip(module, model.layers, trace(network), strict=True):
        values = layer(values)
        assert tuple(values.shape[1:]) == row.shape, row
        last = row.shape if len(row.shape) == 1 else (*row.shape[1:], row.shape[0])
        assert tuple(other.output.shape[1:]) == last, row
    arrays = weights.of_torch(module.state_dict())
    assert sum(array.size for key, array in arrays.items() if "running" not in key) == network.parameters


def test_the_layers_of_the_table_are_its_own_for_its_own_pictures():
    for name, network in ARCHITECTURES.items():
        assert architecture(name, network.input, network.classes) is network


@pytest.mark.parametrize(("name", "side", "layer"), [("improved", 12, "conv4"), ("sprint", 20, "crop1")])
def test_pictures_that_are_too_small_are_refused_with_the_layer(name, side, layer):
    small = dataclasses.replace(WIDE, height=side, width=side)
    with pytest.raises(ConfigError, match=rf"{name} is too deep for pictures of {side}x{side} RGB: .* {layer}"):
        architecture(name, small, 10)
