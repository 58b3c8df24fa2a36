"""What `k2l camera` looks at, frame by frame: a camera, a stream, a film, a folder of pictures.

    with open_feed("0", told=say) as feed:            # CameraError, PictureError
        for shot in feed: …                           # sources.Shot; `feed.live`: only ever the newest one

A camera does not wait: a thread takes every frame, and the newest is the one that is read. One that is missing, busy
or unplugged is said in a line and tried again, after longer and longer pauses, until `patience` has run out.
"""

import contextlib
import os
import re
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from local.pictures import picture, sources
from local.pictures.sources import Shot
from shared.core.errors import CameraError, PictureError

Told = Callable[[str], None]

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds before a camera is tried again
LOOK = 1.0  # seconds between two looks at the clock
PATIENCE = 30.0  # seconds without a frame, after which it is given up
PICTURES_FPS = 2.0  # frames a second of a film made of pictures
LINUX = sys.platform.startswith("linux")
ELSEWHERE = "k2l camera --source FILE, FOLDER or ADDRESS (a telephone's)"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class Recorded:
    """A film, a picture, or a folder of pictures: every frame, in order."""

    live = False

    def __init__(self, names: list[str], *, told: Told) -> None:
        self._names, self._told = names, told
        self.film = len(names) == 1 and sources.is_film(names[0])
        self.fps = (sources.fps(names[0]) or sources.USUAL_FPS) if self.film else PICTURES_FPS

    def __enter__(self) -> "Recorded":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        pass

    def __iter__(self) -> Iterator[Shot]:
        read = 0
        for shot in sources.shots(self._names):
            if isinstance(shot, PictureError):
                if len(self._names) == 1:
                    raise shot
                self._told(f"error: {shot}")
                continue
            read += 1
            yield shot
        if not read:
            raise PictureError(f"{self._names[0]}: none of {len(self._names)} pictures there could be read")


class Camera:
    """A device or a stream: its newest frame, until it is closed or sends nothing for `patience` seconds."""

    live, film, fps = True, True, sources.USUAL_FPS

    def __init__(self, source: str, *, told: Told, patience: float = PATIENCE) -> None:
        self.source, self._told, self.patience = source, told, patience
        self._newest: tuple[Any, float] | None = None  # and when it was taken
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._why = ""
        self._thread = threading.Thread(target=self._take, name="camera", daemon=True)

    def __enter__(self) -> "Camera":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(timeout=2)  # one that hangs in its driver ends with the program

    def __iter__(self) -> Iterator[Shot]:
        frame = 0
        while True:
            bgr, taken = self._next()
            yield sources.of_frame(self.source, bgr, frame, None, taken)
            frame += 1

    def _next(self) -> tuple[picture.Colour, float]:
        """The newest frame that was not given yet. Raises CameraError once patience has run out."""
        end = time.monotonic() + self.patience
        with self._changed:
            while self._newest is None:
                left = end - time.monotonic()
                if not self._changed.wait(timeout=min(LOOK, max(0.0, left))) and left <= LOOK:
                    why = self._why or f"{self.source} sends no picture"
                    raise CameraError(f"{why}. Given up after {self.patience:.0f} s.")
            bgr, taken = self._newest
            self._newest = None
        return np.asarray(bgr, np.uint8), taken

    def _take(self) -> None:
        """The thread: opens the camera, takes its frames, and opens it again when they stop."""
        pause = FIRST_PAUSE
        while not self._ended.is_set():
            taken = self._take_all()
            if self._ended.is_set():
                return
            pause = FIRST_PAUSE if taken else pause
            self._why = trouble(self.source, taken=taken)
            self._told(f"{self._why}; trying again in {pause:g} s")
            self._ended.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _take_all(self) -> int:
        """Takes frames until there is none; how many there were."""
        taken = 0
        try:
            camera = opened(self.source)
        except (cv2.error, OverflowError):  # no device has such a number
            return taken
        try:
            while camera.isOpened() and not self._ended.is_set():
                there, bgr = camera.read()
                if not there:
                    break
                taken += 1
                with self._changed:
                    self._newest = bgr, time.perf_counter()
                    self._changed.notify()
        except cv2.error:  # as good as no frame
            pass
        finally:
            camera.release()
        return taken


Feed = Recorded | Camera


def open_feed(source: str, *, told: Told, patience: float = PATIENCE) -> Feed:
    """What a source names: a device's number, an address, a file or a folder.

    Raises PictureError for nothing there, and CameraError for a device that this machine does not list: one that is
    there and goes is waited for.
    """
    if source.lower().startswith("file://"):
        source = urllib.request.url2pathname(urllib.parse.urlsplit(source).path)
    if sources.is_address(source):
        # All but a picture and a film is a stream, such as a telephone's that serves as a camera.
        recorded = sources.suffix(source) in (*picture.SUFFIXES, *sources.FILMS)
        return Recorded([source], told=told) if recorded else Camera(source, told=told, patience=patience)
    if source.isdecimal() and not listed(source):
        raise CameraError(f"{trouble(source, taken=0)}.\nName another source: {ELSEWHERE}")
    if source.isdecimal() or _ADDRESS.match(source):
        return Camera(source, told=told, patience=patience)
    if not source or not Path(source).exists():
        raise PictureError(f"{source}: no such file or folder. A camera is named by its number: {devices_said()}")
    return Recorded(sources.expanded([source]), told=told)


def opened(source: str) -> cv2.VideoCapture:
    """The device or stream; whether it is open its own method says. OpenCV's remarks on it name no cause."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    camera = cv2.VideoCapture(int(source)) if source.isdecimal() else cv2.VideoCapture(source)
    with contextlib.suppress(cv2.error):
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # what waits in a driver is old
    return camera


def trouble(source: str, *, taken: int) -> str:
    """Why there is no frame, as far as can be told."""
    if taken:
        return f"camera {source} stopped after {taken} frames: unplugged, or its connection broke"
    if not source.isdecimal():
        return f"{source}: no stream can be read there"
    device = Path(f"/dev/video{source}")
    if not LINUX:
        return f"camera {source} cannot be opened: missing, or used by another program"
    if not listed(source):
        return f"there is no camera {source}: {devices_said()}"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"camera {source} may not be opened: {device} belongs to the group video, and you do not"
    return f"camera {source} sends nothing: used by another program, or no camera"


def listed(source: str) -> bool:
    """Whether this machine has a device of that number, as far as it tells without opening it."""
    return not LINUX or Path(f"/dev/video{source}").exists()


def devices_said() -> str:
    """The devices of this machine, where it lists them."""
    found = sorted(Path("/dev").glob("video[0-9]*"), key=lambda path: int(path.name[5:]))
    if found:
        return "there is " + ", ".join(path.name[5:] for path in found)
    return "this machine lists none" if LINUX else "the first is 0"
