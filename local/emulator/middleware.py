"""The emulator's outermost layer: draws the faults of each request, and acts on those that concern the wire.

    HttpFrontEnd(application, faults, host=None)

Before that it turns away who has no business here (`address`), key or no key. It also turns absolute targets
(`POST http://localhost/api/v1/…`, from a client that takes this server for its proxy) into paths. `Wire` is the
protocol to run it under.
"""

import asyncio
import json
import time
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from local.core import listening
from local.emulator import address
from local.emulator.faults import Fault, Faults
from local.emulator.service import Refusal


class Wire(H11Protocol):
    """uvicorn's protocol; it puts the connection into each request's state, under `transport`, to be broken."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def method_of(path: str) -> str:
    """A path's name in faults: a method's, `Download`, `Upload`, `LogStream`, or nothing for the emulator's own."""
    if path.startswith("/storage/"):
        return "Download"
    if path.startswith("/upload/"):
        return "Upload"
    if "/kernels/logs/stream/" in path:
        return "LogStream"
    return "" if path.startswith("/emulator/") else path.rpartition("/")[2]


async def hang_up(scope: Scope) -> None:
    """Breaks the connection."""
    scope["state"]["transport"].abort()
    await asyncio.sleep(0.01)  # let uvicorn notice, else it complains of an answer that never began


async def answer_status(fault: Fault, send: Send) -> None:
    """The fault's own answer in place of the real one."""
    text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    body = b"" if fault.body is None else text.encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **fault.headers}
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


class Cut:
    """A `receive` after which the sender seems gone once half of what it announced has come."""

    def __init__(self, receive: Receive, scope: Scope) -> None:
        self.receive = receive
        self.left = int(dict(scope["headers"]).get(b"content-length", 0)) // 2

    async def __call__(self) -> Message:
        if self.left <= 0:
            return {"type": "http.disconnect"}
        message = await self.receive()
        body = message.get("body", b"")[: self.left]
        self.left -= len(message.get("body", b""))
        return {**message, "body": body, "more_body": True}


SPOILING = {"truncate", "stall", "slow", "corrupt"}
TICKS = 10  # pieces a second in which a slow body comes


class Damage:
    """A `send` that spoils the body: in its middle a byte is changed, or it ends there, or it comes slowly."""

    def __init__(self, send: Send, scope: Scope, struck: dict[str, Fault]) -> None:
        self.send, self.scope, self.struck = send, scope, struck
        self.middle = self.sent = 0
        self.ended = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.middle = int(dict(message["headers"]).get(b"content-length", 0)) // 2
            return await self.send(message)
        if self.ended:
            return None
        body = bytearray(message.get("body", b""))
        place = self.middle - self.sent
        self.sent += len(body)
        if "corrupt" in self.struck and 0 <= place < len(body):
            body[place] ^= 0xFF
        if self.struck.keys() & {"truncate", "stall"} and place <= len(body):
            await self._send(bytes(body[:place]), message, more=True)
            return await self._end()
        return await self._send(bytes(body), message, more=message.get("more_body", False))

    async def _send(self, body: bytes, message: Message, *, more: bool) -> None:
        if "slow" in self.struck:
            step = max(1, int(self.struck["slow"].rate / TICKS))
            while len(body) > step and not self._left():
                await self.send({**message, "body": body[:step], "more_body": True})
                body = body[step:]
                await asyncio.sleep(1 / TICKS)
        await self.send({**message, "body": body, "more_body": more})

    async def _end(self) -> None:
        self.ended = True
        while "stall" in self.struck and not self._left():
            await asyncio.sleep(0.05)
        self.scope["state"]["transport"].close()

    def _left(self) -> bool:
        return bool(self.scope["state"]["transport"].is_closing())


class HttpFrontEnd:
    """ASGI middleware; `last_request` is when the last request ended, `busy` how many are under way.

    `host` is where it listens by choice, None where that is loopback.
    """

    def __init__(self, app: ASGIApp, faults: Faults, *, host: str | None = None) -> None:
        self.app, self.faults, self.host = app, faults, host
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
        if trouble := self._trouble(scope):
            await drain(receive)
            return await JSONResponse(Refusal(403, trouble).body(), 403)(scope, receive, send)
        if not path.startswith("/"):
            scope["path"] = path = "/" + path.partition("://")[2].partition("/")[2]
            scope["raw_path"] = path.encode()
        method = method_of(path)
        struck = self.faults.draw(method, path) if method else {}
        scope["state"]["struck"] = struck
        if "delay" in struck:
            await asyncio.sleep(struck["delay"].seconds)
        if "status" in struck:
            await drain(receive)
            return await answer_status(struck["status"], send)
        if "cut" in struck:
            await self.app(scope, Cut(receive, scope), nothing)
            return await hang_up(scope)
        if "drop" in struck:
            if struck["drop"].moment == "after":
                await self.app(scope, receive, nothing)
            return await hang_up(scope)
        if struck.keys() & SPOILING:
            send = Damage(send, scope, struck)
        return await self.app(scope, receive, send)

    def _trouble(self, scope: Scope) -> str:
        """Why a request is not let in, or ""; an absolute target names a host too."""
        headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == b"host"]
        hosts += [scope["path"].partition("://")[2].partition("/")[0]] if not scope["path"].startswith("/") else []
        origin = any(name == b"origin" for name, _ in headers)
        return address.why_not(map(listening.host_of, hosts), origin=origin, own=self.host)


async def drain(receive: Receive) -> None:
    """Reads the request to its end: an answer that comes sooner resets the connection under the sender."""
    while (await receive()).get("more_body"):
        pass


async def nothing(message: Any) -> None:
    """A `send` that keeps the answer to itself."""
