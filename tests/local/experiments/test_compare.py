import dataclasses
import json
import pickle
import signal

import numpy as np
import pytest

from local.core import workspace
from local.core.events import Resumed
from local.experiments import compare
from local.experiments.compare import Network, trained
from local.experiments.train import Training
from local.models import checkpoints, registry
from shared.core.errors import ModelError
from shared.core.events import StepEnded
from shared.training.config import TrainConfig
from tests.heard import Heard


def training(architecture, **changed):
    config = TrainConfig.create(**{"architecture": architecture, "dataset": "digits", "epochs": 1, **changed})
    return Training(config=config, framework="torch", name=f"{architecture}-torch")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One K2L_HOME for all of these tests: a training takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("K2L_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def heard():
    return Heard()


@pytest.fixture(scope="module")
def pair(home, heard):
    return [trained(training(name), report=heard) for name in ("ds_cnn_v1", "lite")]


@pytest.fixture
def untrained(monkeypatch):
    """Has a training raise Started in place of running."""

    class Started(Exception):
        pass

    def start(*_, **__):
        raise Started

    monkeypatch.setattr(compare.train, "train", start)
    return Started


def test_a_network_is_trained_once_and_found_again(pair, heard, untrained):
    again = trained(training("lite"))
    assert (pair[1].trained_now, again.trained_now, len(heard.all("row"))) == (True, False, 2)
    assert again.manifest == pair[1].manifest and registry.find("lite-torch").architecture == "lite"
    assert again.row() | {"trained_now": True} == pair[1].row()


def test_other_parameters_and_the_wish_for_it_train_anew(pair, untrained):
    for wanted, options in ((training("lite", seed=1), {}), (training("lite"), {"again": True})):
        with pytest.raises(untrained):
            trained(wanted, **options)


def test_a_folder_without_its_manifest_is_not_taken_for_trained(pair, untrained):
    manifest = pair[1].folder / "manifest.json"
    moved = manifest.rename(manifest.with_suffix(".moved"))
    try:
        with pytest.raises(untrained):
            trained(training("lite"))
    finally:
        moved.rename(manifest)


def test_an_interrupted_training_goes_on_in_place_of_being_taken_for_trained(home, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    wanted = dataclasses.replace(training("sprint", epochs=3), name="stopped")

    def ctrl_c(event):
        if isinstance(event, StepEnded) and event.epoch == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trained(wanted, report=ctrl_c)
    assert json.loads((wanted.folder / "manifest.json").read_text())["interrupted"] == {"epoch": 1, "of": 3}
    heard = Heard()
    network = trained(wanted, report=heard)
    assert heard[0] == Resumed(1, 3) and [row["epoch"] for row in heard.all("row")] == [2, 3]
    assert network.trained_now and network.row()["epochs"] == 3 and not network.manifest.interrupted


def test_a_row_has_what_a_comparison_is_made_of(pair):
    row = pair[1].row()
    assert (row["name"], row["architecture"], row["trainable_parameters"]) == ("lite-torch", "lite", 4006)
    assert (row["epochs"], row["test_images"], row["trained_now"]) == (1, 360, True)
    assert row["seconds_epoch"] == row["seconds_training"] > 0 and 0 <= row["standard_error"] < 0.03
    assert row["test_accuracy"] == pair[1].manifest.metrics["test"]["accuracy"]


def test_differences_come_from_the_answers_left_behind(pair):
    (one,) = compare.differences(pair).values()
    accuracies = [network.test_accuracy for network in pair]
    assert (one.only_first - one.only_second) / 360 == pytest.approx(accuracies[0] - accuracies[1])


def test_both_pictures_are_written(pair, tmp_path):
    pictures = compare.draw(pair, tmp_path / "pictures")
    assert [path.name for path in pictures] == ["curves.png", "parameters.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_the_verb_trains_what_is_not_there_and_prints_one_object_a_network(pair, home, k2l):
    arguments = ("--architectures", "lite,sprint,lite", "--dataset", "digits", "--epochs", "1", "--out", home / "out")
    done = k2l("compare", *arguments, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["name"], row["trained_now"]) for row in rows] == [("lite-torch", False), ("sprint-torch", True)]
    assert "lite-torch already" in done.stderr and "epoch 1/1" in done.stderr
    assert {path.name for path in (home / "out").iterdir()} == {"curves.png", "parameters.png"}


def test_the_verb_prints_a_table_for_people(pair, k2l):
    done = k2l("compare", "--architectures", "ds_cnn_v1,lite", "--dataset", "digits", "--epochs", "1")
    assert "4,006" in done.stdout and "McNemar" in done.stdout
    assert str(workspace.build() / "compare" / "curves.png") in done.stderr


def test_a_network_of_another_width_has_a_name_that_a_folder_can_have():
    from scripts.compare import plan
    from scripts.steps import training_options

    wanted = training_options.Requested(named={"dataset": "digits"}, framework="torch,keras")
    trainings = plan(wanted, "lite,lite@1.5", prefix="my-", data_dir=None)
    assert [one.name for one in trainings] == [
        "my-lite-torch",
        "my-lite-keras",
        "my-lite-1.5-torch",
        "my-lite-1.5-keras",
    ]


def test_what_does_not_exist_is_told_before_anything_is_trained(error_of):
    for arguments, said in (
        (["--architectures", "lite,vgg"], "architecture 'vgg' does not exist"),
        (["--architectures", ","], "--architectures has no names"),
        (["--framework", "jax"], "framework 'jax' does not exist"),
        (["--prefix", "../"], "cannot be a folder's"),
        (["--set", "architecture=lite"], "--architectures says which"),
        (["--set", "colour=red"], "parameter 'colour' does not exist"),
    ):
        assert said in error_of("compare", "--dataset", "digits", *arguments)


class Trap:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


def test_answers_that_would_run_code_or_are_none_are_refused_in_a_line(tmp_path):
    network = Network(folder=tmp_path, manifest={}, history=[], trained_now=False)
    traps = [np.array([Trap(tmp_path / "it-ran")]), np.zeros((2, 2), int), np.zeros(3)]
    for trap in traps:
        for name in ("labels.npy", "predictions.npy"):
            np.save(tmp_path / name, trap, allow_pickle=True)
        with pytest.raises(ModelError, match=r"npy is no row of whole numbers .*again\.$"):
            compare.differences([network, network])
    (tmp_path / "labels.npy").write_bytes(pickle.dumps(traps[0]))
    with pytest.raises(ModelError, match=r"labels\.npy"):
        _ = network.test_images
    assert not (tmp_path / "it-ran").exists()
