import pytest

from local.core import shared_code
from shared.training.config import TrainConfig

CONFIG = TrainConfig.create(dataset="digits")
LOOP = "training/train_torch.py"


def sha256(config=CONFIG, framework="torch"):
    return shared_code.training_sha256(config, framework=framework)


@pytest.mark.parametrize(("change", "same"), [(("    # why\n", ""), True), (("learning_rate", "rate"), False)], ids=str)
def test_a_training_is_the_same_as_long_as_its_code_is(monkeypatch, change, same):
    before, read = sha256(), shared_code.read
    old, new = change if not same else ("import", "# a comment\nimport")
    monkeypatch.setattr(
        shared_code, "read", lambda file: read(file).replace(old, new, 1) if file == LOOP else read(file)
    )
    assert (sha256() == before) is same


def test_a_docstring_counts_for_nothing_and_a_parameter_for_much(monkeypatch):
    before, read = sha256(), shared_code.read
    assert sha256(TrainConfig.create(dataset="digits", seed=1)) != before != sha256(framework="keras")
    monkeypatch.setattr(shared_code, "read", lambda file: read(file).replace('"""', '"""Reworded. ', 1))
    assert sha256() == before
