"""Both training loops learn, repeat themselves, and leave what they say they leave."""

import copy
import dataclasses
import importlib
import io
import json
import os
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from shared.core import manifest
from shared.core.errors import ConfigError, DivergedError
from shared.core.events import EpochEnded, StepEnded
from shared.data.datasets import DataSet, load
from shared.networks.architectures import (
    ARCHITECTURES,
    Architecture,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Relu,
    architecture,
)
from shared.networks.build_keras import build_keras
from shared.networks.build_torch import build_torch
from shared.training import results
from shared.training.config import TrainConfig
from shared.training.loop import StopTraining
from shared.training.metrics import score


@pytest.fixture(scope="module", params=["torch", "keras"])
def trainer(request):
    """The training loop of one framework; both have the same functions."""
    return importlib.import_module(f"shared.training.train_{request.param}")


@pytest.fixture(scope="module")
def data() -> DataSet:
    """A few hundred real digits: enough to learn from in a second."""
    digits = load("digits")
    return dataclasses.replace(digits, train_images=digits.train_images[:600], train_labels=digits.train_labels[:600])


def config(**given) -> TrainConfig:
    return TrainConfig.create(**{"dataset": "digits", "epochs": 2, "device": "cpu", "batch_size": 64, **given})


# A network with batch norm, whose statistics are averaged too, and dropout; Keras takes seconds to compile a deep one.
NORMED = Architecture(
    name="normed", source="", parameters=0,
    layers=(Conv(8, 5, stride=3, same=False), BatchNorm(), Relu(), Flatten(), Dropout(0.25), Dense(10)),
)  # fmt: skip
AVERAGED = {"ema": 0.8, "architecture": "normed"}


@pytest.fixture(scope="module", autouse=True)
def normed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "normed", NORMED)
        yield


@pytest.fixture(scope="module")
def followed(trainer, data):
    """One training of three epochs that many tests look at, with what was reported of it."""
    told, steps, snapshots = [], [], []

    def report(event):
        match event:
            case StepEnded(share=share):
                steps.append((share, *event.running()))
            case EpochEnded(row=row, epochs=3):
                told.append(row)
                snapshots.append(event.snapshot())

    trained = trainer.train(config(epochs=3), data, report)
    logits = trainer.predict(trained.model, data.test_images, data.input)
    return SimpleNamespace(trained=trained, told=told, steps=steps, snapshots=snapshots, logits=logits)


@pytest.fixture(scope="module")
def in_bfloat16(trainer, data):
    """A training with averaged weights in bfloat16."""
    return trainer.train(config(epochs=12, precision="bfloat16", **AVERAGED), data)


def test_it_learns(trainer, data, followed, in_bfloat16):
    plain = trainer.train(config(epochs=12, recipe="plain"), data)
    for trained in (followed.trained, in_bfloat16, plain):
        test = score(trainer.predict(trained.model, data.test_images, data.input), data.test_labels)
        assert test.accuracy > 0.8
        assert trained.history[-1]["train_loss"] < trained.history[0]["train_loss"]


def test_the_same_seed_gives_the_same_network(trainer, data, followed):
    again = trainer.train(config(epochs=3), data)
    assert np.array_equal(trainer.predict(again.model, data.test_images, data.input), followed.logits)


@pytest.mark.parametrize("other", [{"seed": 2}, {"rotation": 90.0}], ids=str)
def test_a_setting_that_differs_gives_another_network(trainer, data, followed, other):
    """Both rotations draw as many random numbers: nothing differs but what the images go through."""
    trained = trainer.train(config(epochs=3, **other), data)
    assert not np.allclose(trainer.predict(trained.model, data.test_images, data.input), followed.logits)


def test_the_averaged_weights_are_evaluated_and_kept(trainer, data):
    """The average of a hundred steps moves a little in ten, while the training runs ahead."""
    trained = trainer.train(config(architecture="sprint", ema=0.99, schedule="constant", learning_rate=0.003), data)
    first, last = trained.history
    assert last["train_loss"] < first["train_loss"] / 2
    assert 0.005 < first["validation_loss"] - last["validation_loss"] < 0.1
    _, held_out = data.split()
    kept = score(trainer.predict(trained.model, data.train_images[held_out], data.input), data.train_labels[held_out])
    assert kept == trained.validation and kept.loss == last["validation_loss"]


def test_a_prediction_is_the_same_each_time(trainer, data, followed):
    """Of a network with dropout, which is for training alone."""
    assert np.array_equal(trainer.predict(followed.trained.model, data.test_images, data.input), followed.logits)


