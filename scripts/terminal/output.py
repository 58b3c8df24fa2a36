"""What a verb shows: lines, JSON and progress. Everything it prints goes through here.

Text is made safe for the terminal here (`shared.core.printable`): escapes and line breaks in a file's name, a server's
message or a traceback are shown as text. Results go to stdout, messages and progress to stderr.
"""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.terminal.verbs import OUTPUT, pasteable
from shared.core import printable
from shared.core.events import Event, Progress, Report, silent

if TYPE_CHECKING:
    import rich.progress
    from rich.progress import ProgressColumn

Json = Annotated[bool, typer.Option("--json", rich_help_panel=OUTPUT, help="Machine-readable lines, alone on stdout.")]


def say(*lines: str) -> None:
    """Plain lines to stderr, for progress and messages: stdout is only for results. Each is one line."""
    try:
        print(*(printable.line(pasteable(one)) for one in lines), sep="\n", file=sys.stderr, flush=True)
    except BrokenPipeError:
        raise
    except OSError:  # a full disk or a closed terminal: the work continues
        pass


def say_all(message: str) -> None:
    """The same for a message of several lines, such as an error's."""
    say(*message.split("\n"))


def show(*lines: str) -> None:
    """Plain result lines, on stdout. Each is one line."""
    print(*map(printable.line, lines), sep="\n", flush=True)


def emit(objects: Iterable[dict[str, Any]]) -> None:
    """JSON objects on stdout, one a line."""
    for item in objects:
        print(json_line(item), flush=True)


def json_line(item: dict[str, Any]) -> str:
    """An object as JSON. A number that is not finite is null: JSON has no NaN (RFC 8259)."""
    return printable.json(json.dumps(_finite(item), ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    """The value with None for each float that is not finite, at any depth."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def bar(what: str) -> Iterator[Report]:
    """A progress bar on a terminal's stderr, nothing elsewhere: yields a report that shows Progress."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with live(*columns) as shown:
        task = shown.add_task(what, total=1.0)

        def report(event: Event) -> None:
            if isinstance(event, Progress):
                shown.update(task, completed=event.share)

        yield report


def live(*columns: "ProgressColumn", **options: Any) -> "rich.progress.Progress":
    """Lines on a terminal's stderr that are redrawn and then removed; messages meanwhile appear above them."""
    import rich.progress
    from rich.console import Console

    # Results for a file or a pipe must not be drawn above the lines.
    return rich.progress.Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty(), **options
    )
