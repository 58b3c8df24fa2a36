"""The edge between the library and the terminal: errors become one line, results become text or JSON.

Nothing below `scripts` prints or exits; everything a verb says goes through here.
Exit codes: 0 done, 1 an error the user can mend (said on stderr), 2 wrong usage, 130 interrupted.
"""

import json
import logging
import math
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from scripts._logs import OURS, listening, quiet
from scripts._verbs import pasteable
from shared.errors import UserError

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

logger = logging.getLogger(__name__)

INTERRUPTED = 130

Json = Annotated[bool, typer.Option("--json", help="Machine-readable lines, alone on stdout.")]


class Ended(Exception):
    """Ctrl-C where there is something of its own to say; the verb ends with it on stderr, and exit 130."""


def say(message: str = "") -> None:
    """One plain line to stderr, where progress and remarks go: stdout is kept for results."""
    print(pasteable(message), file=sys.stderr, flush=True)


def show(message: str) -> None:
    """One plain line of result, on stdout."""
    print(message, flush=True)


def fail(message: str, code: int = 1) -> NoReturn:
    """Ends the verb with `error: …` on stderr."""
    say(f"error: {message}")
    raise SystemExit(code)


def emit(objects: Iterable[dict[str, Any]]) -> None:
    """JSON objects on stdout, one a line."""
    for item in objects:
        print(json_line(item), flush=True)


def json_line(item: dict[str, Any]) -> str:
    """An object as JSON. A figure that is no finite number is null: JSON has no NaN (RFC 8259)."""
    return json.dumps(_finite(item), ensure_ascii=False, allow_nan=False)


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

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
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
    if hasattr(sys.stdout, "reconfigure"):  # a file's name need not be text, and is told all the same
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        run()
    except UserError as error:
        logger.debug("this ended the command", exc_info=True)
        fail(str(error))
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package in OURS:
            raise
        fail(f"{package} is missing here, and this cannot be done without it: pip install -r requirements.txt")
    except Ended as end:
        say(str(end))
        raise SystemExit(INTERRUPTED) from None
    except OSError as error:
        logger.debug("this ended the command", exc_info=True)
        fail(f"{error.filename or 'this machine'}: {error.strerror or error}. Make room, or choose another place.")
    except (KeyboardInterrupt, SystemExit) as end:
        # typer makes Ctrl-C an exit of 130
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        say("interrupted: nothing is half-written. Run the same command again.")
        raise SystemExit(INTERRUPTED) from None
    finally:
        quiet()
    raise SystemExit(0)


def run(verb: Callable[..., object]) -> NoReturn:
    """The `__main__` of one verb's file: `python -m scripts.push …`."""

    def start() -> None:
        from scripts._settings import defaults
        from scripts._usage import command_of

        command = listening(command_of(verb))
        command(default_map=defaults(verb.__name__, command))

    guarded(start)
