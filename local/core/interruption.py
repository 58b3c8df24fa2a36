"""Ctrl-C and SIGTERM during work that should stop at the next safe point.

with interrupted() as asked:
    for step in work:
        if asked():          # after the first; a second Ctrl-C raises KeyboardInterrupt at once
            break

end_with_parent()            # in a worker process
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import psutil


@contextmanager
def interrupted() -> Iterator[Callable[[], bool]]:
    """Inside, a first SIGINT or SIGTERM is only recorded: the yielded function says whether there was one.

    Signals that the process ignores stay ignored. Outside the main thread nothing is recorded: Python delivers signals
    to the main thread alone.
    """
    received = False

    def record(number: int, frame: FrameType | None) -> None:
        nonlocal received
        if received:
            raise KeyboardInterrupt
        received = True

    ours = [signal.SIGINT, signal.SIGTERM] if threading.current_thread() is threading.main_thread() else []
    before = {one: signal.getsignal(one) for one in ours}
    before = {one: handler for one, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for one in before:
            signal.signal(one, record)
        yield lambda: received
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def end_with_parent() -> None:
    """From now on this process ends when its parent process ends, for whatever reason."""

    def watch(parent: psutil.Process) -> None:
        parent.wait()
        os._exit(1)

    if parent := psutil.Process().parent():
        threading.Thread(target=watch, args=[parent], daemon=True).start()
