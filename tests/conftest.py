"""What holds for all tests."""

import os
import signal
import sys
from pathlib import Path

# A runner that a script started in the background ignores Ctrl-C, and so would everything that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# As with an active environment: what is said of `k2l` names it so, and not where it lies.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))

# Minutes each, and one test after the other: begun last, they would keep one worker busy while the other has nothing.
LONGEST = ("test_contributing.py", "test_readme_commands.py")


def pytest_collection_modifyitems(items):
    """The longest files first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
