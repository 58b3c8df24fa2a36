"""The edge between the library and the terminal: errors become one line, results become text or JSON.

Nothing below `scripts` prints or exits; everything a verb says goes through here. Text is made safe for the terminal
here (`shared.printable`): what a file's name, a server's words or a traceback hold of escapes and line breaks is shown,
and rules nothing.
Exit codes: 0 done, 1 an error the user can mend (said on stderr), 2 wrong usage, 130 interrupted.
"""

import json
import logging
import math
import shlex
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from scripts import _streams as streams
from scripts._logs import OURS, configure, listening, quiet
from scripts._verbs import pasteable
from shared import printable
from shared.errors import UserError
from shared.files import is_full

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

logger = logging.getLogger(__name__)

INTERRUPTED = 130

Json = Annotated[bool, typer.Option("--json", help="Machine-readable lines, alone on stdout.")]


class Ended(Exception):
    """Ctrl-C where there is something of its own to say; the verb ends with it on stderr, and exit 130."""


def say(*lines: str) -> None:
    """Plain lines to stderr, where progress and remarks go: stdout is kept for results. Each stays one line."""
    try:
        print(*(printable.line(pasteable(one)) for one in lines), sep="\n", file=sys.stderr, flush=True)
    except BrokenPipeError:
        raise
    except OSError:  # a full disk, a terminal that is gone: no reason to give up the work
        pass


def say_all(message: str) -> None:
    """The same for a message of several lines, such as an error's, in which nothing from outside breaks a line."""
    say(*message.split("\n"))


def show(*lines: str) -> None:
    """Plain lines of result, on stdout. Each stays one line."""
    print(*map(printable.line, lines), sep="\n", flush=True)


def fail(message: str, code: int = 1) -> NoReturn:
    """Ends the verb with `error: …` on stderr."""
    say_all(f"error: {message}")
    raise SystemExit(code)


def emit(objects: Iterable[dict[str, Any]]) -> None:
    """JSON objects on stdout, one a line."""
    for item in objects:
        print(json_line(item), flush=True)


def json_line(item: dict[str, Any]) -> str:
    """An object as JSON. A figure that is no finite number is null: JSON has no NaN (RFC 8259)."""
    return printable.json(json.dumps(_finite(item), ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    """The value with None for each float that is no finite number, at any depth."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def bar(what: str) -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal's stderr, and nothing elsewhere: gives the call that sets the share done, 0 to 1."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with live(*columns) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda done: progress.update(task, completed=done)


def live(*columns: "ProgressColumn", **options: Any) -> "Progress":
    """Lines on a terminal's stderr that are drawn anew until they go; what is said meanwhile stands above them."""
    from rich.console import Console
    from rich.progress import Progress

    # Results for a file or a pipe are no remarks: they must not be drawn above the lines.
    return Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty(), **options
    )


def again(*more: str, without: str = "") -> str:
    """The command line that is running, to be typed again with something more, or less."""
    program = Path(sys.argv[0]).stem  # the verb's file, where that was run by itself
    words = sys.argv[1:] if program in ("k2l", "__main__") else [program, *sys.argv[1:]]
    return shlex.join(
        ["k2l", *(word for word in words if word != without), *(word for word in more if word not in words)]
    )


def guarded(run: Callable[[], object]) -> NoReturn:
    """Runs a command line; what the user can mend ends in one line and exit 1, Ctrl-C in a word and exit 130."""
    streams.open_all()
    sys.excepthook = _fault
    configure(0)
    try:
        _told(run)
    finally:
        quiet()
        streams.left()
    raise SystemExit(0)


def _told(run: Callable[[], object]) -> None:
    """Runs it. An error that the user can fix is printed, and ends in SystemExit."""
    try:
        _whole(run)
    except UserError as error:
        logger.debug("this ended the command", exc_info=True)
        fail(_in_lines(str(error)))
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package in OURS:
            raise
        fail(f"{package} is missing here, and this cannot be done without it: pip install -r requirements.txt")
    except Ended as end:
        say_all(str(end))
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # whoever read it has left, and wants no words
        raise SystemExit(1) from None
    except OSError as error:
        logger.debug("this ended the command", exc_info=True)
        where = printable.line(error.filename or "this machine")
        if is_full(error):
            fail(f"disk full: {where}. Make room, or choose another place.")
        fail(f"{where}: {error.strerror or error}. Choose another place.")
    except (KeyboardInterrupt, SystemExit) as end:
        # typer makes Ctrl-C an exit of 130
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        say("interrupted: nothing is half-written. Run the same command again.")
        raise SystemExit(INTERRUPTED) from None


def _whole(run: Callable[[], object]) -> None:
    """Runs it, which typer ends by an exit; what was printed has arrived then."""
    try:
        run()
    except SystemExit as end:
        if end.code:
            raise
    sys.stdout.flush()


def _in_lines(message: str) -> str:
    """An error whose lines are its own: a word of the command line that breaks lines is shown on one."""
    typed = [part for word in sys.argv[1:] for part in (word, word.partition("=")[2]) if "\n" in part]
    for part in typed:
        message = message.replace(part, printable.line(part))
    return message


def _fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of ours shows itself whole; what it quotes rules no terminal."""
    say_all("".join(traceback.format_exception(kind, error, trace)).rstrip())


def run(verb: Callable[..., object]) -> NoReturn:
    """The `__main__` of one verb's file: `python -m scripts.push …`."""

    def start() -> None:
        from scripts._settings import defaults
        from scripts._usage import command_of

        command = listening(command_of(verb))
        command(default_map=defaults(verb.__name__, command))

    guarded(start)
