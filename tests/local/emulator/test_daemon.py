"""The emulator as a program: in the foreground, in the background, found again, stopped, refused."""

import functools
import json
import os
import shutil
import signal
import socket
import threading
import time

import psutil
import pytest

from local.emulator import daemon
from local.emulator.serving import Running
from shared.core.errors import KernelError


@pytest.fixture
def state(tmp_path):
    """A state folder whose background emulator is stopped at the end."""
    yield tmp_path / "emulator"
    daemon.stop(tmp_path / "emulator")


@pytest.fixture
def command(launch):
    """Starts the emulator's own command."""
    return functools.partial(launch, "-m", "scripts.emulator")


def test_callers_at_once_get_the_same_emulator_and_later_ones_too(state):
    found = []
    threads = [threading.Thread(target=lambda: found.append(daemon.ensure(state))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == daemon.ensure(state)
    assert daemon.ping(found[0].url, found[0].username, found[0].key)["live"] == 0
    assert daemon.ping(found[0].url, found[0].username, "wrong") is None


def test_a_killed_one_is_replaced_on_the_same_address_with_the_same_key(state):
    before = daemon.ensure(state)
    psutil.Process(before.pid).kill()
    after = daemon.ensure(state)
    assert after.pid != before.pid
    assert (after.url, after.username, after.key) == (before.url, before.username, before.key)


def test_one_that_looks_elsewhere_for_data_is_replaced(state, monkeypatch, tmp_path):
    monkeypatch.delenv("K2L_DATA", raising=False)
    before = daemon.ensure(state)
    monkeypatch.setenv("K2L_DATA", str(tmp_path))
    assert daemon.ensure(state).pid != before.pid


def test_an_idle_one_leaves_by_itself(state):
    emulator = daemon.ensure(state, idle_timeout=0.4)
    process = psutil.Process(emulator.pid) if psutil.pid_exists(emulator.pid) else None
    deadline = time.monotonic() + 10
    while process and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not (state / "server.json").exists()


def test_one_that_cannot_start_is_told_in_a_line(state):
    with pytest.raises(KernelError, match=r"did not start.*server\.log"):
        daemon.ensure(state, idle_timeout="soon")


def test_secrets_on_disk_are_for_this_user_alone(state):
    emulator = daemon.ensure(state)
    for name in (".", "server.json", "credentials.json"):
        assert (state / name).stat().st_mode & 0o077 == 0
    assert emulator.key not in (state / "server.log").read_text()


def test_in_the_foreground_it_says_how_to_reach_it_and_leaves_on_ctrl_c(command, tmp_path):
    process = command("--port", 0, "--state", tmp_path / "s", "--username", "me", "--key", "k", "--json")
    card = json.loads(process.stdout.readline())
    assert (card["username"], card["key"], card["pid"]) == ("me", "k", process.pid)
    assert daemon.ping(card["url"], "me", "k")["pid"] == process.pid
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert f"HTTP_PROXY={card['url']}" in said
    assert "Traceback" not in said
    assert process.returncode == 0


def test_a_port_in_use_is_refused_in_a_line(command, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = command("--port", port, "--state", tmp_path / "s")
        out, said = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert said.startswith(f"error: port {port} on 127.0.0.1 cannot be used")


def test_it_listens_on_loopback_alone(tmp_path):
    running = Running(tmp_path / "s")
    hosts = [one.getsockname()[0] for one in running.sockets]
    for one in running.sockets:
        one.close()
    running.lock.release()
    assert set(hosts) <= {"127.0.0.1", "::1"}
    assert "127.0.0.1" in hosts


def test_one_whose_state_was_deleted_leaves(state):
    emulator = daemon.ensure(state)
    shutil.rmtree(state)
    process = psutil.Process(emulator.pid)
    assert process.wait(timeout=20) is None or not process.is_running()


def test_a_second_one_on_the_same_state_is_refused(command, state):
    daemon.ensure(state)
    process = command("--port", 0, "--state", state)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "another emulator runs on" in said


def test_stop_ends_it_and_says_when_there_is_none(command, state):
    emulator = daemon.ensure(state)
    process = command("--stop", "--state", state, env={**os.environ})
    assert process.communicate(timeout=20)[1] == "stopped\n"
    assert daemon.running(state) is None
    assert daemon.ping(emulator.url, emulator.username, emulator.key) is None
    assert daemon.stop(state) is False
