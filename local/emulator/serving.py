"""Puts the emulator on a port and keeps it there.

    emulator = Running(state, port=0)     binds; UserError where the port or the state folder is taken
    emulator.serve()                      blocks until SIGINT, SIGTERM, `stop()` or idleness

`<state>/server.json` has its address while it runs; `<state>/credentials.json` has name, key and
secret, so that a restart on the same folder is the same service to its clients. Both are readable by this
user alone.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from filelock import FileLock, Timeout

from local.core import listening
from local.emulator import address
from local.emulator.application import build
from local.emulator.faults import Faults
from local.emulator.middleware import HttpFrontEnd, Wire
from local.emulator.service import EmulatorService
from local.emulator.sessions.mounts import source_of_data
from local.emulator.sessions.session import write_json
from local.emulator.storage.kernels import read_json
from shared.core.errors import ConfigError, KernelError

USERNAME = "emulator"
IDLE_LOOK = 1.0


def credentials(state: Path, username: str | None, key: str | None) -> dict[str, str]:
    """Name, key and signing secret of a state folder; reused, unless a new one is given."""
    path = state / "credentials.json"
    saved = read_json(path) if path.exists() else {}
    value = {
        "username": username or saved.get("username") or USERNAME,
        "key": key or saved.get("key") or secrets.token_hex(16),
        "secret": saved.get("secret") or secrets.token_hex(16),
    }
    write_json(path, value)
    return value


class Running:
    """An emulator with its port. `url`, `username` and `key` are what a client needs.

    `host` is for other places than loopback, which takes `i_know` (`local.core.listening`).
    """

    def __init__(
        self,
        state: Path,
        *,
        port: int = 0,
        host: str | None = None,
        i_know: bool = False,
        username: str | None = None,
        key: str | None = None,
        data_dir: Path | None = None,
        idle_timeout: float | None = None,
    ) -> None:
        self.state = state.resolve()
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)  # pushed code and its outputs are this user's
        self.idle_timeout = idle_timeout
        self.lock = FileLock(self.state / "server.lock", thread_local=False)
        self._take_state()
        try:
            self.sockets = self._take_port(host, port, i_know=i_know)
            given = credentials(self.state, username, key)
            self.url = listening.url_of(host, self.sockets)
            self.username, self.key = given["username"], given["key"]
            self.service = EmulatorService(self.state, **given, data_dir=data_dir, base=self.url)
        except BaseException:
            self.lock.release()
            raise
        self.faults = Faults()
        self.about = {
            "instance": secrets.token_hex(8),
            "url": self.url,
            "pid": os.getpid(),
            "data": source_of_data(data_dir),
            "background": idle_timeout is not None,
        }
        self.front = HttpFrontEnd(build(self.service, self.faults, self.about), self.faults, host=host)
        config = uvicorn.Config(
            self.front, http=Wire, ws="none", lifespan="off", log_level="warning", access_log=False,
            server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self.server = uvicorn.Server(config)

    @property
    def exposed(self) -> list[str]:
        """The addresses it listens on that are not loopback."""
        return listening.exposed(self.sockets)

    def serve(self, ready: Callable[[], None] = lambda: None) -> None:
        """Answers requests until it is stopped; running sessions continue without it."""
        asyncio.run(self._serve(ready))

    def stop(self) -> None:
        """Makes `serve` return, from another thread."""
        self.server.should_exit = True

    async def _serve(self, ready: Callable[[], None]) -> None:
        self.service.store.resume()
        card = {**self.about, "username": self.username, "key": self.key}
        write_json(self.state / "server.json", card)
        write_json(self.state / "port.json", self.sockets[0].getsockname()[1])
        idle = asyncio.create_task(self._watch_idleness())
        try:
            ready()
            await self.server.serve(sockets=self.sockets)
        finally:
            idle.cancel()
            self.service.store.let_go()
            (self.state / "server.json").unlink(missing_ok=True)
            for one in self.sockets:
                one.close()
            self.lock.release()

    async def _watch_idleness(self) -> None:
        """Stops the server once nothing was asked, and nothing ran, for `idle_timeout` seconds.

        At once, where its state was deleted: nobody could find it any more, nor what it was given.
        """
        while self.idle_timeout is not None:
            await asyncio.sleep(min(IDLE_LOOK, self.idle_timeout / 4))
            if not self.state.is_dir():
                self.stop()
                return
            if self.front.busy > 0 or bool(await asyncio.to_thread(self.service.store.live)):
                self.front.last_request = time.monotonic()
            elif time.monotonic() - self.front.last_request > self.idle_timeout:
                self.stop()
                return

    def _take_state(self) -> None:
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise KernelError(
                f"another emulator runs on {self.state}; use it, --stop it, or choose another --state"
            ) from None

    def _take_port(self, host: str | None, port: int, *, i_know: bool) -> list[socket.socket]:
        """The port asked for; for 0 the one this state had last, so that known URLs stay true, or any."""
        remembered = self.state / "port.json"
        allowed: dict[str, Any] = {"risk": address.RISK, "i_know": i_know}
        if port == 0 and remembered.exists():
            try:
                return listening.listen(host, read_json(remembered), **allowed)
            except ConfigError:
                return listening.listen(host, 0, **allowed)
        return listening.listen(host, port, **allowed)
