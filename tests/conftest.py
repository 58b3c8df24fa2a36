"""What holds for all tests."""

import contextlib
import resource
import signal
import subprocess
import sys

import pytest

from local.core import workspace
from tests import surroundings

# A runner that a script started in the background ignores Ctrl-C, one under nohup SIGHUP, and so would everything that
# the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Before anything looks at them: this user's variables, HOME and data sets are not for the tests.
surroundings.enter()

# Minutes each, and one test after the other: begun last, they would keep one worker busy while the other has nothing.
LONGEST = ("test_contributing.py", "test_docs_commands.py")


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
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": workspace.CHECKOUT}
            process = subprocess.Popen([*around, sys.executable, *map(str, words)], **pipes | options)
            ends.enter_context(process)
            ends.callback(process.kill)
            return process

        yield run


@pytest.fixture
def limited_files():
    """`with limited_files(size):` no file of this process grows beyond so many bytes, as on a disk that is full."""

    @contextlib.contextmanager
    def limited(size):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
