"""Keeps the messages of libraries off the terminal. Standard library only."""

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def silent_python() -> Iterator[None]:
    """Discards what Python code prints and warns about; what C code writes still appears."""
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Discards what is written to file descriptor 2, by C code too."""
    if sys.stderr is not None:
        sys.stderr.flush()
    with _nowhere(2):
        yield


@contextlib.contextmanager
def silent_output() -> Iterator[None]:
    """Discards all output: what Python prints, and what C code writes to file descriptors 1 and 2."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), _nowhere(1), _nowhere(2):
        yield


@contextlib.contextmanager
def _nowhere(descriptor: int) -> Iterator[None]:
    """Discards what is written to the descriptor; a closed one stays closed."""
    try:
        saved = os.dup(descriptor)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
        os.close(nowhere)
