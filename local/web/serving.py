"""The page on a port of this machine, loopback unless told otherwise.

    with Serving(networks, chosen="camera", choices=models.of_digits(), port=0) as serving:    # binds, makes the page
        serving.url                                                                    # http://127.0.0.1:41234
        serving.serve()                                                                # until Ctrl-C

Gradio is told to call nobody: no analytics, no share links, no fonts from elsewhere, nothing kept in the browser. What
it writes goes into a folder that is removed in the end. On loopback, requests that name another host are refused, so
that no web page can reach this one by a name of its own (DNS rebinding).
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from local import listening
from local.web import cards, examples, page
from local.web.answers import Networks
from shared.errors import UserError

LARGEST = "64mb"  # of a picture that is dropped
PIP = "pip install 'gradio>=6.31,<7'"
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
HOSTS = ["127.0.0.1", "localhost", "[::1]"]


class Serving:
    """The page and its sockets. Raises ConfigError where the port cannot be had, UserError where gradio is missing."""

    def __init__(
        self, networks: Networks, *, chosen: str, choices: Sequence[str], port: int, host: str | None = None
    ) -> None:
        self.sockets = listening.listen(listening.addresses(host), port)
        self.url = listening.url_of(host, self.sockets)
        self._kept = tempfile.TemporaryDirectory(prefix="k2l-web-")
        try:
            folder = Path(self._kept.name)
            gr = _gradio(folder)
            built = page.built(networks, chosen=chosen, choices=choices, examples=examples.written(folder))
            self.app = _application(gr, built, hosts=HOSTS if not host or listening.is_loopback(host) else ["*"])
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
            self.app, log_level="critical", access_log=False, server_header=False, timeout_graceful_shutdown=1
        )

        async def until_told() -> None:
            ready()
            await uvicorn.Server(config).serve(sockets=self.sockets)

        asyncio.run(until_told())

    def close(self) -> None:
        """Gives the port back and removes what was written."""
        for one in self.sockets:
            one.close()
        self._kept.cleanup()


def _gradio(folder: Path) -> Any:
    """Gradio, imported with its mouth shut and its files in that folder."""
    os.environ.update(QUIET, GRADIO_TEMP_DIR=str(folder))
    try:
        import gradio
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "gradio":
            raise
        raise UserError(f"the page in the browser needs gradio, which is not installed here:\n{PIP}") from None
    return gradio


def _application(gr: Any, built: Any, *, hosts: list[str]) -> Any:
    """The web application; a request that names none of the hosts is refused."""
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    font = ["system-ui", "sans-serif"]  # those of the machine: none is fetched
    theme = gr.themes.Base(primary_hue="emerald", font=font, font_mono=["ui-monospace", "monospace"])
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    outer.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    return gr.mount_gradio_app(
        outer, built, path="/", theme=theme, css=cards.STYLE + page.CANVAS_STYLE, footer_links=[], run_history=False,
        ssr_mode=False, mcp_server=False, enable_monitoring=False, max_file_size=LARGEST, show_error=True,
    )  # fmt: skip
