"""`k2l web`: a page in the browser that reads what is drawn, dropped or shown to the camera."""

import os
import signal
from contextlib import suppress
from typing import Annotated

import typer

from scripts.steps.options import ReaderModel, served, usual_model
from scripts.terminal.edge import run
from scripts.terminal.output import say


def web(
    model: ReaderModel = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0 takes any free one.")] = 7860,
    host: Annotated[str | None, typer.Option(help="Address to serve on. [default: loopback]")] = None,
    i_know: Annotated[bool, typer.Option("--i-know", help="Let others in: the page has no log-in.")] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", "--open", help="Open the page in a browser here.")
    ] = False,
) -> None:
    """Read digits in the browser: drawn, in a picture, by its camera.

    Shows what the network sees, its probabilities, and the float and int8 files of a network side by side with the
    time each takes. Needs no display; on a machine elsewhere, ssh -L 7860:localhost:7860 brings the page here.

    Example: k2l web --model lite
    """
    from local.apps.web.answers import Networks
    from local.apps.web.serving import Serving

    chosen, choices = _chosen(model)
    networks = Networks()
    with served(
        lambda: Serving(networks, host=host, port=port, i_know=i_know, chosen=chosen, choices=choices, told=say)
    ) as page:
        networks.open(chosen)  # its errors appear here, not in the page

        def ready() -> None:
            say(f"k2l web: {page.url} (Ctrl-C ends it)")
            if page.exposed:
                say("NOTE: browsers give a page their camera on this machine alone, or over https.")
            if browser:
                import webbrowser

                webbrowser.open(page.url)

        _end_as_by_ctrl_c()
        with suppress(KeyboardInterrupt):
            page.serve(ready)
        say("", "the page is closed")


def _end_as_by_ctrl_c() -> None:
    """SIGTERM and SIGHUP end the page as Ctrl-C does. A SIGHUP that is ignored (`nohup`) stays ignored."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is not None and signal.getsignal(hang_up) != signal.SIG_IGN:
        # As SIGTERM, which uvicorn handles: an exception while it answers a request would be lost.
        signal.signal(hang_up, lambda *_: signal.raise_signal(signal.SIGTERM))


def _chosen(model: str) -> tuple[str, list[str]]:
    """The first network, and all that the page offers."""
    from local.models import registry

    named = model or os.environ.get(registry.MODEL_VARIABLE) or usual_model().name
    return named, list(dict.fromkeys([named, *registry.of_digits()]))


if __name__ == "__main__":
    run(web)
