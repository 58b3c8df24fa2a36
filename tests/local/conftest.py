import os
import subprocess
import sys

import pytest
import torch

from local import convert
from shared import manifest
from shared.architectures import architecture, count_parameters
from shared.build_torch import build_torch
from shared.data import load


def write_weights(path, name, seed=0):
    """An untrained network whose batch norms have seen something, so that every layer shows in the logits."""
    torch.manual_seed(seed)
    module = build_torch(architecture(name))
    module.train()
    with torch.no_grad():
        for _ in range(3):
            module(torch.rand(32, 1, 28, 28))
    torch.save(module.state_dict(), path)


def write_manifest(folder, name, **changed):
    """A manifest as a training leaves it."""
    facts = {
        "run_id": "r1",
        "name": folder.name,
        "framework": "torch",
        "architecture": name,
        "trainable_parameters": count_parameters(architecture(name)),
        "dataset": "digits",
        "parameters": {},
        "bundle_sha256": "",
        "source_commit": "",
        "environment": {},
        "metrics": {"validation": {}, "test": {}},
    }
    return manifest.write(folder, facts | changed)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """A model folder with weights and their export; to be copied before it is changed."""
    folder = tmp_path_factory.mktemp("models") / "small"
    folder.mkdir()
    write_weights(folder / "model.pth", "lite")
    convert.export_onnx(folder / "model.pth", folder / "model.onnx", architecture="lite")
    write_manifest(folder, "lite")
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty K2L_HOME with a models/ folder."""
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    monkeypatch.delenv("K2L_MODEL", raising=False)
    (tmp_path / "models").mkdir()
    return tmp_path


@pytest.fixture(scope="session")
def digits():
    return load("digits")


@pytest.fixture
def k2l(home):
    """Runs `python -m scripts` in a fresh process with the home's models; gives back the completed process."""

    def run(*arguments, check=True):
        command = [sys.executable, "-m", "scripts", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
        assert not check or done.returncode == 0, done.stderr
        return done

    return run
