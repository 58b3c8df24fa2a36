"""A training is described once, completely, and wrongly described ones are refused with the way out."""

import ast
import dataclasses

import pytest

from local.core import workspace
from shared.core.errors import ConfigError
from shared.networks.architectures import ARCHITECTURES
from shared.training.config import CHOICES, RANGES, RECIPES, TrainConfig, from_text


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


def test_every_parameter_has_a_choice_or_a_range():
    assert {field.name for field in dataclasses.fields(TrainConfig)} == {"architecture"} | set(CHOICES) | set(RANGES)


def test_a_recipe_knows_only_parameters_and_architectures():
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    for tables in RECIPES.values():
        assert set(tables) <= {"*", *ARCHITECTURES}
        assert all(set(table) <= names for table in tables.values())


def test_text_is_typed_as_the_parameter_is():
    assert from_text("epochs", "4") == 4
    assert from_text("learning_rate", "1e-3") == 1e-3
    assert from_text("recipe", "plain") == "plain"
    with pytest.raises(ConfigError, match=r"whole number, not '4.5'"):
        from_text("epochs", "4.5")
    with pytest.raises(ConfigError, match=r"did you mean 'seed'"):
        from_text("sed", "1")


@pytest.mark.parametrize(
    "notebook", sorted(workspace.kernels().glob("*/notebook.py")), ids=lambda path: path.parent.name
)
def test_a_notebooks_parameters_are_those_of_a_training(notebook):
    """Its cell lists every parameter there is and its own identity, and changes no default."""
    cell = notebook.read_text().split('tags=["parameters"]')[1].split("# %%")[0]
    declared = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell).body}
    identity = {"name", "run_id", "bundle_sha256", "source_commit"}
    assert set(declared) == {field.name for field in dataclasses.fields(TrainConfig)} | identity
    given = {name: value for name, value in declared.items() if name not in identity}
    assert TrainConfig.create(**given) == TrainConfig.create()
