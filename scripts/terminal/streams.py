"""The standard streams as they may be: closed, full, impatient, or left by their reader.

    open_all()              # before anything else: afterwards all three are there
    left()                  # after everything else

A closed stream leads nowhere, as git has it: a command whose stdout is closed does its work, and exits as it would.
Results that cannot be written are an OSError that names the standard output. What `scripts.terminal.output.say` cannot
write to stderr is lost, and no work with it.
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
    """Opens what is closed: the next file that is opened would take its place, and be printed into."""
    for number, (name, mode) in NAMES.items():
        try:
            os.fstat(number)
        except OSError:
            _to_nowhere(number)
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    for number in (OUT, ERR):
        with suppress(OSError):  # a full pipe is waited for, whatever its maker asked of it
            os.set_blocking(number, True)
    if hasattr(sys.stdout, "reconfigure"):  # a file's name need not be text, and is shown all the same
        sys.stdout.reconfigure(errors="backslashreplace")
    for method in ("write", "flush"):
        if not hasattr(getattr(sys.stdout, method), "__wrapped__"):
            setattr(sys.stdout, method, _naming(getattr(sys.stdout, method)))


def left() -> None:
    """Drops what stdout and stderr could not take: Python would report it once more as it ends."""
    for number, stream in ((OUT, sys.stdout), (ERR, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            _to_nowhere(number)


def _naming(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of stdout, whose errors name it: the system's name no file."""

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
