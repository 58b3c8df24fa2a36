"""`k2l camera`: reads the digits a camera sees, live."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.steps.options import Conf, ReaderModel, open_reader
from scripts.terminal.edge import run
from scripts.terminal.output import json_line, say, show
from shared.core.errors import PictureError

if TYPE_CHECKING:
    from local.apps.camera.window import Window


def camera(
    source: Annotated[
        str, typer.Option(metavar="0|FILE|FOLDER|URL", help="A camera's number, a film, pictures, rtsp:// or http://.")
    ] = "0",
    model: ReaderModel = "",
    conf: Conf = None,
    single: Annotated[bool, typer.Option("--single", help="The whole picture is one digit, or none.")] = False,
    no_show: Annotated[
        bool,
        typer.Option("--no-show", help="Open no window; Ctrl-C stops it. Answers are printed, or go to --json's file."),
    ] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FILM", help="Save the pictures as a film, such as out.mp4.")
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a JSON object for each frame into this file; - is stdout."),
    ] = None,
    patience: Annotated[
        float, typer.Option(min=1, max=86_400, help="Seconds without a picture until a camera counts as lost.")
    ] = 30.0,
) -> None:
    """Read the digits a camera sees, live, with boxes round them.

    Hold paper with digits before the camera. Keys in the window: space a snapshot, in which a digit is explained when
    you drag round it; r the same live; t what is taken for ink; s saves the picture; q quits.

    Example: k2l camera --source clip.mp4 --no-show --json out.jsonl
    """
    from local.apps.camera import capture, live
    from local.pictures.film import Film

    _check_apart(source, save, json)
    feed = capture.open_feed(source, told=say, patience=patience)
    reader = open_reader(model, conf)
    with ExitStack() as stack:
        film = stack.enter_context(Film(save, fps=feed.fps)) if save else None
        tell = _teller(stack, json)
        window = None if no_show else _window(stack)
        stack.enter_context(feed)
        timing, broken = live.Timing(), None
        try:
            live.watch(feed, reader, tell=tell, single=single, window=window, film=film, timing=timing)
        except KeyboardInterrupt:  # without a window there is no other way to stop
            pass
        except PictureError as error:  # a film that is cut off; what was read of it is saved
            broken = error
        if timing.frames or not broken:
            say(timing.line())
    if film and film.frames:
        say(f"kept: {save}")
    if broken:
        raise broken


def _check_apart(source: str, *targets: Path | None) -> None:
    """ConfigError if two of the source, the film and the lines are one file: it would be lost."""
    from shared.core.errors import ConfigError

    files = [path.resolve() for path in (Path(source), *targets) if path is not None and str(path) != "-"]
    for path in files:
        if files.count(path) > 1:
            raise ConfigError(f"{path} is named twice: --source, --save and --json must be different files")


def _window(stack: ExitStack) -> "Window | None":
    """A window; if none can be opened, this is reported, and the camera runs without."""
    from local.apps.camera.window import Window
    from shared.core.errors import DisplayError

    try:
        return stack.enter_context(Window("k2l camera"))
    except DisplayError as error:
        say(f"{error} Continuing without it; Ctrl-C stops it.")
        return None


def _teller(stack: ExitStack, target: Path | None) -> Callable[[dict[str, Any]], None]:
    """What reports each frame: JSON lines into a file or on stdout, else a plain line when the text changes."""
    if target is None:
        last: list[str] = [""]

        def change(facts: dict[str, Any]) -> None:
            if facts["text"] != last[0]:
                last[0] = facts["text"]
                show(f"{facts['time']:8.2f} s  {facts['text'] or 'no digit'}")

        return change
    if str(target) == "-":
        stream = sys.stdout
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = stack.enter_context(target.open("w", encoding="utf-8"))

    def line(facts: dict[str, Any]) -> None:
        print(json_line({key: value for key, value in facts.items() if key != "text"}), file=stream, flush=True)

    return line


if __name__ == "__main__":
    run(camera)
