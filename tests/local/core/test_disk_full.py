"""Whatever writes: a full disk is said with the place, at once, and nothing half-written stays.

No file may grow beyond a few bytes here: what a write meets on a full disk, but for the error's number.
"""

import importlib
import shutil

import numpy as np
import pytest

from local.core import outputs
from local.experiments.train import train
from local.export import export
from local.models import checkpoints
from shared.core import manifest
from shared.core.errors import DiskFullError
from shared.networks.architectures import architecture
from shared.training import results
from shared.training.config import TrainConfig
from shared.training.loop import Snapshot


def left(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_pictures_and_answers_are_left_out_together(tmp_path, limited_files):
    """numpy says only how much was written, and not why that was all."""
    full = pytest.raises(DiskFullError, match=f"^disk full: {tmp_path / 'seen'}\\.")
    with limited_files(1000), full, outputs.gathered(tmp_path / "seen") as stage:
        results.save_array(stage / "small.npy", np.zeros(10))
        results.save_array(stage / "large.npy", np.zeros(1000))
    assert left(tmp_path) == ["seen"]


@pytest.mark.parametrize("name", ["pth", "pt2", "onnx"])
def test_an_export_stays_out_and_the_model_is_as_it_was(small_model, tmp_path, limited_files, name):
    folder = tmp_path / "small"
    shutil.copytree(small_model, folder)
    before = left(folder), manifest.verify(folder)
    source = export.open_source(folder)
    _ = source.module
    target = folder / f"model.{name}"
    full = pytest.raises(DiskFullError, match=rf"^disk full: {target}\.")
    with limited_files(1000), full, outputs.in_manifest(target) as part:
        export.WRITERS[name](source, part)
    assert (left(folder), manifest.verify(folder)) == before


def test_a_keras_file_stays_out(tmp_path, limited_files):
    from shared.networks.build_keras import build_keras

    model = build_keras(architecture("lite"))
    with limited_files(1000), pytest.raises(DiskFullError), outputs.complete(tmp_path / "model.keras") as part:
        model.save(part)
    assert left(tmp_path) == []


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(tmp_path, limited_files, framework):
    """torch's own writer would end in a RuntimeError that speaks of a position in the file."""
    import torch

    trainer = importlib.import_module(f"shared.training.train_{framework}")
    values = {"torch": torch.zeros(5000), "keras": [np.zeros(5000)]}
    keeper = checkpoints.Keeper(tmp_path / "lite", {}, trainer.save_state)
    snapshot = Snapshot(history=[], seconds=1.0, cpu_seconds=1.0, state={"part": values[framework]})
    keeper.unwritten = snapshot
    keeper.write()
    before = left(tmp_path)
    keeper.unwritten = snapshot
    with limited_files(1000), pytest.raises(DiskFullError, match=rf"^disk full: {tmp_path}/lite/state-\w+\."):
        keeper.write()
    assert left(tmp_path) == before


@pytest.mark.slow
def test_a_training_leaves_no_model_and_no_half(home, limited_files, monkeypatch):
    monkeypatch.setattr("shared.training.results.draw", lambda **_: {})
    config = TrainConfig.create(architecture="sprint", dataset="digits", epochs=1, batch_size=256)
    with limited_files(10_000), pytest.raises(DiskFullError, match=f"^disk full: {home}/.k2l/"):
        train(config, framework="torch", name="small")
    assert left(home / "models") == [] and not [path for path in (home / ".k2l").rglob("*") if path.is_file()]
