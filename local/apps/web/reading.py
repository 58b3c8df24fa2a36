"""What the page asks: a picture's bytes, and HTML as the answer. The only thing of a visitor that the server takes.

    reading = Reading(networks, choices=["camera", "lite"], told=print)
    await reading(request)             # POST /read?tab=Picture&network=lite, its body the bytes of a picture file

A path or an address has no place in it: nothing is opened, fetched or written for a visitor. Bodies are limited, each
and all together, and pictures take turns: each may take as much memory as `local.pictures.picture` allows.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from local.apps.web import cards
from local.apps.web.answers import Networks
from local.pictures import picture
from shared.core.errors import PictureError, UserError

logger = logging.getLogger(__name__)

DRAW, PICTURE, CAMERA = "Draw", "Picture", "Camera"
HINTS = {DRAW: "Draw a digit.", PICTURE: "Choose or drop a picture.", CAMERA: "Start the camera, and show it digits."}
LARGEST = 64_000_000  # bytes of one picture
TOGETHER = 4 * LARGEST  # of all that are being sent or wait for their turn
PATIENCE = 60.0  # seconds for a picture to arrive


class Reading:
    """Answers requests; `told` is given one line for each failure that is not the visitor's."""

    def __init__(self, networks: Networks, *, choices: Collection[str], told: Callable[[str], None]) -> None:
        self.networks, self.choices, self.told = networks, frozenset(choices), told
        self._held = 0
        self._turn = asyncio.Lock()

    async def __call__(self, request: Request) -> Response:
        """The answer to one picture. HTTPException: the request is not one that the page sends."""
        tab, network = (request.query_params.get(name, "") for name in ("tab", "network"))
        if tab not in HINTS or network not in self.choices:
            raise HTTPException(400, "There is no such tab or network: load the page again.")
        with self._counted() as arrived:
            data = await received(request, arrived)
            if not data:
                return HTMLResponse(cards.nothing(HINTS[tab]))
            async with self._turn:
                return HTMLResponse(await run_in_threadpool(self.answer, tab, network, data))

    def answer(self, tab: str, network: str, data: bytes) -> str:
        """What a network says of a picture file's bytes, or why it is not read, as HTML. A drawing is one digit."""
        try:
            grey, bgr = picture.shown(np.frombuffer(data, np.uint8), "this picture", largest=cards.WIDEST)
            seen = self.networks.read(network, grey, bgr, single=tab == DRAW)
        except PictureError as error:
            return cards.nothing(str(error))
        except UserError as error:  # of a model's file: it names a path, which is no business of a visitor's
            self.told(f"error: {error}")
            return cards.nothing(f"{network} cannot be used; the terminal of k2l web says why.")
        return cards.shown(seen, annotated=tab != DRAW)

    async def failed(self, request: Request, error: Exception) -> Response:
        """The answer where something broke that should not: a line for the terminal, none of it for the visitor."""
        logger.debug("this picture was not read", exc_info=error)
        self.told(f"error: a picture was not read: {type(error).__name__} (k2l -vv web shows where)")
        return HTMLResponse(cards.nothing("This picture could not be read; it is not your fault."), 500)

    @contextmanager
    def _counted(self) -> Iterator[Callable[[int], None]]:
        """Counts one request's bytes among all that are held; the call given refuses what is too much."""
        size = 0

        def arrived(more: int) -> None:
            nonlocal size
            size, self._held = size + more, self._held + more
            if size > LARGEST:
                raise HTTPException(413, f"This file is too large: at most {LARGEST / 1e6:g} MB.")
            if self._held > TOGETHER:
                raise HTTPException(503, "Too many pictures at once: try again.")

        try:
            yield arrived
        finally:
            self._held -= size


async def received(request: Request, arrived: Callable[[int], None]) -> bytes:
    """A request's body; `arrived` is told of each part. HTTPException: it comes too slowly, or breaks off."""
    parts = []
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                arrived(len(part))
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, "The picture did not arrive in time: try again.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The picture did not arrive whole.") from None
    return b"".join(parts)
