"""The outermost layer: what a request is aimed at, and the faults that strike it on the wire.

`Front` wraps the application. It turns absolute targets (`POST http://localhost/api/v1/…`, from a client that
takes this server for its proxy) into paths, and acts on faults that concern the wire. `Wire` is uvicorn's
protocol with one thing more: the application can reach the connection, which it needs to break it.
"""

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from local.kernels.emulator.faults import Fault, Faults


class Wire(H11Protocol):
    """Puts the connection into each request's state, under `transport`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def method_of(path: str) -> str:
    """A path's name in faults: a method's, `Download`, `LogStream`, or nothing for the emulator's own."""
    if path.startswith("/storage/"):
        return "Download"
    if "/kernels/logs/stream/" in path:
        return "LogStream"
    return "" if path.startswith("/emulator/") else path.rpartition("/")[2]


async def hang_up(scope: Scope) -> None:
    """Breaks the connection."""
    scope["state"]["transport"].abort()
    await asyncio.sleep(0.01)  # let uvicorn notice, else it complains of an answer that never began


async def answer_status(fault: Fault, send: Send) -> None:
    """The fault's own answer in place of the real one."""
    body = b"" if fault.body is None else json.dumps(fault.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **fault.headers}
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


class Damage:
    """A `send` that spoils the body: its first byte is changed, or its second half never comes."""

    def __init__(self, send: Send, scope: Scope, struck: dict[str, Fault]) -> None:
        self.send, self.scope, self.struck = send, scope, struck
        self.left: float = float("inf")
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            length = int(dict(message["headers"]).get(b"content-length", 0))
            self.left = length // 2 if "truncate" in self.struck else float("inf")
            return await self.send(message)
        body = message.get("body", b"")
        if "corrupt" in self.struck and body and not self.begun:
            body = bytes([body[0] ^ 0xFF]) + body[1:]
        self.begun = self.begun or bool(body)
        if len(body) <= self.left:
            self.left -= len(body)
            return await self.send({**message, "body": body})
        await self.send({**message, "body": body[: int(self.left)], "more_body": True})
        self.left = 0
        self.scope["state"]["transport"].close()
        return None


class Front:
    """ASGI middleware; `last_request` is when the last request ended, `busy` how many are under way."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app, self.faults = app, faults
        self.last_request = time.monotonic()
        self.busy = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        self.busy += 1
        try:
            return await self._answer(scope, receive, send)
        finally:
            self.busy -= 1
            self.last_request = time.monotonic()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if "://" in path.partition("?")[0]:
            scope["path"] = path = urlsplit(path).path
            scope["raw_path"] = path.encode()
        method = method_of(path)
        struck = self.faults.draw(method, path) if method else {}
        scope["state"]["struck"] = struck
        if "delay" in struck:
            await asyncio.sleep(struck["delay"].seconds)
        if "status" in struck:
            await drain(receive)
            return await answer_status(struck["status"], send)
        if "drop" in struck:
            if struck["drop"].moment == "after":
                await self.app(scope, receive, nothing)
            return await hang_up(scope)
        if "truncate" in struck or "corrupt" in struck:
            send = Damage(send, scope, struck)
        return await self.app(scope, receive, send)


async def drain(receive: Receive) -> None:
    """Reads the request to its end: an answer that comes sooner resets the connection under the sender."""
    while (await receive()).get("more_body"):
        pass


async def nothing(message: Any) -> None:
    """A `send` that keeps the answer to itself."""
