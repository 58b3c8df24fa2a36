"""Misbehaviour on request: what the service, the network or storage does on a bad day; and the outermost layer.

A fault is asked for over HTTP with the key (`POST /emulator/faults`, one object or a list; `GET` lists,
`DELETE` clears), or with `Faults.add` in the same process:

    {"fault": "status", "method": "SaveKernel", "status": 503, "headers": {"Retry-After": "1"}, "times": 2}
    {"fault": "drop", "method": "SaveKernel", "moment": "after"}        it was done, but the answer is lost
    {"fault": "truncate", "method": "Download", "match": "model.pth"}

`method` is a method's name, `Download` for signed URLs, `LogStream`, or `*`; `match` is a part of the file's
name; `skip` lets that many calls through first, `times` counts the calls it strikes (null: all).

`Front` wraps the application: it draws the faults of each request and acts on those that concern the wire; the
others reach the methods as `struck`. It also turns absolute targets (`POST http://localhost/api/v1/…`, from a
client that takes this server for its proxy) into paths. To add a kind, name it in KINDS, in USUAL_METHOD where
one method alone knows it, and act on it in `Front`, `methods` or `server`.
"""

import asyncio
import json
import threading
import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

KINDS = {
    "status": "answers `status` with `headers` and `body`, and does nothing",
    "drop": "closes the connection, `before` the call is done or `after`",
    "delay": "waits `seconds` first",
    "truncate": "sends half of the body, then closes the connection",
    "corrupt": "changes the body's first byte",
    "stale_status": "answers an unversioned status with the previous version's",
    "empty_log": "answers as if the log had not been stored yet",
}
USUAL_METHOD = {
    "truncate": "Download",
    "corrupt": "Download",
    "stale_status": "GetKernelSessionStatus",
    "empty_log": "ListKernelSessionOutput",
}


@dataclass(kw_only=True)
class Fault:
    """One rule. ValueError names a field that cannot be."""

    fault: str
    method: str = ""
    match: str = ""
    skip: int = 0
    times: int | None = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    seconds: float = 0.0
    moment: str = "before"

    def __post_init__(self) -> None:
        if self.fault not in KINDS:
            raise ValueError(f"no fault {self.fault!r}; there are {', '.join(KINDS)}")
        if self.moment not in ("before", "after"):
            raise ValueError(f"moment {self.moment!r} is neither before nor after")
        self.method = self.method or USUAL_METHOD.get(self.fault, "*")

    def strikes(self, method: str, subject: str) -> bool:
        """Whether it strikes this call, which counts it."""
        if self.method not in ("*", method) or self.match not in subject or self.times == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []

    def add(self, **rule: Any) -> Fault:
        """Adds a rule. ValueError: an unknown field or fault."""
        unknown = rule.keys() - {one.name for one in fields(Fault)}
        if unknown:
            raise ValueError(f"a fault has no field {', '.join(sorted(unknown))}")
        fault = Fault(**rule)
        with self._lock:
            self._rules.append(fault)
        return fault

    def draw(self, method: str, subject: str = "") -> dict[str, Fault]:
        """The faults that strike this call, by kind; of a kind the first rule wins, and is counted."""
        with self._lock:
            struck: dict[str, Fault] = {}
            for rule in self._rules:
                if rule.fault not in struck and rule.strikes(method, subject):
                    struck[rule.fault] = rule
            self._rules = [rule for rule in self._rules if rule.times != 0]
            return struck

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]


class Wire(H11Protocol):
    """uvicorn's protocol; it puts the connection into each request's state, under `transport`, to be broken."""

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
    text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    body = b"" if fault.body is None else text.encode()
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
