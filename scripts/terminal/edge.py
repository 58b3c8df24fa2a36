"""Between the library and the terminal: how a command line starts, and how it ends.

Nothing below `scripts` prints or exits. Exit codes: 0 done, 1 an error the user can fix (one line on stderr), 2 wrong
usage, 130 interrupted.
"""

import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from scripts.terminal import streams
from scripts.terminal.logs import OURS, configure, quiet
from scripts.terminal.output import say, say_all
from scripts.terminal.verbs import WORKSPACE, workspace_of
from shared.core import home, printable
from shared.core.errors import ConfigError, UserError
from shared.core.files import is_full

logger = logging.getLogger(__name__)

INTERRUPTED = 130


class Ended(Exception):
    """Ctrl-C with a message: the verb prints it on stderr and exits with 130."""


def fail(message: str, code: int = 1) -> NoReturn:
    """Ends the verb with `error: …` on stderr."""
    say_all(f"error: {message}")
    raise SystemExit(code)


def guarded(run: Callable[[], object]) -> NoReturn:
    """Runs a command line; what the user can fix ends in one line and exit 1, Ctrl-C in a message and exit 130."""
    streams.open_all()
    sys.excepthook = _fault
    configure(0)
    try:
        _reporting(run)
    finally:
        quiet()
        streams.left()
    raise SystemExit(0)


def _reporting(run: Callable[[], object]) -> None:
    """Runs it. An error that the user can fix is printed, then SystemExit is raised."""
    try:
        _work_in(workspace_of(sys.argv[1:]))
        _flushed(run)
    except UserError as error:
        logger.debug("this ended the command", exc_info=True)
        fail(_in_lines(str(error)))
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package in OURS:
            raise
        from local.core import installation

        fail(f"{package} is missing here and is needed: {installation.line(package)}")
    except Ended as end:
        say_all(str(end))
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader has ended, so there is nobody to tell
        raise SystemExit(1) from None
    except OSError as error:
        logger.debug("this ended the command", exc_info=True)
        fail(_of_the_disk(error))
    except (KeyboardInterrupt, SystemExit) as end:
        # typer makes Ctrl-C an exit of 130
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        say("interrupted: nothing is half-written. Run the same command again.")
        raise SystemExit(INTERRUPTED) from None


def _work_in(folder: str) -> None:
    """Makes this folder the workspace, also for child processes; the folder is made when something is written."""
    if not folder:
        return
    place = Path(folder).expanduser().absolute()
    if place.exists() and not place.is_dir():
        raise ConfigError(f"{WORKSPACE} {folder}: this is a file. Name a folder, there or to be made.")
    os.environ[home.VARIABLE] = str(place)


def _of_the_disk(error: OSError) -> str:
    """The error for a file that cannot be read or written: what, where, what to do."""
    from local.core import workspace

    where = printable.line(error.filename or "this machine")
    if is_full(error):
        return f"disk full: {where}. Free some space, or choose another place."
    problem = f"{where}: {error.strerror or error}"
    if error.filename and workspace.needs(Path(os.fsdecode(error.filename)).absolute()):
        return f"The workspace {workspace.home()} cannot be used: {problem}. {home.ANOTHER}"
    return f"{problem}. Choose another place."


def _flushed(run: Callable[[], object]) -> None:
    """Runs it; typer ends it with SystemExit. Afterwards all output is written."""
    try:
        run()
    except SystemExit as end:
        if end.code:
            raise
    sys.stdout.flush()


def _in_lines(message: str) -> str:
    """The error's lines: an argument with line breaks is shown on one line."""
    typed = [part for word in sys.argv[1:] for part in (word, word.partition("=")[2]) if "\n" in part]
    for part in typed:
        message = message.replace(part, printable.line(part))
    return message


def _fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A bug of ours is shown with its traceback, made safe for the terminal."""
    say_all("".join(traceback.format_exception(kind, error, trace)).rstrip())


def run(verb: Callable[..., object]) -> NoReturn:
    """The `__main__` of one verb's file: `python -m scripts.push …`."""

    def start() -> None:
        from scripts.terminal.settings import defaults
        from scripts.terminal.usage import command_of

        command = command_of(verb)
        command(default_map=defaults(verb.__name__, command))

    guarded(start)
