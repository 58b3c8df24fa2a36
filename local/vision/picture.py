"""A picture file becomes one grey plane: the only place of the vision side that knows file formats.

    grey = read(Path("digit.jpg"))        # uint8 [h, w], 0 black to 255 white, upright

Colour, palette, transparency, 16 bits and a camera's EXIF orientation are all settled here, so that nothing
downstream has to ask. It finds no ink and cuts nothing: `threshold` and `segment` do.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import PictureError
from shared.normalise import median

Grey = NDArray[np.uint8]  # [h, w]
Colour = NDArray[np.uint8]  # [h, w, 3], blue, green, red, as OpenCV has them
NO_PICTURE = "not a picture that OpenCV can read (png, jpg, webp, bmp, tiff, …; at most 200 megapixels)"
# What people take for pictures and OpenCV does not, by what stands in its first bytes.
HEAD = 256
FOREIGN = {
    b"%PDF-": "a PDF, not a picture",
    **dict.fromkeys((b"ftyphei", b"ftyphev", b"ftypmif1"), "a HEIC photograph, which OpenCV cannot read"),
    b"<svg": "an SVG drawing, which OpenCV cannot read",
}
SUFFIXES = (".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def read(path: Path) -> Grey:
    """The picture as uint8 [h, w], upright, 255 white.

    Raises PictureError, naming the file, where it is missing, unreadable or no picture.
    """
    return decoded(bytes_of(path), str(path))


def decoded(data: NDArray[np.uint8], name: str) -> Grey:
    """The bytes of a picture file as uint8 [h, w]. Raises PictureError, naming it, where they are no picture."""
    grey = decode(data)
    if grey is None:
        raise PictureError(f"{name}: {_what_is_it(data)}")
    return grey


def _what_is_it(data: NDArray[np.uint8]) -> str:
    """Why these bytes are no picture, by their beginning."""
    if data.size == 0:
        return "is empty"
    head = data[:HEAD].tobytes()
    return next((f"{kind}: save it as PNG or JPEG" for mark, kind in FOREIGN.items() if mark in head), NO_PICTURE)


def bytes_of(path: Path) -> NDArray[np.uint8]:
    """A file's bytes. Raises PictureError, naming the file."""
    try:
        return np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror or error}") from None


def decode(data: NDArray[np.uint8]) -> Grey | None:
    """The bytes of a picture file as uint8 [h, w], or None where they are no picture."""
    cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_SILENT
    )  # the codecs' own remarks on a damaged file go to stderr and name nothing
    if data.size == 0:
        return None
    try:
        whole = None if _is_jpeg(data) else cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if whole is not None and whole.ndim == 3 and whole.shape[2] == 4:
            return composite(eight_bits(whole))
        # Asked for grey, unlike unchanged, OpenCV turns the picture as its EXIF orientation says.
        plane = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        return None
    return None if plane is None else eight_bits(plane)


def in_colour(data: NDArray[np.uint8], grey: Grey) -> Colour:
    """The same bytes in colour: uint8 [h, w, 3], blue, green, red; where partly transparent, `grey` as decoded."""
    deep = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    whole = None if _is_jpeg(data) else cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if deep is None or deep.shape[:2] != grey.shape or (whole is not None and whole.ndim == 3 and whole.shape[2] == 4):
        return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    return eight_bits(deep)


def _is_jpeg(data: NDArray[np.uint8]) -> bool:
    """JPEG has no transparency, so a photograph need not be decoded twice."""
    return bytes(data[:2]) == b"\xff\xd8"


def eight_bits(pixels: NDArray[np.generic]) -> Grey:
    """Pixels of any depth as uint8 of the same shape; 10 and 12 bits in a 16-bit file fill the whole range."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    if np.issubdtype(pixels.dtype, np.floating):
        unit = np.nan_to_num(pixels.astype(np.float32)).clip(0, 1)
        return (unit * 255 + 0.5).astype(np.uint8)
    top = (1 << max(8, int(pixels.max()).bit_length())) - 1
    return (pixels.astype(np.float32) * (255 / top) + 0.5).astype(np.uint8)


def composite(bgra: Grey) -> Grey:
    """A picture with transparency [h, w, 4], laid on paper that its opaque part can be seen on: uint8 [h, w].

    Ink on nothing gets white or black paper, whichever it is not; a picture with holes in it gets its own shade.
    """
    grey = cv2.cvtColor(bgra, cv2.COLOR_BGRA2GRAY).astype(np.float32)
    opacity = bgra[:, :, 3].astype(np.float32) / 255
    seen = grey[opacity > 0.5]
    if seen.size == 0:
        return np.full(grey.shape, 255, np.uint8)
    shade = median(seen)
    paper = shade if seen.size > grey.size / 2 else (255.0 if shade < 128 else 0.0)
    return np.asarray(grey * opacity + paper * (1 - opacity) + 0.5).astype(np.uint8)


def fit(grey: Grey, *, smallest: int, largest: int) -> tuple[Grey, float]:
    """The picture scaled so that its longer side lies in smallest..largest pixels, and the factor it was scaled by.

    Photographs shrink, which also takes their grain away; small crops grow, so that a cut between
    pixels can follow a stroke's edge.
    """
    longest = max(grey.shape)
    factor = min(max(longest, smallest), largest) / longest
    if factor == 1.0:
        return grey, 1.0
    height, width = (max(1, round(side * factor)) for side in grey.shape)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(grey, (width, height), interpolation=how).astype(np.uint8, copy=False), factor
