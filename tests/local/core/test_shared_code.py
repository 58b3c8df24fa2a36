"""The code in `shared/`: what a training needs of it, and what makes two trainings the same."""

import pytest

from local.core import shared_code
from local.core.shared_code import training_sha256
from shared.training.config import TrainConfig

CONFIG = TrainConfig.create(architecture="lite", dataset="digits")


def test_files_come_with_all_that_they_need_and_after_it():
    found = shared_code.files("from shared.training import train_torch")
    for earlier, later in (
        ("__init__.py", "core/errors.py"),
        ("core/errors.py", "training/config.py"),
        ("networks/architectures.py", "networks/build_torch.py"),
        ("data/idx.py", "data/datasets.py"),
        ("data/datasets.py", "training/train_torch.py"),
    ):
        assert found.index(earlier) < found.index(later)
    assert len(found) == len(set(found))
    assert not {"networks/build_keras.py", "training/results.py", "explain/explanation.py"} & set(found)
    assert shared_code.files("import numpy") == []


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_training_is_the_same_with_the_same_code_parameters_and_framework(framework, monkeypatch):
    one = training_sha256(CONFIG, framework=framework)
    assert one == training_sha256(CONFIG, framework=framework)
    assert one != training_sha256(
        TrainConfig.create(architecture="lite", dataset="digits", seed=1), framework=framework
    )
    assert one != training_sha256(CONFIG, framework={"torch": "keras", "keras": "torch"}[framework])
    read = shared_code.read

    def change(changed, text):
        monkeypatch.setattr(shared_code, "read", lambda file: read(file) + text * (file == changed))
        return training_sha256(CONFIG, framework=framework)

    assert change("data/normalise.py", "X = 1\n") != one and change(f"training/train_{framework}.py", "X = 1\n") != one
    assert change("training/results.py", "X = 1\n") == one


def test_comments_and_docstrings_make_no_other_training(monkeypatch):
    one, read = training_sha256(CONFIG, framework="torch"), shared_code.read
    monkeypatch.setattr(shared_code, "read", lambda file: read(file).replace('"""', '"""Reworded. ', 1) + "# why\n")
    assert training_sha256(CONFIG, framework="torch") == one


def test_a_commit_is_that_of_the_folders_named(monkeypatch, tmp_path):
    assert len(shared_code.commit("shared").removesuffix("-dirty")) == 40
    monkeypatch.setattr("local.core.workspace.CHECKOUT", tmp_path)
    assert shared_code.commit("shared") == ""
