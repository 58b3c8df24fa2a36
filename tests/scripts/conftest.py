"""The command line, in this process."""

import sys

import pytest

from scripts.__main__ import main


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
