"""A film made here, frame by frame: under its name once it is whole.

    with Film(Path("out.mp4"), fps=30) as film:
        film.add(bgr)                     # uint8 [h, w, 3], blue, green, red; the first one's size counts

What was added before an error is kept: a recording is not lost with the camera.
"""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from local.core.outputs import complete
from local.pictures import sources
from shared.core.errors import PictureError

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v", ".mov": "mp4v"}  # those that OpenCV's own build can write


class Film:
    """Writes frames to a part file, and gives it its name at the end; without a frame there is no file.

    Raises PictureError for a suffix that cannot be written, where the file cannot be made, and when it is closed where
    the disk had no room for it.
    """

    def __init__(self, path: Path, *, fps: float) -> None:
        if path.suffix.lower() not in CODECS:
            raise PictureError(f"{path}: a film is written as one of {' '.join(CODECS)}")
        if path.is_dir():
            raise PictureError(f"{path}: is a folder; a film is a file")
        self.path, self.fps, self.frames = path, fps, 0
        self._ends = ExitStack()
        self._part: Path | None = None
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close()

    def add(self, bgr: NDArray[np.uint8]) -> None:
        """One more frame; one of another size is scaled to the first one's."""
        if self._writer is None:
            self._size = (bgr.shape[1], bgr.shape[0])
            self._writer = self._opened()
        if (bgr.shape[1], bgr.shape[0]) != self._size:
            bgr = np.asarray(cv2.resize(bgr, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        self._writer.write(bgr)
        self.frames += 1

    def until(self, bgr: NDArray[np.uint8], seconds: float) -> None:
        """The frame as often as it takes for the film to be so long: what came irregularly plays at its own pace."""
        while self.frames <= seconds * self.fps:
            self.add(bgr)

    def _opened(self) -> cv2.VideoWriter:
        part = self._part = self._ends.enter_context(complete(self.path))
        code = cv2.VideoWriter.fourcc(*CODECS[self.path.suffix.lower()])
        writer = cv2.VideoWriter(sources.local(part), code, self.fps, self._size)
        if not writer.isOpened():
            self.discard()
            raise PictureError(f"{self.path}: the film cannot be written there")
        return writer

    def close(self) -> None:
        """Ends the film: what was added so far is whole. Raises PictureError where it was not all written."""
        if self._writer is None:
            return
        self._writer.release()
        if sources.count(str(self._part)) < self.frames:  # the writer itself says nothing of a full disk
            self.discard()
            raise PictureError(f"{self.path}: could not be written whole. Free some space, or choose another place.")
        self._writer = None
        self._ends.close()

    def discard(self) -> None:
        """Ends the film, and leaves nothing of it."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        if self._part is not None:
            self._part.unlink(missing_ok=True)
        self._ends.close()
