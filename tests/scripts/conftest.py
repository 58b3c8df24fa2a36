"""The command line, in this process."""

import sys

import pytest

from local.emulator import daemon
from scripts.__main__ import main


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """No credentials, no service, nothing in HOME, which is the folder given; K2L_HOME is `k2l` in it."""
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "k2l"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR", "K2L_MODEL"):
        monkeypatch.delenv(name, raising=False)
    # Nothing listens there: a test that forgot itself would be refused, and never reach production.
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    yield tmp_path
    daemon.stop(tmp_path / "k2l" / ".k2l" / "emulator")


@pytest.fixture
def emulator(stranger):
    """The stranger's emulator, up before the command."""
    return daemon.ensure(stranger / "k2l" / ".k2l" / "emulator")


@pytest.fixture
def k2l(capsys, monkeypatch):
    """`k2l("push", …)`: (exit code, stdout, stderr) of one command."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["k2l", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run
