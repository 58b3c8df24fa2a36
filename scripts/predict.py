"""`k2l predict`: reads the digits in each picture."""

import csv as csv_format
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.steps.options import Conf, ReaderModel, check_folder, open_reader
from scripts.terminal.edge import fail, run
from scripts.terminal.output import Json, bar, emit, say, show
from shared.core import printable
from shared.core.errors import ConfigError
from shared.core.events import Progress

if TYPE_CHECKING:
    from local.digits.reader import Reading
    from local.digits.saved_readings import Album
    from local.pictures.sources import Shot
    from shared.core.errors import PictureError

COLUMNS = ("file", "frame", "row", "place", "digit", "confidence", "x", "y", "width", "height", "rejected")
MANY = 10  # from so many pictures on, a last line has the totals


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Pictures, films, folders, patterns, http(s) addresses; - is stdin."),
    ],
    model: ReaderModel = "",
    single: Annotated[bool, typer.Option("--single", help="The whole picture is one digit, or none.")] = False,
    conf: Conf = None,
    top: Annotated[int, typer.Option(min=1, max=10, help="Show this many of each digit's likeliest classes.")] = 1,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Add the probability of every class to each digit.")
    ] = False,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="A line a digit, alone on stdout, for a spreadsheet.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER|PICTURE", help="Save each picture there, with the reading drawn over it."),
    ] = None,
    save_crops: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Save each digit there as the network saw it, 28x28.")
    ] = None,
    debug_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Save there a picture of each step from the picture to the glyphs."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show each picture in a window: any key for the next one, q to stop.")
    ] = False,
) -> None:
    """Read the digits in each picture.

    Any size, dark on light or light on dark, one digit or rows of them; other signs are left out, and counted.

    Example: k2l predict photo.jpg --save seen
    """
    from local.pictures import sources

    if json and csv:
        fail("--json and --csv: stdout can only be one of them.", 2)
    names = sources.expanded(paths)
    kept = {"--save": save, "--save-crops": save_crops, "--debug-dir": debug_dir}
    for option, folder in kept.items():
        check_folder(_folder_of(save, names) if save and folder is save else folder, option)
    reader = open_reader(model, conf)
    tell = as_json if json else as_csv() if csv else as_text
    total = _Total()
    with ExitStack() as stack:
        album = _album(stack, save=save, crops=save_crops, steps=debug_dir, single=single)
        look = _window(stack) if show else None
        for shot in _followed(names, stack):
            if isinstance(shot, Exception):
                say(f"error: {shot}")
                total.failed += 1
                continue
            reading = reader.read(shot.grey, single=single)
            total.add(reading)
            tell(facts_of(shot, reading, probabilities=probabilities, top=top))
            if album:
                album.add(shot, reading)
            if look and not look(shot, reading):
                break
    for place in filter(None, kept.values()):
        if total.pictures and place.exists():
            say(f"kept: {place}")
    if total.pictures + total.failed >= MANY:
        say(total.line())
    if total.failed:
        raise SystemExit(1)


def _folder_of(save: Path, names: list[str]) -> Path:
    """The folder that --save needs; --save may also be one picture's file. ConfigError if it is neither."""
    from local.digits import saved_readings
    from local.pictures import sources

    if not saved_readings.is_file(save):
        return save
    if len(names) > 1 or sources.is_film(names[0]):
        raise ConfigError(f"--save {save}: one file, and there is more than one picture. Name a folder.")
    if save.exists() and save.samefile(names[0] if Path(names[0]).exists() else save.parent):
        raise ConfigError(f"--save {save}: is the file that is read. Choose another file.")
    return save.parent


def facts_of(shot: "Shot", reading: "Reading", *, probabilities: bool = False, top: int = 1) -> dict[str, Any]:
    """What `--json` prints of a picture; `frame` counts those of a film from 0."""
    place = {"file": shot.name} if shot.frame is None else {"file": shot.name, "frame": shot.frame}
    return {**place, **reading.as_dict(probabilities=probabilities, top=top)}


