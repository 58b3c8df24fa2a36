import pytest

from local.sweep.space import SPACES, Choice, Range, changed, check_space, dimension, space, usual_space
from local.sweep.task import Task, differences
from shared.core.errors import ConfigError
from shared.networks.architectures import ARCHITECTURES
from shared.training.config import RECIPES, TrainConfig


def task(*texts, **given):
    given = {"architecture": "lite", "dataset": "digits", "epochs": 2, **given}
    return Task(config=TrainConfig.create(**given), framework="torch", space=space(texts))


def test_a_dimension_is_read_as_it_is_written():
    assert dimension("learning_rate=1e-3:3e-2:log") == Range(name="learning_rate", low=0.001, high=0.03, log=True)
    assert dimension("batch_size=32:512") == Range(name="batch_size", low=32, high=512)
    assert dimension("rotation=0:20:3") == Range(name="rotation", low=0.0, high=18.0, step=3.0)  # 18 is the last step
    assert dimension("scale=0:0.15:0.05").high == 0.15
    assert dimension("optimizer=adam, adamw") == Choice(name="optimizer", values=("adam", "adamw"))
    assert dimension("width=0.5:2") == Range(name="width", low=0.5, high=2.0)
    for text in ("learning_rate=0.001:0.03:log", "rotation=0.0:18.0:3.0", "batch_size=64,128", "width=0.5:2.0"):
        one = dimension(text)
        assert f"{one.name}={one.text}" == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lerning_rate=1:2", "did you mean 'learning_rate'"),
        ("learning_rate", "is no space"),
        ("learning_rate=0.1", "a single value is given by its own option"),
        ("batch_size=64,64", "is no space"),
        ("learning_rate=3:1", "low end must be below"),
        ("learning_rate=nan:1", "low end must be below"),
        ("learning_rate=0:1:log", "begins above 0"),
        ("rotation=0:20:30", "a step that fits"),
        ("rotation=0:20:nan", "a step that fits"),
        ("batch_size=1.5:3", "whole number"),
        ("optimizer=adam:adamw", "no range of words"),
        ("epochs=1:5", "--epochs says it"),
        ("seed=0,1", "--seeds"),
        ("architecture=lite,compact", "width"),
    ],
)
def test_what_is_no_dimension_is_named(text, said):
    with pytest.raises(ConfigError, match=said):
        dimension(text)


def test_values_that_cannot_be_trained_are_found_before_anything_is_trained():
    config = TrainConfig.create(architecture="lite")
    for texts, said in (
        (["learning_rate=1e-9:1"], "out of range"),
        (["width=0.01:1"], "0.1 to 8"),
        (["optimizer=sgd,adam"], "'sgd' does not exist"),
        (["optimizer=adam,adamw"], "takes no weight_decay"),
        (["batch_size=32,64", "batch_size=1:2"], "given twice"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_space(config, space(texts))
    with pytest.raises(ConfigError, match="leave the @"):
        check_space(TrainConfig.create(architecture="lite@2"), space(["width=1:2"]))
    check_space(TrainConfig.create(weight_decay=0.0), space(["optimizer=adam,adamw"]))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_has_a_usual_space_that_can_be_trained(name, recipe):
    config = TrainConfig.create(architecture=name, recipe=recipe)
    usual = usual_space(config)
    check_space(config, usual)
    assert "learning_rate" in {one.name for one in usual}
    assert Task(config=config, framework="torch", space=usual).recipe() is not None  # the first trial
    assert ("weight_decay" in {one.name for one in usual}) == (config.optimizer != "adam")
    assert "rotation" not in {one.name for one in usual_space(config, fixed=["rotation"])}


def test_a_usual_space_holds_values_that_are_unusual():
    config = TrainConfig.create(weight_decay=0.0, batch_size=100, learning_rate=0.5)
    found = {one.name: one.text for one in usual_space(config)}
    assert found["weight_decay"] == "0.0:0.1" and found["batch_size"] == "64,100,128,256"
    assert found["learning_rate"] == "0.001:0.5:log"


def test_the_usual_spaces_are_of_architectures_that_exist():
    assert set(SPACES) - {"*"} <= set(ARCHITECTURES)


def test_a_width_is_one_of_the_networks_name_and_a_number_has_few_digits():
    one = task("learning_rate=1e-3:3e-2:log", "width=0.5:2", "batch_size=32,64")
    drawn = {"learning_rate": 0.012345678, "width": 1.23456789, "batch_size": 32}
    (config,) = one.configs(drawn)
    assert (config.architecture, config.learning_rate, config.batch_size) == ("lite@1.2346", 0.012346, 32)
    assert one.configs(drawn | {"width": 1.0})[0].architecture == "lite"
    assert one.values({"learning_rate": 0.0299999999}) == {"learning_rate": 0.03}  # never beyond the end
    assert changed(config, {}) == config


def test_the_recipe_is_a_point_of_the_space_where_it_lies_inside():
    assert task("learning_rate=1e-3:1e-1", "width=0.5:2", learning_rate=0.02).recipe() == {
        "learning_rate": 0.02,
        "width": 1.0,
    }
    assert task("learning_rate=1e-3:1e-2", learning_rate=0.02).recipe() is None
    assert task("rotation=0:9:3", rotation=6.0).recipe() == {"rotation": 6.0}
    assert task("rotation=0:9:3", rotation=5.0).recipe() is None


def test_what_differs_between_two_sweeps_is_said_in_words():
    here = task("rotation=0:9", shift=1.0).facts()
    assert differences(here, task("rotation=0:9", shift=1.0, device="cpu").facts()) == []
    other = task("rotation=0:5", epochs=3, shift=2.0).facts()
    assert differences(here, other) == [
        "epochs 2 there, 3 here", "shift 1.0 there, 2.0 here", "--search rotation 0.0:9.0 there, 0.0:5.0 here",
    ]  # fmt: skip
    older = {key: value for key, value in here.items() if key not in ("ema", "shift")}
    assert differences(older, here) == ["shift 0.0 there, 1.0 here"]  # what was not known yet had its default


def test_the_command_trains_exactly_the_trial(monkeypatch):
    from scripts import train
    from scripts.__main__ import main

    one = task("learning_rate=1e-3:3e-2:log", "width=0.5:2", "ema=0,0.99", scale=0.05, recipe="plain", seed=3)
    drawn = {"learning_rate": 0.0123456, "width": 0.7, "ema": 0.99}
    seen = []

    def stop(wanted, **_):
        seen.append((wanted.config(), wanted.framework, wanted.name))
        raise SystemExit(0)

    monkeypatch.setattr("scripts.steps.training_options.Requested.model", lambda wanted, config: stop(wanted))
    monkeypatch.setattr("sys.argv", one.command(drawn, name="best").split())
    with pytest.raises(SystemExit):
        main()
    assert train and seen == [(one.configs(drawn)[0], "torch", "best")]
