"""Which k2l this is, and what is installed beside it, without importing any of it."""

import importlib.metadata
import subprocess
import sys

import pytest

from local.core import installation, workspace


@pytest.fixture(autouse=True)
def fresh():
    """What is asked for is read anew."""
    installation.requirements.cache_clear()
    yield
    installation.requirements.cache_clear()


def dist_info(folder, name, text):
    """A package as pip leaves it, of which nothing but its metadata is there."""
    info = folder / f"{name}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(text)


def test_a_checkout_has_its_own_version_and_commit():
    assert f'version = "{installation.version()}"' in (workspace.CHECKOUT / "pyproject.toml").read_text()
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=workspace.CHECKOUT, capture_output=True, text=True).stdout
    assert head.startswith(installation.commit().removesuffix("-dirty")) and installation.commit()


def test_an_installation_tells_what_it_was_installed_as(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "CHECKOUT", tmp_path)
    lines = ["Name: kaggle-to-local", "Version: 9.8", "Requires-Python: >=3.99", "Requires-Dist: torch<3,>=2.15"]
    lines += ['Requires-Dist: pytest>=8; extra == "dev"']
    dist_info(tmp_path, "kaggle_to_local-9.8", "\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    assert (installation.version(), installation.commit(), installation.python_range()) == ("9.8", "", ">=3.99")
    assert [str(one) for one in installation.requirements().values()] == ["torch<3,>=2.15"]


def test_without_git_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installation.commit() == ""


def test_a_bare_folder_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "notapackage").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert installation.installed("notapackage") is None


def test_a_fellow_does_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    dist_info(tmp_path, "opencv_python_headless-4.12.0", "Name: opencv-python-headless\nVersion: 4.12.0\n")
    assert installation.installed("opencv-python") == "4.12.0"
    assert installation.installed("tensorflow") is None


def test_metadata_without_a_version_is_a_broken_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    dist_info(tmp_path, "half-1.0", "Name: half\n")
    assert installation.installed("half") == ""


def test_every_requirement_is_met_where_the_tests_run():
    for name, asked in installation.requirements().items():
        assert asked.specifier.contains(importlib.metadata.version(name), prereleases=True), name
