"""Ctrl-C and SIGTERM while something is at work that can stop at a better moment.

with noticed() as asked:
    for step in work:
        if asked():          # once; a second Ctrl-C raises KeyboardInterrupt wherever it comes
            break

end_with_parent()            # in a process that was started to work for another
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import psutil


@contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """Inside, a first SIGINT or SIGTERM is only noted: the call it gives says whether one has come.

    Signals that the process was told to ignore stay ignored. Outside the main thread nothing changes, and none is
    ever noted: Python gives signals to the main thread alone.
    """
    noted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal noted
        if noted:
            raise KeyboardInterrupt
        noted = True

    ours = [signal.SIGINT, signal.SIGTERM] if threading.current_thread() is threading.main_thread() else []
    before = {one: signal.getsignal(one) for one in ours}
    before = {one: handler for one, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for one in before:
            signal.signal(one, note)
        yield lambda: noted
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def end_with_parent() -> None:
    """From now on this process ends when the one that started it does, however that came about."""

    def watch(parent: psutil.Process) -> None:
        parent.wait()
        os._exit(1)

    if parent := psutil.Process().parent():
        threading.Thread(target=watch, args=[parent], daemon=True).start()
