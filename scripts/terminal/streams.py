"""The standard streams in any state: closed, full, non-blocking, or without a reader.

    open_all()              # before anything else: afterwards all three are open
    left()                  # after everything else

A closed stream is replaced by the null device, as git does: a command with a closed stdout does its work and exits
normally. Results that cannot be written are an OSError that names the standard output. If `scripts.terminal.output.say`
cannot write to stderr, the message is lost, and the work continues.
"""

import functools
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

OUT, ERR = 1, 2
NAMES = {0: ("stdin", "r"), OUT: ("stdout", "w"), ERR: ("stderr", "w")}


def open_all() -> None:
    """Opens closed streams: otherwise the next opened file would get their number, and output would go into it."""
    for number, (name, mode) in NAMES.items():
        try:
            os.fstat(number)
        except OSError:
            _to_nowhere(number)
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    for number in (OUT, ERR):
        with suppress(OSError):  # wait for a full pipe, even if it was set to non-blocking
            os.set_blocking(number, True)
    if hasattr(sys.stdout, "reconfigure"):  # a file's name may be no text, and is shown too
        sys.stdout.reconfigure(errors="backslashreplace")
    for method in ("write", "flush"):
        if not hasattr(getattr(sys.stdout, method), "__wrapped__"):
            setattr(sys.stdout, method, _naming(getattr(sys.stdout, method)))


def left() -> None:
    """Discards what stdout and stderr could not write: Python would report it again at its end."""
    for number, stream in ((OUT, sys.stdout), (ERR, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            _to_nowhere(number)


def _naming(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of stdout with errors that name it: the system's errors name no file."""

    @functools.wraps(method)
    def call(*words: Any) -> Any:
        try:
            return method(*words)
        except OSError as error:
            error.filename = "standard output"
            raise

    return call


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
    os.set_inheritable(number, True)