def test_the_history_has_a_row_an_epoch_and_each_is_told(followed):
    told = followed.told
    shares, losses, accuracies = zip(*followed.steps, strict=True)
    assert list(shares) == sorted(shares) and shares[-1] == 1 and len(shares) % 3 == 0
    assert (losses[-1], accuracies[-1]) == (told[-1]["train_loss"], told[-1]["train_accuracy"])
    assert all(loss > 0 for loss in losses) and all(0 <= accuracy <= 1 for accuracy in accuracies)
    assert told == followed.trained.history
    assert [row["epoch"] for row in told] == [1, 2, 3]
    assert set(told[0]) == {
        "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate", "seconds",
        "cpu_seconds",
    }  # fmt: skip
    assert told[-1]["learning_rate"] < told[0]["learning_rate"]


def test_early_stopping_returns_the_best_epoch(trainer, data):
    trained = trainer.train(config(epochs=40, patience=1, recipe="plain", learning_rate=0.05, seed=3), data)
    losses = [row["validation_loss"] for row in trained.history]
    assert len(losses) < 40
    assert trained.validation.loss == min(losses)


@pytest.mark.parametrize("given", [AVERAGED | {"rotation": 9.0}, {"recipe": "plain", "patience": 2}], ids=str)
def test_a_training_that_goes_on_ends_in_the_same_network_to_the_bit(trainer, data, given):
    """From the file of a snapshot, with dropout, augmentation, averaged weights and a schedule on their way."""
    snapshots, file = [], io.BytesIO()

    def report(event):
        if isinstance(event, EpochEnded):
            snapshots.append(event.snapshot())

    whole = trainer.train(config(epochs=4, **given), data, report)
    trainer.save_state(snapshots[1].state, file)
    file.seek(0)
    snapshot = dataclasses.replace(snapshots[1], state=trainer.load_state(file))

    resumed = trainer.train(config(epochs=4, **given), data, resume=snapshot)
    logits = [trainer.predict(one.model, data.test_images, data.input) for one in (whole, resumed)]
    assert np.array_equal(*logits)
    assert resumed.validation == whole.validation
    assert [row["train_loss"] for row in resumed.history] == [row["train_loss"] for row in whole.history]
    assert resumed.history[:2] == snapshot.history and resumed.seconds > snapshot.seconds


def test_a_training_whose_last_epoch_had_ended_is_only_finished(trainer, data, followed):
    finished = trainer.train(config(epochs=3), data, pytest.fail, resume=followed.snapshots[-1])
    assert finished.validation == followed.trained.validation and finished.history == followed.trained.history
    assert np.array_equal(trainer.predict(finished.model, data.test_images, data.input), followed.logits)


def stop_in(epoch):
    """A report that interrupts the training on the second step of that epoch."""

    def report(event):
        if isinstance(event, StepEnded) and event.epoch == epoch and event.images > 64:
            raise StopTraining

    return report


def test_an_interrupted_training_gives_the_best_epoch_so_far(trainer, data):
    wanted = config(epochs=9, recipe="plain", learning_rate=0.03, seed=3)
    trained = trainer.train(wanted, data, stop_in(4))
    losses = [row["validation_loss"] for row in trained.history]
    assert (trained.interrupted, len(losses)) == ({"epoch": 3, "of": 9}, 3)
    assert trained.validation.loss == min(losses)


def test_a_training_interrupted_in_its_first_epoch_gives_nothing(trainer, data):
    with pytest.raises(StopTraining):
        trainer.train(config(), data, stop_in(1))


def test_a_training_that_diverges_says_what_to_do(trainer, data, monkeypatch):
    def broken_torch(network):
        model = build_torch(network)
        torch.nn.init.constant_(model.conv1.weight, float("nan"))
        return model

    def broken_keras(network):
        model = build_keras(network)
        model.get_layer("conv1").kernel.assign(model.get_layer("conv1").kernel * np.nan)
        return model

    monkeypatch.setattr("shared.training.train_torch.build_torch", broken_torch)
    monkeypatch.setattr("shared.training.train_keras.build_keras", broken_keras)
    with pytest.raises(DivergedError, match=r"diverged in epoch 1.*learning_rate"):
        trainer.train(config(), data)


