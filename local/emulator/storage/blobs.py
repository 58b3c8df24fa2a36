"""Files on their way in: a place is reserved, its bytes come in one PUT or several, and a token names it then.

    blob = blobs.begin("model.pth", 7)        blob.token, blob.location
    await take(blobs.at(upload_id), request)  as Google's storage takes a resumable upload
    blobs.of(token)                           the same blob, for the method that files it

<state>/blobs/<id>/about.json  content

Whoever has the location may write there and needs no key; whoever has the token, and the key, may file what came.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from local.emulator.sessions.folders import remove
from local.emulator.storage.kernels import read_json

LIFETIME = 7 * 24 * 3600.0  # seconds; after a week an upload has to begin anew
INCOMPLETE = 308  # Google's "Resume Incomplete"
_RANGE = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15})")


@dataclass(frozen=True)
class Blob:
    """One file on its way in; `location` is the path and query to send it to."""

    folder: Path
    token: str
    location: str

    @property
    def name(self) -> str:
        return str(read_json(self.folder / "about.json")["name"])

    @property
    def bytes(self) -> int:
        """How many are to come."""
        return int(read_json(self.folder / "about.json")["bytes"])

    @property
    def content(self) -> Path:
        return self.folder / "content"

    @property
    def received(self) -> int:
        return self.content.stat().st_size

    @property
    def complete(self) -> bool:
        """Whether all bytes arrived: a file of no bytes is complete once it was sent."""
        return self.received == self.bytes and (self.bytes > 0 or (self.folder / "sent").exists())


class Blobs:
    """The uploads of a state folder; those older than a week are cleared when a server starts."""

    def __init__(self, folder: Path, secret: str) -> None:
        self.folder, self.secret = folder, secret.encode()
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.iterdir():
            if time.time() - old.stat().st_mtime > LIFETIME:
                remove(old)

    def begin(self, name: str, size: int) -> Blob:
        """A place for so many bytes."""
        blob = self._blob(secrets.token_hex(8), name)
        blob.folder.mkdir()
        blob.content.touch()
        (blob.folder / "about.json").write_text(json.dumps({"name": name, "bytes": size}), encoding="utf-8")
        return blob

    def at(self, upload_id: str) -> Blob | None:
        """The blob that an upload's URL means, if there is one and the URL is genuine."""
        return self._found(upload_id, "upload")

    def of(self, token: str) -> Blob | None:
        """The blob that a token means."""
        return self._found(token, "token")

    def _found(self, text: str, purpose: str) -> Blob | None:
        name, _, signature = text.partition(".")
        genuine = hmac.compare_digest(self._signature(name, purpose).encode(), signature.encode(errors="replace"))
        if not genuine or not (self.folder / name / "about.json").exists():
            return None
        return self._blob(name, str(read_json(self.folder / name / "about.json")["name"]))

    def _blob(self, key: str, name: str) -> Blob:
        query = urlencode({"upload_id": f"{key}.{self._signature(key, 'upload')}"})
        token = f"{key}.{self._signature(key, 'token')}"
        return Blob(folder=self.folder / key, token=token, location=f"/upload/{quote(name)}?{query}")

    def _signature(self, key: str, purpose: str) -> str:
        return hmac.new(self.secret, f"{purpose}\n{key}".encode(), hashlib.sha256).hexdigest()[:32]


async def take(blob: Blob, request: Request) -> Response:
    """Takes the bytes of one PUT, behind those that came before, and says how many are there.

    The bytes of an interrupted PUT are saved. `Content-Range: bytes */7` sends nothing and only asks; without that
    header the file begins anew.
    """
    said = request.headers.get("content-range", "")
    found, announced = _RANGE.fullmatch(said), blob.bytes
    if said and (found is None or int(found[3]) != announced):
        return _refused(f"Content-Range '{said[:100]}' does not go with the {announced} bytes announced")
    start = int(found[1]) if found and found[1] else 0
    asks = found is not None and found[1] is None
    if not asks and not blob.complete and start <= blob.received:
        try:
            fits = await _append(blob, start, announced, request)
        except OSError:
            await _drain(request)
            raise
        if not fits:
            return _refused(f"there are more than the {announced} bytes announced")
        (blob.folder / "sent").touch()
    else:
        await _drain(request)
    return await run_in_threadpool(standing, blob)


async def _drain(request: Request) -> None:
    """Reads what is still to come: an answer that comes sooner resets the connection."""
    with suppress(ClientDisconnect):
        async for _ in request.stream():
            pass


async def _append(blob: Blob, start: int, announced: int, request: Request) -> bool:
    """Writes what comes behind the first `start` bytes; False, and nothing of it, for more than was announced."""
    end = start
    with blob.content.open("r+b") as file:
        file.truncate(start)
        file.seek(start)
        try:
            async for chunk in request.stream():
                end += len(chunk)
                if end <= announced:
                    file.write(chunk)
        except ClientDisconnect:
            pass
        if end > announced:
            file.truncate(start)
    return end <= announced


def standing(blob: Blob) -> Response:
    """200 for a complete file, else 308 with its current size."""
    if blob.complete:
        with blob.content.open("rb") as file:
            md5 = base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()
        return JSONResponse({"name": blob.name, "size": str(blob.bytes), "md5Hash": md5})
    received = blob.received
    return Response(status_code=INCOMPLETE, headers={"range": f"bytes=0-{received - 1}"} if received else {})


def _refused(message: str) -> Response:
    return Response(message, 400, media_type="text/plain")
