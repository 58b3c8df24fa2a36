"""A camera or a film, read frame by frame: what was read is told, kept as a film, and shown in a window.

    timing = watch(feed, reader, window=window, film=film, tell=print)

In the window, a snapshot stays until it is let go, and a region drawn with the mouse is read as one digit, its ten
probabilities beside it.
"""

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from local.apps.camera.capture import Feed
from local.apps.camera.tracking import Tracker
from local.apps.camera.window import ESCAPE, Window
from local.core import hardware
from local.digits import glyphs, overlay, steps
from local.digits.glyphs import Box
from local.digits.reader import Digit, Reader, Reading
from local.digits.saved_readings import write
from local.pictures.film import Film
from local.pictures.picture import Colour
from local.pictures.sources import Shot

KEYS = "space snapshot  r region  t threshold  s save  q quit"
SNAPSHOT = "drag round a digit  space goes on  t threshold  s save  q quit"
REGION = "drag round a digit  r the whole picture  t threshold  s save  q quit"
RECENT = 30  # frames that the FPS shown are of
HUNDRED = 100  # frames; of fewer, nothing is said of 99 in 100
KEPT = 20_000  # frames that the figures in the end are of

Tell = Callable[[dict[str, Any]], None]


@dataclass
class Timing:
    """How long the answers took: seconds from a frame being there to its digits, and when each was ready."""

    began: float = field(default_factory=time.perf_counter)
    frames: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    ready: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def add(self, taken: float) -> float:
        """One more answer is there; gives its latency."""
        now = time.perf_counter()
        self.frames += 1
        self.latencies.append(now - taken)
        self.ready.append(now)
        return now - taken

    @property
    def fps(self) -> float:
        """Answers a second, of late."""
        if len(self.ready) < 2:
            return 0.0
        return (len(self.ready) - 1) / max(1e-9, self.ready[-1] - self.ready[0])

    def line(self) -> str:
        """What all came to."""
        if not self.frames:
            return "no picture came"
        seconds = time.perf_counter() - self.began
        ranked = sorted(self.latencies)
        frames = f"{self.frames:,} frame{'s' * (self.frames > 1)} in {seconds:.1f} s"
        answer = f"to the answer {1000 * statistics.median(ranked):.1f} ms"
        if self.frames < HUNDRED:
            return f"{frames}; {answer}"
        late = ranked[int(0.99 * len(ranked))]
        return f"{frames}, {self.frames / seconds:.0f} a second; {answer}, 99 of 100 within {1000 * late:.1f} ms"


def watch(
    feed: Feed,
    reader: Reader,
    *,
    tell: Tell,
    single: bool = False,
    window: Window | None = None,
    film: Film | None = None,
    pictures: Path = Path(),
    timing: Timing | None = None,
) -> Timing:
    """Reads until the feed or the user ends it. `tell` gets what `--json` prints of each frame, and its `text`.

    `pictures` is the folder for those that the user keeps; `timing` is filled, and given back. Raises what the feed
    raises.
    """
    hardware.keep_freed_memory()
    timing = timing or Timing()
    viewer = Viewer(window, reader, pictures, fps=0.0 if feed.live else feed.fps) if window else None
    tracker = Tracker(reader.sure) if feed.film else None
    for shot in feed:
        region = viewer.region(shot) if viewer else None
        if region:
            reading = read_region(reader, shot, region)
        else:
            reading = reader.read(shot.grey, single=single)
            reading = tracker.follow(reading) if tracker else reading
        latency = timing.add(shot.taken)
        seconds = shot.frame / shot.fps if shot.frame is not None and shot.fps else shot.taken - timing.began
        tell(
            {"frame": timing.frames - 1, "time": round(seconds, 3)}
            | reading.as_dict()
            | {"latency_ms": round(1000 * latency, 2)}
        )
        if film:
            keep(film, told(overlay.boxes(shot.colour(), reading), reading, timing), seconds, live=feed.live)
        if viewer and not viewer.show(shot, reading, timing):
            break
    return timing


def keep(film: Film, seen: Colour, seconds: float, *, live: bool) -> None:
    """One more frame of the film; a camera's come as they come."""
    if live:
        film.until(seen, seconds)
    else:
        film.add(seen)


def read_region(reader: Reader, shot: Shot, region: Box) -> Reading:
    """The one digit in a part of the picture, its box in the whole one's pixels."""
    x, y, w, h = region
    reading = reader.read(np.ascontiguousarray(shot.grey[y : y + h, x : x + w]), single=True)

    def placed(digit: Digit) -> Digit:
        left, top, wide, high = digit.box
        return replace(digit, glyph=replace(digit.glyph, box=(x + left, y + top, wide, high)))

    return Reading(
        rows=tuple(tuple(placed(digit) for digit in row) for row in reading.rows),
        rejected=tuple(placed(digit) for digit in reading.rejected),
    )


