"""The training loop learns, repeats itself, and leaves what it says it leaves."""

import dataclasses

import numpy as np
import pytest
import torch

from shared import manifest, results
from shared.augment_torch import random_affine
from shared.build_torch import build_torch
from shared.config import TrainConfig
from shared.data import DataSet, load
from shared.errors import ConfigError
from shared.metrics import score
from shared.train_torch import predict, save_weights, train


@pytest.fixture(scope="module")
def data() -> DataSet:
    """A few hundred real digits: enough to learn from in a second."""
    digits = load("digits")
    return dataclasses.replace(digits, train_images=digits.train_images[:600], train_labels=digits.train_labels[:600])


def config(**given) -> TrainConfig:
    return TrainConfig.create(**{"dataset": "digits", "epochs": 2, "device": "cpu", "batch_size": 64, **given})


@pytest.mark.parametrize("given", [{}, {"recipe": "plain"}, {"precision": "bfloat16"}, {"ema": 0.8}], ids=str)
def test_it_learns(data, given):
    trained = train(config(epochs=12, **given), data)
    test = score(predict(trained.model, data.test_images), data.test_labels)
    assert test.accuracy > 0.8
    assert trained.history[-1]["train_loss"] < trained.history[0]["train_loss"]


def test_the_same_seed_gives_the_same_network(data):
    first, second, other = (train(config(seed=seed), data) for seed in (1, 1, 2))
    logits = [predict(one.model, data.test_images) for one in (first, second, other)]
    assert np.array_equal(logits[0], logits[1])
    assert not np.allclose(logits[0], logits[2])


def test_the_history_has_a_row_an_epoch_and_each_is_told(data):
    told, shares = [], []
    trained = train(config(epochs=3), data, told.append, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) % 3 == 0
    assert told == trained.history
    assert [row["epoch"] for row in told] == [1, 2, 3]
    assert set(told[0]) == {
        "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate", "seconds",
    }  # fmt: skip
    assert told[-1]["learning_rate"] < told[0]["learning_rate"]


def test_early_stopping_returns_the_best_epoch(data):
    trained = train(config(epochs=40, patience=1, recipe="plain", learning_rate=0.05, seed=3), data)
    losses = [row["validation_loss"] for row in trained.history]
    assert len(losses) < 40
    assert trained.validation.loss == min(losses)


def test_a_training_that_diverges_says_what_to_do(data, monkeypatch):
    def broken(network):
        model = build_torch(network)
        torch.nn.init.constant_(model.conv1.weight, float("nan"))
        return model

    monkeypatch.setattr("shared.train_torch.build_torch", broken)
    with pytest.raises(ConfigError, match=r"diverged in epoch 1.*learning_rate"):
        train(config(), data)


def test_augmentation_stays_within_its_bounds():
    """A dot in the middle moves by at most the shift, and nothing comes in from outside."""
    images = torch.zeros(200, 1, 28, 28)
    images[:, :, 13:15, 13:15] = 1
    moved = random_affine(images, rotation=30, shift=2, scale=0, generator=torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    assert torch.allclose(moved.sum((1, 2, 3)), torch.full((200,), 4.0), atol=0.3)
    where = (moved * torch.arange(28.0)).sum((1, 2, 3)) / moved.sum((1, 2, 3))
    assert (where - 13.5).abs().max() <= 2.05  # a bilinear sample is not quite even
    assert where.std() > 0.8


def test_no_augmentation_changes_nothing():
    images = torch.rand(4, 1, 28, 28)
    same = random_affine(images, rotation=0, shift=0, scale=0, generator=torch.Generator())
    assert torch.allclose(same, images, atol=1e-5)


def test_the_results_are_written_whole_and_vouched_for(data, tmp_path):
    wanted = config()
    trained = train(wanted, data)
    logits = predict(trained.model, data.test_images)
    test = score(logits, data.test_labels)
    save_weights(trained.model, tmp_path / "model.pth")
    stated = results.write(
        tmp_path,
        config=wanted,
        identity={"name": "n", "run_id": "r", "bundle_sha256": "b", "source_commit": "c"},
        framework="torch",
        environment=results.environment("torch", "CPU"),
        history=trained.history,
        validation=trained.validation,
        test=test,
        logits=logits,
        data=data,
        figures=results.draw(history=trained.history, data=data, logits=logits, test=test),
    )
    assert stated == manifest.verify(tmp_path)
    assert set(stated["files"]) == {
        "model.pth", "metrics.json", "history.csv", "predictions.npy", "labels.npy",
        "curves.png", "confusion.png", "samples.png", "misclassified.png",
    }  # fmt: skip
    assert stated["metrics"]["test"]["accuracy"] == test.accuracy
    assert stated["parameters"] == wanted.as_dict()
    predictions, labels = (np.load(tmp_path / f"{name}.npy") for name in ("predictions", "labels"))
    assert (predictions == labels).mean() == pytest.approx(test.accuracy)
    assert set(torch.load(tmp_path / "model.pth", weights_only=True)) == set(trained.model.state_dict())
    assert (tmp_path / "history.csv").read_text().splitlines()[0].startswith("epoch,train_loss,")
