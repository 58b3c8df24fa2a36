"""Finds the emulator of a state folder, or starts one in the background: what `--remote emulator` does.

    emulator = ensure(paths.state() / "emulator")
    emulator.url, emulator.username, emulator.key
    stop(state)

The background process is `python -m scripts.emulator`; it writes `<state>/server.log` and stops after ten minutes
without requests and sessions. Two callers at once get the same one.
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
# The emulator must not see credentials for the real service.
WITHHELD = ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN")


@dataclass(frozen=True)
class Emulator:
    """A running emulator: its URL (`http://127.0.0.1:PORT`), the user's name and key, and the server's pid."""

    url: str
    username: str
    key: str
    pid: int


def ping(url: str, username: str, key: str) -> dict[str, Any] | None:
    """The emulator's own description (`instance`, `live`, `data`, …) at `url`; None without an answer."""
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
    """The running emulator of this state folder and its description, or None."""
    try:
        card = json.loads((state / "server.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    about = ping(card["url"], card["username"], card["key"])
    # Another program, or another state's emulator, may have the port by now.
    if about is None or about.get("instance") != card["instance"]:
        return None
    return Emulator(card["url"], card["username"], card["key"], card["pid"]), about


def ensure(
    state: Path,
    *,
    data_dir: Path | None = None,
    username: str | None = None,
    idle_timeout: float = IDLE_TIMEOUT,
) -> Emulator:
    """The emulator of `state`, started if necessary. KernelError with the end of its log: it does not start.

    An idle one that searches other data folders than requested is replaced.
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


def replaceable(about: dict[str, Any], data_dir: Path | None) -> bool:
    """Whether an emulator in the background is idle and searches other data folders than requested."""
    elsewhere = about.get("data") != source_of_data(data_dir)
    return bool(about.get("background") and not about.get("live") and elsewhere)


def start(state: Path, *, data_dir: Path | None, username: str | None, idle_timeout: float) -> Emulator:
    """Starts the background process and waits until it answers."""
    command = [sys.executable, "-m", "scripts.emulator", "--port", "0", "--state", str(state), "--quiet"]
    command += ["--idle-timeout", str(idle_timeout)]
    command += ["--data-dir", source_of_data(data_dir)] if source_of_data(data_dir) else []
    command += ["--username", username] if username else []
    log = state / "server.log"
    write(log, b"\n")  # a full disk fails here, where it can be reported
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
    """Stops the emulator of `state` and its running sessions; False if there is none.

    KernelError: it does not stop.
    """
    from local.emulator.storage.kernel_store import KernelStore

    found = running(state)
    if found is None:
        return False
    try:
        server = psutil.Process(found[0].pid)
        server.terminate()
    except psutil.NoSuchProcess:
        pass  # it ended after its answer: nothing left to do
    else:
        if not processes.wait([server], patience):
            raise KernelError(f"the emulator (process {server.pid}) does not stop; end it by hand")
    (state / "server.json").unlink(missing_ok=True)
    KernelStore(state).close()
    return True
