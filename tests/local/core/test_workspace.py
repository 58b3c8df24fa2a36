"""What comes with the code lies in the checkout or in the installation; what a person makes, in the workspace."""

import pytest

from local.core import shared_code, workspace
from shared.core.errors import ConfigError


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The folder that a wheel was unpacked into, in somebody's repository."""
    place = tmp_path / "repository" / ".venv" / "site-packages"
    (place / workspace.SHIPPED).mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.txt"):  # which other packages leave there
        (place / name).write_text("strangers = 1\n", encoding="utf-8")
    monkeypatch.setattr(workspace, "CHECKOUT", place)
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "mine"))
    return place


def test_a_checkout_has_its_own_notebooks_and_networks(monkeypatch, tmp_path):
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    root = workspace.CHECKOUT
    assert workspace.need_checkout("it") == root
    assert (workspace.zoo(), workspace.kernels()) == (root / "models", root / "kaggle")
    assert workspace.models() == tmp_path / "models"


def test_an_installation_brings_them_along_and_writes_into_the_workspace(installed, tmp_path):
    shipped = installed / "local" / "shipped"
    assert (workspace.zoo(), workspace.kernels()) == (shipped / "models", shipped / "kaggle")
    for folder in (workspace.models(), workspace.state(), workspace.build()):
        assert folder.parent == tmp_path / "mine"


def test_what_only_a_checkout_can_do_is_refused_in_a_line(installed):
    with pytest.raises(ConfigError, match=r"^k2l report needs a checkout, .* git clone\.$"):
        workspace.need_checkout("k2l report")


def test_an_installation_has_no_commit_of_the_repository_that_it_lies_in(installed, monkeypatch):
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("git is not asked"))
    assert shared_code.commit("shared") == ""


def test_a_path_without_which_the_workspace_cannot_be_used(installed, tmp_path):
    home = tmp_path / "mine"
    for path in (home, home / ".k2l" / "runs", home / "build" / "x.ipynb", home / "data", tmp_path):
        assert workspace.needs(path)
    for path in (home / "picture.png", tmp_path / "other"):
        assert not workspace.needs(path)
