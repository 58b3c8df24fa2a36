"""A training is described once, completely, and wrongly described ones are refused with the way out."""

import dataclasses

import pytest

from shared.core.errors import ConfigError
from shared.networks.architectures import ARCHITECTURES
from shared.training.config import PARAMETERS, RECIPES, TrainConfig, known
from shared.training.parameter import Number


def test_auto_is_the_data_set_that_a_network_is_made_for():
    assert TrainConfig.create(architecture="camera", dataset="auto").dataset == "camera"
    assert TrainConfig.create(architecture="camera").dataset == "camera"
    assert TrainConfig.create(architecture="camera", dataset="mnist").dataset == "mnist"
    assert TrainConfig.create(architecture="compact", dataset="auto").dataset == "auto"


def test_the_recipe_fills_in_what_is_not_given():
    config = TrainConfig.create(architecture="lite", learning_rate=0.5)
    assert (config.epochs, config.learning_rate) == (RECIPES["tuned"]["lite"]["epochs"], 0.5)


def test_a_network_of_another_width_has_its_familys_recipe():
    assert (
        TrainConfig.create(architecture="lite@1.5").learning_rate
        == TrainConfig.create(architecture="lite").learning_rate
    )


def test_none_means_what_the_recipe_says():
    assert TrainConfig.create(batch_size=None) == TrainConfig.create()


def test_digits_are_trained_for_longer_unless_told_otherwise():
    assert TrainConfig.create(dataset="digits").epochs > TrainConfig.create(dataset="mnist").epochs
    assert TrainConfig.create(dataset="digits", epochs=2).epochs == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"architecture": "compat"}, "did you mean 'compact'"),
        ({"architecture": "vgg"}, "there are: compact, baseline"),
        ({"architecture": "lite@wide"}, "width"),
        ({"architecture": "lite@0"}, "0.1 to 8"),
        ({"dataset": "MNIST"}, "did you mean 'mnist'"),
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"epochs": 0}, "1 to 1000"),
        ({"epochs": "3"}, "whole number"),
        ({"epochs": 2.5}, "whole number"),
        ({"epochs": True}, "whole number"),
        ({"learning_rate": float("nan")}, "out of range"),
        ({"learning_rate": "fast"}, "a number"),
        ({"recipe": "secret"}, "plain, tuned"),
        ({"dataset": "cifar"}, "fashion-mnist"),
        ({"device": "tpu"}, "auto, cpu, cuda"),
        ({"seed": -1}, "out of range"),
    ],
)
def test_a_wrong_parameter_is_named_with_the_way_out(given, said):
    with pytest.raises(ConfigError, match=said):
        TrainConfig.create(**given)


def test_every_parameter_says_what_it_is_and_takes_what_it_offers():
    usual = TrainConfig.create(optimizer="adamw")
    for name, one in PARAMETERS.items():
        assert one.name == name and one.doc[0].islower() and one.doc[-1] not in ".;:"
        for value in (one.low, one.high) if isinstance(one, Number) else one.choices:
            assert dataclasses.replace(usual, **{"weight_decay": 0.0, name: one.kind(value)})
            assert one.checked(one.parse(str(value))) == value


def test_a_recipe_knows_only_parameters_and_architectures():
    for tables in RECIPES.values():
        assert set(tables) <= {"*", *ARCHITECTURES}
        assert all(set(table) <= set(PARAMETERS) for table in tables.values())


def test_text_is_typed_as_the_parameter_is():
    assert known("epochs").parse("4") == 4
    assert known("learning_rate").parse("1e-3") == 1e-3
    assert known("recipe").parse("plain") == "plain"
    with pytest.raises(ConfigError, match=r"whole number, not '4.5'"):
        known("epochs").parse("4.5")
    with pytest.raises(ConfigError, match=r"did you mean 'seed'"):
        known("sed")
