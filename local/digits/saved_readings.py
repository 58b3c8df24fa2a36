"""What was read, kept as pictures: annotated, cut out digit by digit, and step by step.

    with Album(annotated=Path("seen"), crops=None, steps=None) as album:
        album.add(shot, reading)          # seen/photo.png, or a frame of seen/clip.mp4; or Path("seen.png"), for one

A file is named after the picture it was made of; of two pictures of one name the second gets a number. What is made of
a film's frames lies in a folder of its own. No picture is written over the one it was made of.
"""

from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from local.core.outputs import complete
from local.digits import overlay, steps
from local.digits.reader import Reading
from local.pictures import picture
from local.pictures.film import Film
from local.pictures.sources import STANDARD_INPUT, USUAL_FPS, Shot, path_of
from shared.core.errors import PictureError


class Album:
    """Keeps readings under up to three folders, made when they are needed."""

    def __init__(self, *, annotated: Path | None, crops: Path | None, steps: Path | None, single: bool = False) -> None:
        self.annotated, self.crops, self.steps, self.single = annotated, crops, steps, single
        self._stems: dict[str, str] = {}  # of a source, in all folders the same
        self._film: tuple[str, Film] | None = None

    def __enter__(self) -> "Album":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._film and kind:
            self._film[1].discard()  # half of it: the next run makes it again
        else:
            self.close()

    def add(self, shot: Shot, reading: Reading) -> None:
        """Keeps one picture. Raises PictureError, and OSError where it cannot be written."""
        stem = self._stem(shot.name)
        if self.annotated:
            self._annotate(self.annotated, stem, shot, reading)
        if shot.frame is not None:
            stem = f"{stem}/{shot.frame:06d}"
        for place, digit in enumerate(reading.digits, start=1):
            if self.crops:
                write(self.crops / f"{stem}-{place}-is-{digit.digit}.png", digit.glyph.image)
        if self.steps:
            for step, image in steps.steps(shot.grey, single=self.single).items():
                write(self.steps / f"{stem}-{step}.png", image)

    def close(self) -> None:
        """Ends the film that is open."""
        if self._film:
            self._film[1].close()
            self._film = None

    def _annotate(self, place: Path, stem: str, shot: Shot, reading: Reading) -> None:
        target = place if is_file(place) else place / f"{stem}{'.png' if shot.frame is None else '.mp4'}"
        if target.exists() and target.resolve() == Path(shot.name).resolve():
            raise PictureError(f"{target}: is the very file that is read. Choose another place.")
        seen = overlay.boxes(shot.colour(), reading)
        if shot.frame is None:
            write(target, seen)
            return
        if self._film is None or self._film[0] != shot.name:
            self.close()
            self._film = shot.name, Film(target, fps=shot.fps or USUAL_FPS)
        self._film[1].add(seen)

    def _stem(self, name: str) -> str:
        if name not in self._stems:
            stem = "stdin" if name == STANDARD_INPUT else path_of(name).stem or "picture"
            taken = set(self._stems.values())
            free = (f"{stem}-{number}" if number > 1 else stem for number in range(1, len(taken) + 2))
            self._stems[name] = next(one for one in free if one not in taken)
        return self._stems[name]


def is_file(place: Path) -> bool:
    """Whether the annotated picture is to be this very file, and not to lie in a folder of that name."""
    return place.suffix.lower() in picture.SUFFIXES and not place.is_dir()


def write(path: Path, image: NDArray[np.uint8]) -> None:
    """A picture file, grey [h, w] or blue, green, red [h, w, 3], whole or not at all.

    Raises PictureError for a kind that OpenCV cannot write, OSError where there is no room.
    """
    done, data = cv2.imencode(path.suffix, image)
    if not done:
        raise PictureError(f"{path}: OpenCV cannot write such a picture")
    with complete(path) as part:
        part.write_bytes(data.tobytes())
