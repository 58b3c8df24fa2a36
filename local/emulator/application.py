"""The emulator's HTTP application: keys, methods, the log stream, storage.

Each under `/api/v1` and `/v1`: `POST <service>/<RpcMethod>` and `GET kernels/logs/stream/<owner>/<slug>`. Beside
them `GET /storage/…` and `PUT /upload/…` (signed, no key) and, for the emulator itself, `GET /emulator/ping` and
`GET|POST|DELETE /emulator/faults`. `serving` puts it on a port.
"""

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from local.emulator.faults import Fault, Faults
from local.emulator.kernel_methods import ARCHIVE, METHODS
from local.emulator.parsing import MALFORMED, loaded, parsed
from local.emulator.service import EmulatorService, Redirect, Refusal, stored_log, version_number
from local.emulator.storage.blobs import take
from local.emulator.storage.kernels import ENDED, Version
from local.emulator.storage.model_store import FIRST
from shared.core.errors import plain
from shared.core.files import is_full

BODY_BYTES = 20_000_000
LOG_INTERVAL = 0.1
END_OF_LOG = "END_OF_LOG"
HASHED_BYTES = 2_000_000_000  # larger files have no MD5, like composite ones in Google's storage
# As Google's storage refuses a signed URL.
EXPIRED = """<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code>\
<Message>Invalid argument.</Message><Details>The provided token has expired.</Details></Error>"""


class FileConvertor(PathConvertor):
    """A file's name in a path, with any characters, also line breaks."""

    regex = r"[\s\S]*"


register_url_convertor("file", FileConvertor())


def refused(request: Request, error: Exception) -> Response:
    """An HTTP error in the service's form."""
    if isinstance(error, HTTPException):
        error = Refusal(error.status_code, f"{error.detail}: {request.method} {request.url.path}")
    assert isinstance(error, Refusal)
    headers = {"www-authenticate": "Basic"} if error.code == 401 else {}
    if error.bare:
        return Response(status_code=error.code, headers=headers)
    return JSONResponse(error.body(), error.code, headers)


def full(request: Request, error: Exception) -> Response:
    """The answer if the emulator's disk is full: 507, at once. Any other OSError is a bug of ours."""
    if not is_full(error):
        raise error
    return refused(request, Refusal(507, f"disk full: {request.app.state.folder}. Free some space there"))


def holds_key(service: EmulatorService, request: Request) -> bool:
    """Whether a request has the key: Basic `username:key`, or the key as a Bearer token."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            username, _, key = base64.b64decode(value).decode().partition(":")
        except ValueError:  # not Base64, or not text
            return False
        genuine = username == service.username
    else:
        key, genuine = value, scheme.lower() == "bearer"
    return genuine and service.is_key(key)


def broken(request: Request, error: Exception) -> Response:
    """The answer to a bug of the emulator; the server's log has the traceback."""
    return JSONResponse(Refusal(500, f"The emulator failed ({type(error).__name__}); see its server.log").body(), 500)


def unauthenticated() -> Refusal:
    return Refusal(401, "Unauthenticated: the username or the key is not valid")


def check_key(service: EmulatorService, request: Request) -> None:
    """Refusal 401 for a request without the key."""
    if not holds_key(service, request):
        raise unauthenticated()


def check_no_key(request: Request) -> None:
    """Refusal 400 for a request with a key to storage, which needs none."""
    if "authorization" in request.headers:
        raise Refusal(400, "Storage takes signed URLs: leave the Authorization header, which is for the service, out")


def elsewhere(service: EmulatorService, request: Request, redirect: Redirect) -> Response:
    """302 to storage, under another host name than the request's, so that clients do not send their key."""
    base = service.base
    if request.url.hostname == "127.0.0.1":
        base = base.replace("127.0.0.1", "localhost")
    return RedirectResponse(base + redirect.location, 302)


