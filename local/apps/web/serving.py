"""The page on a port of this machine, loopback unless told otherwise.

    with Serving(networks, chosen="camera", choices=models.of_digits(), port=0) as serving:    # binds, makes the page
        serving.url                                                                    # http://127.0.0.1:41234
        serving.serve()                                                                # until Ctrl-C

Nothing is written anywhere while it is served, and nobody is called.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from local.apps.web.answers import Networks
from local.core import listening

RISK = "the page asks nobody who they are."


class Serving:
    """The page and its sockets. Raises ConfigError where the port cannot be had, ExposedError for another host."""

    def __init__(
        self,
        networks: Networks,
        *,
        chosen: str,
        choices: Sequence[str],
        port: int,
        host: str | None = None,
        i_know: bool = False,
        told: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.sockets = listening.listen(host, port, risk=RISK, i_know=i_know)
        self.url = listening.url_of(host, self.sockets)
        self.exposed = listening.exposed(self.sockets)
        try:
            # Where others are let in, nobody knows by which name they come.
            called = (lambda name: True) if self.exposed else (lambda name: listening.is_ours(name, host))
            self.app = _application(networks, called, chosen=chosen, choices=choices, told=told)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Serving":
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def serve(self, ready: Callable[[], None] = lambda: None) -> None:
        """Answers until SIGINT (which is KeyboardInterrupt once more, afterwards) or SIGTERM."""
        import uvicorn

        # A page that is open in a browser holds a connection; that it is cut in the end is no error to be told of.
        config = uvicorn.Config(
            self.app, http="h11", ws="none", lifespan="off", log_level="critical", access_log=False,
            server_header=False, timeout_graceful_shutdown=1, limit_concurrency=100,
        )  # fmt: skip

        self._server = uvicorn.Server(config)

        async def until_told() -> None:
            ready()
            await self._server.serve(sockets=self.sockets)

        asyncio.run(until_told())

    def stop(self) -> None:
        """Makes `serve` return, from another thread."""
        self._server.should_exit = True

    def close(self) -> None:
        """Gives the port back."""
        for one in self.sockets:
            one.close()


def _application(
    networks: Networks,
    called: Callable[[str], bool],
    *,
    chosen: str,
    choices: Sequence[str],
    told: Callable[[str], None],
) -> Any:
    """The web application: the parts of the page, and `read`. There is nothing else."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from local.apps.web import page
    from local.apps.web.access import Gate
    from local.apps.web.reading import Reading

    parts = page.parts(chosen=chosen, choices=choices)
    reading = Reading(networks, choices=choices, told=told)

    async def part(request: Request) -> Response:
        kind, content = parts[request.url.path]
        return Response(content, media_type=kind)

    async def read(request: Request) -> Response:
        return await reading(request)

    routes = [*(Route(path, part) for path in parts), Route("/read", read, methods=["POST"])]
    app = Starlette(routes=routes, exception_handlers={Exception: reading.failed})
    app.router.redirect_slashes = False
    return Gate(app, called=called)
