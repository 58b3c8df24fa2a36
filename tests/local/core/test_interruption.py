import signal
import subprocess
import sys
import threading

import psutil
import pytest

from local.core import workspace
from local.core.interruption import interrupted
from local.emulator.sessions import processes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_noted_and_the_second_ends_at_once(number):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interrupted() as asked:
        assert not asked()
        signal.raise_signal(number)
        assert asked()
        signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_what_the_process_was_told_to_ignore_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupted() as asked:
            signal.raise_signal(signal.SIGINT)
            assert not asked()
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_notes_none():
    seen = []

    def work():
        with interrupted() as asked:
            seen.append(asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_a_process_ends_with_the_one_that_started_it_however_that_ended():
    working = "from local.core.interruption import end_with_parent; end_with_parent(); print('works'); input()"
    starting = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {working!r}], start_new_session=True)"
    parent = subprocess.Popen(
        [sys.executable, "-c", starting],
        cwd=workspace.CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout.readline() == "works\n"
        (child,) = psutil.Process(parent.pid).children()
        parent.kill()
        parent.wait()
        assert processes.wait([child], 20)
