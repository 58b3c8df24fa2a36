"""The workspace: which folder it is."""

import pytest

from shared.core.errors import ConfigError
from shared.core.home import home
from shared.data.datasets import data_folder


@pytest.fixture(autouse=True)
def unnamed(monkeypatch, tmp_path):
    """No variable names one, and this folder is empty."""
    monkeypatch.delenv("K2L_HOME", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def checkout(tmp_path):
    """A checkout, as far as it is looked at."""
    folder = tmp_path / "checkout"
    (folder / "docs" / "deep").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "kaggle-to-local"\n', encoding="utf-8")
    return folder


def test_any_folder_is_its_own_workspace(tmp_path):
    assert home() == tmp_path and data_folder() == tmp_path / "data"


def test_inside_a_checkout_it_is_the_checkout(checkout, monkeypatch):
    for folder in (checkout, checkout / "docs", checkout / "docs" / "deep"):
        monkeypatch.chdir(folder)
        assert home() == checkout


@pytest.mark.parametrize(
    "content", [b'[project]\nname = "another"\n', b'# name = "kaggle-to-local"\n', b"\xff\xfe\x00"]
)
def test_another_project_is_no_checkout_of_this_one(checkout, monkeypatch, content):
    (checkout / "pyproject.toml").write_bytes(content)
    monkeypatch.chdir(checkout / "docs")
    assert home() == checkout / "docs"


def test_the_variable_comes_first(checkout, tmp_path, monkeypatch):
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "named"))
    assert home() == tmp_path / "named" and not home().exists()
    monkeypatch.setenv("K2L_HOME", "")
    assert home() == checkout
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("K2L_HOME", "~/mine")
    assert home() == tmp_path / "mine"


def test_a_run_on_kaggle_keeps_to_its_own_folder(checkout, monkeypatch):
    # The emulator's sessions lie in the workspace, which can be the checkout.
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.chdir(checkout / "docs")
    assert data_folder() == checkout / "docs" / "data"


def test_a_folder_that_is_gone_is_reported(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match=r"current folder is gone\. .*K2L_HOME"):
        home()
    monkeypatch.chdir(tmp_path)
