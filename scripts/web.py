"""`k2l web`: a page in the browser that reads what is drawn, dropped or shown to the camera."""

import os
import signal
import sys
from contextlib import suppress
from typing import Annotated

import typer

from scripts._edge import fail, run, say
from scripts._options import ReaderModel, usual_model


def web(
    model: ReaderModel = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0 takes any free one.")] = 7860,
    host: Annotated[str | None, typer.Option(help="Address to serve on. [default: loopback]")] = None,
    i_know: Annotated[bool, typer.Option("--i-know", help="Let others in: the page asks nobody who they are.")] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", "--open", help="Open the page in a browser here.")
    ] = False,
) -> None:
    """Read digits in the browser: drawn, in a picture, by its camera.

    Shows what the network sees, its probabilities, and the float and int8 files of a network side by side with the
    time each takes. Needs no display; on a machine elsewhere, ssh -L 7860:localhost:7860 brings the page here.

    Example: k2l web --model lite
    """
    from local import listening
    from local.web import serving
    from shared.errors import plain

    others = bool(host and not listening.is_loopback(host))
    if others and not i_know:
        fail(
            f"--host {plain(host)} lets other machines in, and the page asks nobody who they are.\n"
            "Add --i-know where that is meant, or reach 127.0.0.1 from elsewhere through ssh -L.",
            2,
        )
    if sys.stderr.isatty():
        say("starting the page: a few seconds …")
    from local.web.answers import Networks

    networks = Networks()
    chosen, choices = _chosen(model)
    networks.open(chosen)  # what is wrong with it is told here, not in the page
    with serving.Serving(networks, chosen=chosen, choices=choices, host=host, port=port) as page:

        def ready() -> None:
            say(f"k2l web: {page.url} (Ctrl-C ends it)")
            if others:
                say("NOTE: browsers give a page their camera on this machine alone, or over https.")
            if browser:
                import webbrowser

                webbrowser.open(page.url)

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service's end is Ctrl-C: its folder goes too
        with suppress(KeyboardInterrupt):
            page.serve(ready)
        say("", "the page is closed")


def _chosen(model: str) -> tuple[str, list[str]]:
    """The network to begin with, and all that the page offers."""
    from local import models

    named = model or os.environ.get(models.MODEL_VARIABLE) or usual_model().name
    return named, list(dict.fromkeys([named, *models.of_digits()]))


if __name__ == "__main__":
    run(web)