def test_the_results_are_written_whole_and_vouched_for(trainer, data, followed, tmp_path):
    wanted, trained, logits = config(epochs=3), followed.trained, followed.logits
    test = score(logits, data.test_labels)
    trainer.save_weights(trained.model, tmp_path / trainer.WEIGHTS)
    framework = trainer.__name__.rpartition("_")[2]
    stated = results.write(
        tmp_path,
        config=wanted,
        identity={"name": "n", "run_id": "r", "bundle_sha256": "b", "source_commit": "c"},
        framework=framework,
        environment=results.environment(framework, "CPU"),
        trained=trained,
        test=test,
        logits=logits,
        data=data,
        figures=results.draw(history=trained.history, data=data, logits=logits, test=test),
    )
    assert stated == manifest.verify(tmp_path)
    assert set(stated.files) == {
        trainer.WEIGHTS, "metrics.json", "history.csv", "predictions.npy", "labels.npy",
        "curves.png", "confusion.png", "samples.png", "misclassified.png",
    }  # fmt: skip
    assert stated.metrics["test"]["accuracy"] == test.accuracy
    assert stated.parameters == wanted.as_dict()
    assert stated.training == {"seconds": trained.seconds, "cpu_seconds": trained.cpu_seconds}
    predictions, labels = (np.load(tmp_path / f"{name}.npy") for name in ("predictions", "labels"))
    assert (predictions == labels).mean() == pytest.approx(test.accuracy)
    assert {framework, "python", "numpy", "accelerator"} <= set(stated.environment)
    assert (tmp_path / "history.csv").read_text().splitlines()[0].startswith("epoch,train_loss,")


def test_the_weights_are_plain_float32_whatever_they_were_trained_in(trainer, in_bfloat16, tmp_path):
    file = tmp_path / trainer.WEIGHTS
    trainer.save_weights(in_bfloat16.model, file)
    if file.suffix == ".pth":
        weights = torch.load(file, weights_only=True)
        assert set(weights) == set(in_bfloat16.model.state_dict())
        assert {value.dtype for name, value in weights.items() if "num_batches" not in name} == {torch.float32}
        return
    assert {weight.dtype for weight in in_bfloat16.model.weights} == {"float32"}
    with zipfile.ZipFile(file) as keras_file:
        settings = keras_file.read("config.json")
    assert b"bfloat16" not in settings and b'"optimizer_config"' not in settings


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_keras_follows_the_learning_rates_of_torchs_one_cycle(strategy):
    from shared.training.optimizer_keras import OneCycle

    weights = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weights], 1.0, momentum=0.9)
    steps = 101
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps + 1, anneal_strategy=strategy)
    theirs = []
    for _ in range(steps):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert np.allclose(OneCycle(0.01, steps, linear=strategy == "linear")(np.arange(steps)), theirs, atol=1e-7)


def test_adam_with_weight_decay_is_refused_since_frameworks_differ_on_it():
    with pytest.raises(ConfigError, match="adamw"):
        config(optimizer="adam", weight_decay=0.1)


def test_three_steps_move_the_same_weights_to_the_same_place_in_both():
    """From equal first weights, on one batch, with batch norm in training mode: as in a training written out by hand.

    Adam's first step is of one size whatever its betas; the two that follow depend on both.
    """
    from local.export import convert_weights
    from shared.training import train_keras, train_torch

    network = architecture("lite")
    given = config(
        architecture="lite", schedule="constant", learning_rate=0.01, weight_decay=0.1, label_smoothing=0.1,
        beta1=0.7, beta2=0.9, rotation=0.0, shift=0.0, scale=0.0, precision="float32",
    )  # fmt: skip
    torch.manual_seed(0)
    by_hand = build_torch(network).train()
    module, model = copy.deepcopy(by_hand), convert_weights.to_keras(by_hand.state_dict(), network)
    images, labels = torch.rand(64, 1, 28, 28), torch.arange(64) % 10

    optimizer = torch.optim.AdamW(by_hand.parameters(), 0.01, betas=(0.7, 0.9), weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(by_hand(images), labels, label_smoothing=0.1).backward()
        optimizer.step()

    step = train_torch._Step(given, module, network.input, torch.device("cpu"), steps=10)
    train_keras._compile(model, given, steps=10)
    for _ in range(3):
        step(images, labels)
        model.train_on_batch(np.moveaxis(images.numpy(), 1, -1), np.eye(10, dtype=np.float32)[labels])

    for name, theirs in by_hand.state_dict().items():
        for ours in (module.state_dict()[name], convert_weights.to_torch(model, network)[name]):
            if name.endswith("running_var"):  # torch's is unbiased
                assert torch.allclose(theirs, ours, rtol=2e-2)
            elif "num_batches" not in name and not (name.endswith("bias") and "conv" in name):
                # Adam divides by the gradient's size: where there is next to none, rounding decides.
                assert ((theirs - ours).abs() < 1e-4).float().mean() > 0.98, name


def test_a_users_own_settings_of_keras_do_not_reach_in(tmp_path):
    (tmp_path / ".keras").mkdir()
    settings = {"backend": "jax", "image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1}
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(settings))
    code = (
        "from shared.networks.architectures import architecture; from shared.networks.build_keras import build_keras\n"
        "model = build_keras(architecture('compact')); print(model.output_shape, model.weights[0].dtype)"
    )
    hostile = {**os.environ, "HOME": str(tmp_path), "KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", code], env=hostile, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(None, 10) float32"
