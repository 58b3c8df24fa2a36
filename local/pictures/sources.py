"""Names on a command line -> pictures, one at a time: files, folders, patterns, films, addresses, standard input.

    for shot in shots(expanded(["scans/", "*.jpg", "clip.mp4", "https://host/page.png", "-"])):
        if isinstance(shot, PictureError): …              # said, and the next one taken
        shot.name, shot.frame, shot.grey                  # grey uint8 [h, w]; frame counts those of a film from 0

Nothing is read before its turn comes, so that a thousand pictures need the memory of one.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from local.pictures import containers, picture
from shared.core.errors import PictureError, plain

FILMS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
STANDARD_INPUT = "-"
ADDRESSES = ("http://", "https://")
LARGEST_FRAME = 8192 * 4352  # pixels: a decoder holds about twenty frames
USUAL_FPS = 30.0  # of what does not tell its own
STREAMS = ("rtsp://", "rtmp://", "udp://")


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture: where it is from, what of it is read, and, decoded when asked for, how it looks in colour.

    `frame` says where in a film it is, `fps` how many frames a second that has; None for a picture. `taken` is when it
    was there to be read, by `time.perf_counter`.
    """

    name: str
    grey: picture.Grey
    colour: Callable[[], picture.Colour]
    frame: int | None = None
    fps: float | None = None
    taken: float = field(default_factory=time.perf_counter)


def expanded(names: Iterable[str]) -> list[str]:
    """The names with folders and patterns replaced by the files meant, in their order, none twice.

    Raises PictureError for a folder without pictures and a pattern without matches. A file is taken as it is named;
    whether it is there and a picture is found out on reading it.
    """
    return list(dict.fromkeys(one for name in names for one in _expanded(name)))


def is_address(name: str) -> bool:
    """Whether it lies behind http."""
    return name.lower().startswith(ADDRESSES)


def path_of(name: str) -> Path:
    """The file that a name means; of an address, without what comes behind its path."""
    return Path(name.partition("#")[0].partition("?")[0] if is_address(name) else name)


def suffix(name: str) -> str:
    """The suffix of the file that a name or an address means, in small letters."""
    return path_of(name).suffix.lower()


def is_film(name: str) -> bool:
    """Whether the file of that name has frames."""
    return suffix(name) in FILMS


def local(path: str | Path) -> str:
    """A file's name as FFmpeg takes it: whole, because it takes the beginning of `12:30.mp4` for a protocol's.

    Raises PictureError for one that is no text: OpenCV would end the program.
    """
    name = str(Path(path).absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PictureError(f"{name!a}: OpenCV reads and writes no film whose name is not UTF-8: rename it") from None
    return name


def shots(names: Iterable[str]) -> Iterator[Shot | PictureError]:
    """What the names of `expanded` show, in order; an error stands for what cannot be read, and the next follows."""
    for name in names:
        try:
            yield from frames(name) if is_film(name) else [still(name)]
        except PictureError as error:
            yield error


def still(name: str) -> Shot:
    """The picture of that name. Raises PictureError: not there, unreadable, no picture."""
    data = _bytes(name)
    grey = picture.decoded(data, name)
    return Shot(name=name, grey=grey, colour=lambda: picture.in_colour(data, grey))


def frames(name: str) -> Iterator[Shot]:
    """The frames of a film, which may lie behind an address.

    Raises PictureError where none can be read, and after the last one of a file whose end is missing.
    """
    if not is_address(name) and not Path(name).is_file():
        raise PictureError(f"{name}: cannot be read: No such file or directory")
    with _film(name) as film:
        width, height = (int(film.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > LARGEST_FRAME:
            raise PictureError(
                f"{name}: its frames are {width}x{height} pixels, and at most 8K is allowed: save it smaller"
            )
        frame, pace = 0, film.get(cv2.CAP_PROP_FPS)
        while True:
            there, bgr = film.read()
            if not there:
                break
            yield of_frame(name, np.asarray(bgr, np.uint8), frame, pace)
            frame += 1
    if not is_address(name) and containers.is_cut(Path(name)):
        read = f"breaks off after frame {frame - 1}" if frame else "no frame can be read"
        raise PictureError(f"{name}: {read}: the end of the file is missing. Copy or record it again.")
    if not frame:
        raise PictureError(f"{name}: not a film that OpenCV can read (mp4, avi, mov, mkv, webm, …)")


def of_frame(name: str, bgr: picture.Colour, frame: int, fps: float | None, taken: float | None = None) -> Shot:
    """A frame uint8 [h, w, 3] as a shot, taken just now if not told otherwise."""
    taken = time.perf_counter() if taken is None else taken
    grey = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
    return Shot(name=name, grey=grey, colour=lambda: bgr, frame=frame, fps=fps, taken=taken)


def count(name: str) -> int:
    """How many shots there are of that name; as the film says, 1 where it does not, or would have to be fetched."""
    return max(1, int(_stated(name, cv2.CAP_PROP_FRAME_COUNT))) if is_film(name) and not is_address(name) else 1


def fps(name: str) -> float:
    """A film's frames a second, 0 where it does not say."""
    return _stated(name, cv2.CAP_PROP_FPS)


def _stated(name: str, what: int) -> float:
    with _film(name) as film:
        return float(film.get(what))


@contextmanager
def _film(name: str) -> Iterator[cv2.VideoCapture]:
    """A film, open where OpenCV can read it."""
    film = cv2.VideoCapture(name if is_address(name) else local(name))
    try:
        yield film
    finally:
        film.release()


def _bytes(name: str) -> NDArray[np.uint8]:
    if name == STANDARD_INPUT:
        if sys.stdin is None:
            raise PictureError("-: standard input is closed")
        return picture.whole(sys.stdin.buffer, name)
    if not is_address(name):
        return picture.bytes_of(Path(name))
    import http.client

    from shared.data import download

    try:
        return np.frombuffer(download.fetched(name, download.Budget(), None), np.uint8)
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = plain(str(getattr(error, "reason", None) or error))
        raise PictureError(f"{name}: could not be fetched: {why}") from None


def _expanded(name: str) -> list[str]:
    if name == STANDARD_INPUT or is_address(name):
        return [name]
    if name.lower().startswith(STREAMS):
        raise PictureError(f"{name}: a stream has no end: k2l camera --source {name}")
    if not name:
        raise PictureError("an empty name means no picture")
    path = Path(name)
    if path.is_dir():
        suffixes = (*picture.SUFFIXES, *FILMS)
        found = sorted(child for child in path.iterdir() if child.suffix.lower() in suffixes and child.is_file())
        if not found:
            raise PictureError(f"{name}: no pictures in this folder (looked for {' '.join(suffixes)})")
        return [str(child) for child in found]
    if path.exists() or not set(name) & set("*?["):
        return [str(path)]
    try:
        meant = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        matches = sorted(match for match in meant if match.is_file())
    except ValueError as error:
        raise PictureError(f"{name}: not a pattern ({error})") from None
    if not matches:
        raise PictureError(f"{name}: no file matches this pattern")
    return [str(match) for match in matches]
