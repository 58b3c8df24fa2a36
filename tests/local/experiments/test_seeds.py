import dataclasses

import pytest

from local.core import workspace
from local.core.events import SeedBegun, SeedEnded
from local.core.shared_code import training_sha256
from local.experiments import seeds, train
from local.experiments.train import Training
from local.runs import journal
from shared.core import manifest
from shared.core.errors import ConfigError
from shared.training.config import TrainConfig
from tests.heard import Heard
from tests.local.model_folders import write_manifest

LOSSES = [0.3, 0.1, 0.2, 0.4, 0.05]
TRAINING = Training(
    config=TrainConfig.create(architecture="lite", dataset="digits", epochs=1), framework="torch", name="mine"
)


@pytest.fixture
def begun(home):
    """The seeds whose training was begun, in order, by `fake`."""
    return []


@pytest.fixture
def fake(begun):
    """A training that takes no time: seed 4 has the lowest validation loss of five, seed 0 the highest accuracy."""

    def fake_training(config, folder):
        begun.append(config.seed)
        folder.mkdir()
        (folder / "model.pth").write_bytes(bytes([config.seed]))
        metrics = {
            "validation": {"accuracy": 0.9, "loss": LOSSES[config.seed]},
            "test": {"accuracy": 0.99 - 0.01 * config.seed},
        }
        return write_manifest(
            folder, "lite", run_id=f"r{config.seed}", parameters=config.as_dict(), metrics=metrics,
            training={"seconds": 2.0 + config.seed, "cpu_seconds": 4.0},
            bundle_sha256=training_sha256(config, framework="torch"),
        )  # fmt: skip

    return fake_training


def test_each_seed_is_trained_once_and_the_lowest_validation_loss_is_kept(fake, begun):
    heard = Heard()
    done = seeds.trained(TRAINING, 3, train=fake, report=heard)
    assert begun == [0, 1, 2] and heard == [
        one for row in done.rows for one in (SeedBegun(row["seed"]), SeedEnded(row))
    ]
    assert done.elsewhere == [] and done.manifest == manifest.verify(workspace.models() / "mine")
    assert (workspace.models() / "mine" / "model.pth").read_bytes() == b"\x01"
    assert done.manifest.seeds == done.rows
    assert done.rows[2] == {
        "seed": 2, "validation_loss": 0.2, "validation_accuracy": 0.9, "test_accuracy": 0.97, "seconds": 4.0,
        "cpu_seconds": 4.0,
    }  # fmt: skip


def test_a_seed_that_was_chosen_on_something_else_is_kept(fake, begun):
    done = seeds.trained(TRAINING, 3, train=fake, keep=2)
    assert (workspace.models() / "mine" / "model.pth").read_bytes() == b"\x02" and done.manifest.kept == "by hand"
    assert not seeds.trained(TRAINING, 3, train=fake).manifest.kept and begun == [0, 1, 2]
    with pytest.raises(ConfigError, match="seed 3 cannot be kept: it is none of 0 to 2"):
        seeds.trained(TRAINING, 3, train=fake, keep=3)


def test_finished_seeds_are_not_trained_again_and_more_can_be_added(fake, begun):
    seeds.trained(TRAINING, 2, train=fake)
    export = workspace.models() / "mine" / "model.onnx"
    export.write_bytes(b"onnx")
    manifest.add_files(export.parent, [export.name])
    assert "model.onnx" in seeds.trained(TRAINING, 4, train=fake).manifest.files
    assert begun == [0, 1, 2, 3] and len(manifest.verify(export.parent).seeds) == 4 and export.exists()
    seeds.trained(TRAINING, 5, train=fake)
    assert manifest.verify(export.parent).run_id == "r4" and not export.exists()
    assert [path.read_bytes() for path in workspace.state().glob("replaced/mine/model.onnx")] == [b"onnx"]


def test_other_parameters_are_other_seeds(fake, begun):
    seeds.trained(TRAINING, 1, train=fake)
    longer = Training(
        config=TrainConfig.create(architecture="lite", dataset="digits", epochs=2), framework="torch", name="mine"
    )
    seeds.trained(longer, 1, train=fake)
    seeds.trained(TRAINING, 1, train=fake)
    assert begun == [0, 0]


def test_a_training_that_was_killed_or_ended_is_made_again(fake, begun):
    def killed(config, folder):
        if config.seed == 1:
            raise RuntimeError
        return fake(config, folder)

    def ended(config, folder):
        stated = dataclasses.replace(fake(config, folder), interrupted={"epoch": 1, "of": 2})
        manifest.save(folder, stated)
        raise train.Interrupted(1, 2, stated)

    with pytest.raises(RuntimeError):
        seeds.trained(TRAINING, 3, train=killed)
    with pytest.raises(train.Interrupted):
        seeds.trained(TRAINING, 3, train=ended)
    assert begun == [0, 1] and not (workspace.models() / "mine").exists()

    def again(config, folder):
        if folder.exists():  # an interrupted one is taken over, or moved away, by the training
            folder.rename(folder.with_name("interrupted"))
        return fake(config, folder)

    assert len(seeds.trained(TRAINING, 3, train=again).rows) == 3 and begun == [0, 1, 1, 2]


def test_two_commands_share_the_seeds_and_the_last_one_installs(fake, begun):
    def beside_another(config, folder):
        # another command starts while this one trains its first seed, and finds seed 0 taken
        if config.seed == 0:
            other = seeds.trained(TRAINING, 3, train=fake)
            assert other.elsewhere == [0] and other.manifest is None and len(other.rows) == 2
        return fake(config, folder)

    done = seeds.trained(TRAINING, 3, train=beside_another)
    assert begun == [1, 2, 0] and done.elsewhere == [] and len(done.manifest.seeds) == 3


def test_a_model_that_another_command_makes_is_not_replaced(fake, begun):
    with journal.lock("mine"), pytest.raises(Exception, match="another command"):
        seeds.trained(TRAINING, 1, train=fake)
    assert len(seeds.trained(TRAINING, 1, train=fake).rows) == 1 and begun == [0]


def test_they_are_told_with_their_spread():
    rows = [{"test_accuracy": value} for value in (0.990, 0.992)]
    assert seeds.summary(rows) == "99.10 % ± 0.14 (mean ± standard deviation of 2 seeds)"
    assert "spread is not known" in seeds.summary(rows[:1])


@pytest.mark.slow
def test_real_trainings_are_told_apart_by_their_seed(home, monkeypatch):
    monkeypatch.setattr("shared.training.results.draw", lambda **_: {})  # pictures would take most of the time

    def one(config, folder):
        return train.train(config, framework="torch", name="mine", folder=folder)

    done = seeds.trained(TRAINING, 2, train=one)
    stated = manifest.verify(home / "models" / "mine")
    assert stated.seeds == done.rows and [row["seed"] for row in done.rows] == [0, 1]
    assert done.rows[0]["validation_loss"] != done.rows[1]["validation_loss"]
    assert stated.parameters["seed"] == min(done.rows, key=lambda row: row["validation_loss"])["seed"]
    assert all(row["cpu_seconds"] > 0 for row in done.rows)