def as_json(facts: dict[str, Any]) -> None:
    """One picture, one line."""
    emit([facts])


def as_csv() -> Callable[[dict[str, Any]], None]:
    """Writes the heading, and returns the function for a picture: a line for each digit, or one line for none.

    `rejected` is how many of the whole picture were taken for none.
    """
    writer = csv_format.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)

    def line(*values: object) -> None:
        writer.writerow(map(printable.cell, values))

    def tell(facts: dict[str, Any]) -> None:
        place = (facts["file"], facts.get("frame", ""))
        digits, rejected = iter(facts["digits"]), len(facts["rejected"])
        rows = facts["text"].split("|") if facts["text"] else []
        for row, text in enumerate(rows, start=1):
            for number, digit in zip(range(1, len(text) + 1), digits, strict=False):
                line(*place, row, number, digit["digit"], digit["confidence"], *digit["box"], rejected)
        if not rows:
            line(*place, *[""] * (len(COLUMNS) - len(place) - 1), rejected)

    return tell


def as_text(facts: dict[str, Any]) -> None:
    """One picture's reading for people."""
    digits, rejected = facts["digits"], len(facts["rejected"])
    name = f"{facts['file']}, frame {facts['frame']}" if "frame" in facts else facts["file"]
    aside = f"; {rejected} rejected" if rejected else ""
    if not digits:
        show(f"{name}: no digit{aside}")
        return
    sure = ", ".join(f"{digit['confidence']:.1%}" for digit in digits)
    show(f"{name}: {facts['text']} ({sure}{aside})")
    for digit in digits:
        if "top" in digit:
            first, *others = (f"{one['digit']} {one['confidence']:.1%}" for one in digit["top"])
            show("  " + "   ".join([first, *(one for one in others if not one.endswith(" 0.0%"))]))
        for label, share in enumerate(digit.get("probabilities", ())):
            show(f"  {label}  {share:.4f}")


def _album(
    stack: ExitStack, *, save: Path | None, crops: Path | None, steps: Path | None, single: bool
) -> "Album | None":
    """Where readings are saved as pictures, if a folder was named."""
    if not (save or crops or steps):
        return None
    from local.digits.saved_readings import Album

    return stack.enter_context(Album(annotated=save, crops=crops, steps=steps, single=single))


def _window(stack: ExitStack) -> "Callable[[Shot, Reading], bool]":
    """Shows a reading until a key is pressed, a film's for its duration; False stops the reading."""
    from local.apps.camera.window import ESCAPE, Window
    from local.digits import overlay

    window = stack.enter_context(Window("k2l predict"))

    def look(shot: "Shot", reading: "Reading") -> bool:
        window.show(overlay.boxes(shot.colour(), reading))
        return window.key(milliseconds=None if shot.frame is None else 1) not in ("q", ESCAPE)

    return look


def _followed(names: list[str], stack: ExitStack) -> "Iterator[Shot | PictureError]":
    """The shots of these names, with a bar on a terminal if there are many."""
    from local.pictures import sources

    if not sys.stderr.isatty() or (len(names) == 1 and not sources.is_film(names[0])):
        yield from sources.shots(names)
        return
    total = sum(map(sources.count, names))
    report = stack.enter_context(bar("reading"))
    for number, shot in enumerate(sources.shots(names), start=1):
        yield shot
        report(Progress(min(1.0, number / total)))


class _Total:
    """The totals of all pictures."""

    def __init__(self) -> None:
        self.pictures = self.failed = self.digits = self.rejected = 0
        self.began = time.perf_counter()

    def add(self, reading: "Reading") -> None:
        self.pictures += 1
        self.digits += len(reading.digits)
        self.rejected += len(reading.rejected)

    def line(self) -> str:
        each = 1000 * (time.perf_counter() - self.began) / max(1, self.pictures)
        failed = f", {self.failed} could not be read" if self.failed else ""
        found = f"{self.digits:,} digits, {self.rejected:,} rejected"
        return f"{self.pictures:,} pictures{failed}: {found}; {each:.1f} ms each"


if __name__ == "__main__":
    run(predict)
