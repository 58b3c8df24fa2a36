"""What holds for all tests."""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from local import paths
from shared import data

# A runner that a script started in the background ignores Ctrl-C, and so would everything that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What this machine's user has set is not for the tests, nor for what they start. K2L_DATA and K2L_PHOTOS are for them.
THEIRS = ("K2L_", "KAGGLE_", "GIT_", "XDG_", "LC_", "CLICOLOR")
ALSO_THEIRS = {"LANGUAGE", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONWARNINGS"}
FOR_TESTS = {"K2L_DATA", "K2L_PHOTOS"}


def bare(environment, home):
    """The environment less what is theirs: another HOME, one locale, one terminal."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in FOR_TESTS or not (name.startswith(THEIRS) or name in ALSO_THEIRS)
    }
    # What takes seconds to make, such as the list of fonts, is kept where it is.
    cache = Path(environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or home) / ".cache")
    kept |= {"XDG_CACHE_HOME": str(cache)} if os.access(cache, os.W_OK) else {}
    # git reads a checkout that belongs to another user only where it is told to.
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    # As with an active environment: what is said of `k2l` names it so, and not where it lies.
    path = os.pathsep.join((str(Path(sys.executable).parent), environment.get("PATH", "")))
    return kept | git | {"HOME": home, "LANG": "C.UTF-8", "TERM": "xterm-256color", "PATH": path}


# A worker of xdist is given what was made ready before it was started.
if "PYTEST_XDIST_WORKER" not in os.environ:
    HOME = tempfile.mkdtemp(prefix="k2l-tests-home-")
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)
    ready = bare(os.environ, HOME)
    os.environ.clear()
    os.environ.update(ready)

# Nor are the data sets that this machine may have where Kaggle has them.
data.KAGGLE_INPUT = Path(os.devnull) / "input"

# Minutes each, and one test after the other: begun last, they would keep one worker busy while the other has nothing.
LONGEST = ("test_contributing.py", "test_readme_commands.py")


def pytest_collection_modifyitems(items):
    """The longest files first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def launch():
    """Starts Python with these words in a process of its own, another program `around` it if need be.

    Its streams are pipes of text. What still runs when the test ends, or fails, is killed and its pipes are closed:
    one that is left open fails whichever test comes next.
    """
    with contextlib.ExitStack() as ends:

        def run(*words, around=(), **options):
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": paths.CHECKOUT}
            process = subprocess.Popen([*around, sys.executable, *map(str, words)], **pipes | options)
            ends.enter_context(process)
            ends.callback(process.kill)
            return process

        yield run