def told(seen: Colour, reading: Reading, timing: Timing) -> Colour:
    """The picture with what the network sees of the largest digit, the frames a second and the latency."""
    found = reading.digits or reading.rejected
    if found:
        overlay.corner(seen, max(found, key=lambda digit: digit.box[2] * digit.box[3]).glyph.image)
    overlay.written(seen, f"{timing.fps:.0f} FPS  {1000 * timing.latencies[-1]:.1f} ms", (6, 0), size=0.5)
    return seen


class Viewer:
    """What the window shows, and what its keys do."""

    def __init__(self, window: Window, reader: Reader, pictures: Path, *, fps: float) -> None:
        self.window, self.reader, self.pictures, self.fps = window, reader, pictures, fps
        self.threshold = self.by_region = False
        self._due = 0.0

    def region(self, shot: Shot) -> Box | None:
        """The part of the picture that is to be read, where only one is."""
        return within(self.window.region, shot.grey.shape) if self.by_region else None

    def show(self, shot: Shot, reading: Reading, timing: Timing) -> bool:
        """Draws a frame and heeds the keys; False ends the reading."""
        seen = told(overlay.boxes(self._base(shot, framed=self.by_region), reading), reading, timing)
        seen = self._put(seen, reading, REGION if self.by_region else KEYS, explained=self.by_region)
        key = self.window.key(milliseconds=self._wait())
        if key == " ":
            return self._snapshot(shot, reading)
        return self._heed(key, seen)

    def _snapshot(self, shot: Shot, reading: Reading) -> bool:
        """The frame stands still; False where the user quits from it."""
        self.window.region = last = None
        read = reading
        while True:
            region = within(self.window.region, shot.grey.shape)
            if region != last:
                read, last = read_region(self.reader, shot, region) if region else reading, region
            seen = self._put(overlay.boxes(self._base(shot, framed=True), read), read, SNAPSHOT, explained=True)
            key = self.window.key(milliseconds=30)
            if key == " ":
                self.window.region = None
                return True
            if not self._heed(key, seen):
                return False

    def _heed(self, key: str, seen: Colour) -> bool:
        if key == "t":
            self.threshold = not self.threshold
        elif key == "r":
            self.by_region, self.window.region = not self.by_region, None
        elif key == "s":
            write(self.pictures / f"k2l-{datetime.now():%Y%m%d-%H%M%S-%f}.png", seen)
        return key not in ("q", ESCAPE)

    def _base(self, shot: Shot, *, framed: bool) -> Colour:
        """The frame, or where its ink is; `framed`: the region round it first, so that labels stand over its lines."""
        seen = self._ink(shot) if self.threshold else shot.colour()
        region = within(self.window.drawing or self.window.region, seen.shape) if framed else None
        if region:
            x, y, w, h = region
            seen = seen.copy()
            cv2.rectangle(seen, (x, y), (x + w, y + h), overlay.BLUE, 2)
        return seen

    def _ink(self, shot: Shot) -> Colour:
        ready = glyphs.prepared(shot.grey)
        x, y, width, height = ready.box
        seen = np.full_like(shot.grey, 255)
        seen[y : y + height, x : x + width] = cv2.resize(
            steps.black_on_white(ready.mask), (width, height), interpolation=cv2.INTER_NEAREST
        )
        return np.asarray(cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR), np.uint8)

    def _put(self, seen: Colour, reading: Reading, hint: str, *, explained: bool) -> Colour:
        """Shows a picture, and beside it what is in its region; gives what to keep of it."""
        found = reading.digits or reading.rejected
        chosen = found[0] if self.window.region and found else None
        hinted = seen.copy()
        overlay.written(hinted, hint, (6, len(seen) - 8), size=0.45)
        self.window.show(beside(hinted, overlay.explained(chosen)) if explained else hinted)
        return beside(seen, overlay.explained(chosen)) if explained and chosen else seen

    def _wait(self) -> int:
        """Milliseconds until the next frame is due: what was recorded is shown at its own pace."""
        now = time.perf_counter()
        self._due = max(now, self._due + 1 / self.fps) if self.fps else now
        return max(1, round(1000 * (self._due - now)))


def within(region: Box | None, shape: tuple[int, ...]) -> Box | None:
    """The part of a region that lies in a picture [h, w], None for none of it."""
    if region is None:
        return None
    x, y, w, h = region
    left, top, right, bottom = max(0, x), max(0, y), min(shape[1], x + w), min(shape[0], y + h)
    return (left, top, right - left, bottom - top) if min(right - left, bottom - top) >= 1 else None


def beside(seen: Colour, panel: NDArray[np.uint8]) -> Colour:
    """A panel at the right of the picture, on black as high as the higher of the two."""
    height = max(len(seen), len(panel))
    parts = [
        cv2.copyMakeBorder(part, 0, height - len(part), 0, 0, cv2.BORDER_CONSTANT, value=overlay.BLACK)
        for part in (seen, panel)
    ]
    return np.asarray(np.hstack(parts), np.uint8)
