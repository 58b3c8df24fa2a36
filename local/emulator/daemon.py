"""Finds the emulator of a state folder, or starts one in the background: what `--remote emulator` does.

    emulator = ensure(paths.state() / "emulator")
    emulator.url, emulator.username, emulator.key
    stop(state)

The background process is `python -m scripts.emulator`; it writes `<state>/server.log` and leaves when nobody
has asked it anything, and nothing has run, for ten minutes. Two callers at once get the same one.
"""

import base64
import http.client
import json
import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from filelock import FileLock

from local.core import workspace
from local.emulator.sessions import processes
from local.emulator.sessions.mounts import source_of_data
from shared.core.errors import KernelError
from shared.core.files import write
from shared.core.home import VARIABLE

logger = logging.getLogger(__name__)

IDLE_TIMEOUT = 600.0
START_TIMEOUT = 30.0
PING_TIMEOUT = 5.0
# Credentials for the real service are none of the emulator's business.
WITHHELD = ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN")


@dataclass(frozen=True)
class Emulator:
    """A living emulator: its URL (`http://127.0.0.1:PORT`), the user's name and key, and the server's pid."""

    url: str
    username: str
    key: str
    pid: int


def ping(url: str, username: str, key: str) -> dict[str, Any] | None:
    """What the emulator at `url` says of itself (`instance`, `live`, `data`, …); None if nobody answers."""
    token = base64.b64encode(f"{username}:{key}".encode()).decode()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PING_TIMEOUT)
    try:
        connection.request("GET", "/emulator/ping", headers={"Authorization": f"Basic {token}"})
        response = connection.getresponse()
        answer = json.loads(response.read()) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


def running(state: Path) -> tuple[Emulator, dict[str, Any]] | None:
    """The living emulator of this state folder and what it says of itself, or None."""
    try:
        card = json.loads((state / "server.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    said = ping(card["url"], card["username"], card["key"])
    # Another program, or another state's emulator, may have the port by now.
    if said is None or said.get("instance") != card["instance"]:
        return None
    return Emulator(card["url"], card["username"], card["key"], card["pid"]), said


def ensure(
    state: Path,
    *,
    data_dir: Path | None = None,
    username: str | None = None,
    idle_timeout: float = IDLE_TIMEOUT,
) -> Emulator:
    """The emulator of `state`, started if it is not there. KernelError: it does not come up (its log's end).

    One that looks for data elsewhere than asked now, and has nothing to do, is replaced.
    """
    state = state.resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(state / "start.lock"):
        found = running(state)
        if found and not replaceable(found[1], data_dir):
            logger.info("an emulator runs already, on %s", state)
            return found[0]
        if found:
            stop(state)
        return start(state, data_dir=data_dir, username=username, idle_timeout=idle_timeout)


def replaceable(said: dict[str, Any], data_dir: Path | None) -> bool:
    """Whether an emulator in the background has nothing to do and looks for data elsewhere than wanted now."""
    elsewhere = said.get("data") != source_of_data(data_dir)
    return bool(said.get("background") and not said.get("live") and elsewhere)


def start(state: Path, *, data_dir: Path | None, username: str | None, idle_timeout: float) -> Emulator:
    """Starts the background process and waits until it answers."""
    command = [sys.executable, "-m", "scripts.emulator", "--port", "0", "--state", str(state), "--quiet"]
    command += ["--idle-timeout", str(idle_timeout)]
    command += ["--data-dir", source_of_data(data_dir)] if source_of_data(data_dir) else []
    command += ["--username", username] if username else []
    log = state / "server.log"
    write(log, b"\n")  # a disk that is full is noticed here, where it can be said
    environment = {name: value for name, value in os.environ.items() if name not in WITHHELD}
    environment[VARIABLE] = str(workspace.home())  # its current folder is another
    child = processes.launch(command, folder=workspace.CHECKOUT, environment=environment, noise=log)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        found = running(state)
        if found and found[0].pid == child.pid:
            logger.info("an emulator was started, process %d, on %s", child.pid, state)
            processes.forget(child)
            return found[0]
        if child.poll() is not None:
            break
        time.sleep(0.05)
    child.kill()
    child.wait()
    raise KernelError(f"the emulator did not start: {tail(log)} (see {log})")


def tail(log: Path) -> str:
    """The last line of a log, for an error of one line."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].removeprefix("error: ") if lines else "it said nothing"


def stop(state: Path, *, patience: float = 10) -> bool:
    """Ends the emulator of `state` and the sessions it has under way; False where there is none.

    KernelError: it does not leave.
    """
    from local.emulator.storage.kernel_store import KernelStore

    found = running(state)
    if found is None:
        return False
    try:
        server = psutil.Process(found[0].pid)
        server.terminate()
    except psutil.NoSuchProcess:
        pass  # gone since it answered, which is what was wanted
    else:
        if not processes.wait([server], patience):
            raise KernelError(f"the emulator (process {server.pid}) does not stop; end it by hand")
    (state / "server.json").unlink(missing_ok=True)
    KernelStore(state).close()
    return True