class Application:
    """The routes' functions, on one service."""

    def __init__(self, service: EmulatorService, faults: Faults, about: dict[str, Any]) -> None:
        self.service, self.faults, self.about = service, faults, about

    async def call(self, request: Request) -> Response:
        """One method of the service."""
        method = METHODS.get(f"{request.path_params['service']}/{request.path_params['method']}")
        text = await self.body(request, asks_for_key=method is None or method.asks_for_key)
        if method is None:
            raise Refusal(404, f"The emulator has no method {request.url.path}")
        asked = parsed(method.request, text)
        answer = await run_in_threadpool(method.answer, self.service, asked, request.state.struck)
        if isinstance(answer, Redirect):
            return elsewhere(self.service, request, answer)
        return JSONResponse(answer if isinstance(answer, dict) else answer.to_dict())

    async def body(self, request: Request, *, asks_for_key: bool = True) -> bytes:
        """The request's body. Refusal: 401 without the key, 413 over BODY_BYTES.

        A refused body is read to its end, since an earlier answer would reset the sender's connection, but it is not
        stored.
        """
        welcome = not asks_for_key or holds_key(self.service, request)
        content, size = bytearray(), 0
        async for chunk in request.stream():
            size += len(chunk)
            if welcome and size <= BODY_BYTES:
                content += chunk
        if not welcome:
            raise unauthenticated()
        if size > BODY_BYTES:
            raise Refusal(413, f"The request is over {BODY_BYTES:,} bytes")
        return bytes(content)

    def log_stream(self, request: Request) -> Response:
        """A version's log, `versionLabel`'s or the current one's: live as server-sent events, stored after its end."""
        check_key(self.service, request)
        number = version_number(request.query_params.get("versionLabel"))
        version = self.service.find_version(request.path_params["owner"], request.path_params["slug"], number)
        if self.service.store.status(version)["status"] not in ENDED:
            cut = request.state.struck.get("cut_stream")
            return StreamingResponse(self.events(version, cut), media_type="text/event-stream")
        return Response(stored_log(version, request.state.struck) or "[]", media_type="application/json")

    async def events(self, version: Version, cut: Fault | None) -> AsyncIterator[str]:
        """The records from the first one on, until the session has ended, or until `cut` ends them."""
        sent, began = 0, time.monotonic()
        ended = False
        while not ended:
            # The status first: then nothing that was written before the end is missed.
            ended = (await run_in_threadpool(self.service.store.status, version))["status"] in ENDED
            records = await run_in_threadpool(version.records)
            for record in records[sent:]:
                yield f"data: {record}\n\n"
            sent = len(records)
            if cut and time.monotonic() - began >= cut.seconds:
                yield 'data: {"stream_name": "stdout", "ti'
                return
            await asyncio.sleep(0 if ended else LOG_INTERVAL)
        yield f"data: {END_OF_LOG}\n\n"

    def storage(self, request: Request) -> Response:
        """An output, for anyone with its signed URL; ranges are supported."""
        name = request.path_params["name"]
        query = request.query_params
        check_no_key(request)
        genuine = self.service.signer.accepts(name, query.get("expires", ""), query.get("signature", ""))
        if not genuine or "expired" in request.state.struck:
            return Response(EXPIRED, 403, media_type="application/xml")
        path = self.stored(name)
        if path is None or not path.exists():
            raise Refusal(404, f"'{name}' is gone")
        headers = {"content-disposition": "attachment"}
        if path.stat().st_size <= HASHED_BYTES:
            headers["x-goog-hash"] = f"md5={md5_of(path, path.stat().st_mtime_ns)}"
        return FileResponse(path, media_type="application/octet-stream", headers=headers)

    def stored(self, name: str) -> Path | None:
        """The file that a signed URL names, of a model or of a kernel's version."""
        if name.startswith(f"{FIRST}/"):
            return self.service.models.stored(name)
        owner, slug, number, file_name = name.split("/", 3)
        version = self.service.find_version(owner, slug, int(number))
        return version.folder / ARCHIVE if file_name == ARCHIVE else version.output(file_name)

    async def upload(self, request: Request) -> Response:
        """An uploaded file, from anyone with its URL."""
        check_no_key(request)
        blob = self.service.blobs.at(request.query_params.get("upload_id", ""))
        if blob is None:
            raise Refusal(404, "There is no such upload, or it has expired")
        return await take(blob, request)

    def ping(self, request: Request) -> Response:
        """The emulator's identity, its number of running sessions, and how often each fault was used."""
        check_key(self.service, request)
        return JSONResponse({**self.about, "live": len(self.service.store.live()), "struck": self.faults.struck})

    async def change_faults(self, request: Request) -> Response:
        """Adds, lists or clears faults."""
        text = await self.body(request)
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            try:
                asked = loaded(text)
                self.faults.add_all(asked if isinstance(asked, list) else [asked])
            except MALFORMED as error:
                raise Refusal(400, plain(str(error))) from None
        return JSONResponse(self.faults.listed())


@lru_cache(maxsize=1000)
def md5_of(path: Path, changed: int) -> str:
    """Base64 of a file's MD5, as storage gives it; `changed` keeps the cache from outliving the content."""
    with path.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()


def build(service: EmulatorService, faults: Faults, about: dict[str, Any]) -> Starlette:
    """The application; wrap it into `middleware.HttpFrontEnd`."""
    application = Application(service, faults, about)
    routes = [
        Route("/storage/{name:file}", application.storage),
        Route("/upload/{name}", application.upload, methods=["PUT"]),
        Route("/emulator/ping", application.ping),
        Route("/emulator/faults", application.change_faults, methods=["GET", "POST", "DELETE"]),
    ]
    for prefix in ("/api/v1", "/v1"):
        routes.append(Route(prefix + "/kernels/logs/stream/{owner}/{slug}", application.log_stream))
        routes.append(Route(prefix + "/{service}/{method}", application.call, methods=["POST"]))
    handlers: dict[Any, Any] = {Refusal: refused, HTTPException: refused, OSError: full, Exception: broken}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.state.folder = service.store.state
    return app
