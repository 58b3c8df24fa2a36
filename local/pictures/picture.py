"""A picture file becomes one grey plane: the only place of the vision side that knows file formats.

    grey = read(Path("digit.jpg"))        # uint8 [h, w], 0 black to 255 white, upright

Colour, palette, transparency, 16 bits and a camera's EXIF orientation are all settled here, so that nothing
downstream has to ask. It finds no ink and cuts nothing: `threshold` and `segment` do.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from local.pictures import header
from shared.core.errors import PictureError
from shared.data.normalise import median

Grey = NDArray[np.uint8]  # [h, w]
Colour = NDArray[np.uint8]  # [h, w, 3], blue, green, red, as OpenCV has them
NO_PICTURE = "not a picture that OpenCV can read (png, jpg, webp, bmp, tiff, …; at most 200 megapixels)"
GREY, COLOUR = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
MOST = 1_000_000_000  # bytes that decoding one picture may take
LARGEST_FILE = 650_000_000  # bytes: 200 megapixels in colour, not compressed
READ_AT_ONCE = 16_000_000  # bytes of a file
SCANS = 50  # of a JPEG: usual are ten, and each goes over all pixels once more
ROWS = 1_000_000  # samples that are changed at once
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
    """The bytes of a picture file as uint8 [h, w].

    Raises PictureError, naming it, where they are no picture, or one that takes too much memory or time to decode.
    """
    return _grey(_pixels(data, name, GREY))


def _what_is_it(data: NDArray[np.uint8]) -> str:
    """Why these bytes are no picture, by their beginning."""
    if data.size == 0:
        return "is empty"
    head = data[:HEAD].tobytes()
    return next((f"{kind}: save it as PNG or JPEG" for mark, kind in FOREIGN.items() if mark in head), NO_PICTURE)


def bytes_of(path: Path) -> NDArray[np.uint8]:
    """A file's bytes. Raises PictureError, naming the file."""
    try:
        with path.open("rb") as file:
            return whole(file, str(path))
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror or error}") from None


def whole(file: BinaryIO, name: str) -> NDArray[np.uint8]:
    """All that a stream gives. Raises PictureError where it gives more than a picture can have, such as /dev/zero."""
    data = bytearray()
    while part := file.read(READ_AT_ONCE):
        data += part
        if len(data) > LARGEST_FILE:
            raise PictureError(f"{name}: is larger than {LARGEST_FILE / 1e6:g} MB, the most that a picture may have")
    return np.frombuffer(data, np.uint8)


def shown(data: NDArray[np.uint8], name: str, *, largest: int) -> tuple[Grey, Colour]:
    """A picture file decoded once: as it is read, and in colour, its longer side at most `largest` pixels.

    Too large to be decoded in colour, it is shown in grey. Raises PictureError as `decoded` does.
    """
    pixels = _pixels(data, name, COLOUR, GREY)
    if pixels.ndim == 2 or pixels.shape[2] == 4:
        grey = _grey(pixels)
        return grey, _of_grey(fit(grey, smallest=1, largest=largest)[0])
    bgr = eight_bits(pixels)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8), fit(bgr, smallest=1, largest=largest)[0]


def in_colour(data: NDArray[np.uint8], grey: Grey) -> Colour:
    """The same bytes in colour: uint8 [h, w, 3], blue, green, red.

    It is `grey`, as decoded, where it is partly transparent or would take too much memory.
    """
    try:
        pixels = _pixels(data, "it", COLOUR)
    except PictureError:
        return _of_grey(grey)
    if pixels.ndim == 2 or pixels.shape != (*grey.shape, 3):
        return _of_grey(grey)
    return eight_bits(pixels)


def _pixels(data: NDArray[np.uint8], name: str, *ways: int) -> NDArray[Any]:
    """What OpenCV makes of the bytes: [h, w], [h, w, 3], or [h, w, 4] of what has transparency, in any depth.

    Of the ways to decode it, the first that takes no more memory than allowed is taken. Raises PictureError where there
    is none, where it would take too long, and where the bytes are no picture.
    """
    found = header.read(data)
    if found is None:
        raise PictureError(f"{name}: {_what_is_it(data)}")
    held = {how: found.held(4 if not found.opaque else 3 if how == COLOUR else 1) for how in ways}
    how = min(held, key=lambda way: held[way] > MOST)
    if held[how] > MOST:
        size = f"{found.width}x{found.height} pixels take {min(held.values()) / 1e9:,.1f} GB to decode"
        raise PictureError(f"{name}: {size}, and at most {MOST / 1e9:g} GB is allowed: save it smaller")
    if found.scans > SCANS:
        raise PictureError(f"{name}: a JPEG of {found.scans:,} scans, and at most {SCANS} are allowed: save it again")
    # Asked for grey or colour, unlike unchanged, OpenCV turns the picture as its EXIF orientation says.
    pixels = None if found.opaque else _decoded(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim < 3 or pixels.shape[2] < 4:
        pixels = _decoded(data, how)
    if pixels is None:
        raise PictureError(f"{name}: {NO_PICTURE}")
    return pixels


def _decoded(data: NDArray[np.uint8], how: int) -> NDArray[Any] | None:
    # The codecs' own remarks on a damaged file go to stderr and name nothing.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        pixels: NDArray[Any] | None = cv2.imdecode(data, how)
    except cv2.error:
        return None
    return pixels


def _grey(pixels: NDArray[Any]) -> Grey:
    """Pixels [h, w] or [h, w, 4] of any depth as they are read."""
    return eight_bits(pixels) if pixels.ndim == 2 else composite(eight_bits(pixels))


def _of_grey(grey: Grey) -> Colour:
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Pixels of any depth as uint8 of the same shape; 10 and 12 bits in a 16-bit file fill the whole range."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    if np.issubdtype(pixels.dtype, np.floating):
        return _by_rows(lambda rows: np.nan_to_num(rows.astype(np.float32)).clip(0, 1) * 255 + 0.5, pixels)
    top = np.float32(255 / ((1 << max(8, int(pixels.max()).bit_length())) - 1))
    return _by_rows(lambda rows: rows.astype(np.float32) * top + 0.5, pixels)


def _by_rows(change: Callable[..., NDArray[Any]], *planes: NDArray[Any]) -> NDArray[np.uint8]:
    """The planes changed a few rows at a time, as uint8: at once, floating point would take many times their memory."""
    changed = np.empty(planes[0].shape, np.uint8)
    step = max(1, ROWS // changed[0].size)
    for at in range(0, len(changed), step):
        changed[at : at + step] = change(*(plane[at : at + step] for plane in planes))
    return changed


def composite(bgra: NDArray[np.uint8]) -> Grey:
    """A picture with transparency [h, w, 4], laid on paper that its opaque part can be seen on: uint8 [h, w].

    Ink on nothing gets white or black paper, whichever it is not; a picture with holes in it gets its own shade.
    """
    grey = np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2GRAY), np.uint8)
    seen = grey[bgra[:, :, 3] > 127]
    if seen.size == 0:
        return np.full(grey.shape, 255, np.uint8)
    shade = median(seen)
    paper = shade if seen.size > grey.size / 2 else (255.0 if shade < 128 else 0.0)

    def laid(ink: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[Any]:
        opacity = alpha.astype(np.float32) / 255
        return ink * opacity + paper * (1 - opacity) + 0.5

    return _by_rows(laid, grey, bgra[:, :, 3])


def fit(grey: Grey, *, smallest: int, largest: int) -> tuple[Grey, float]:
    """The picture scaled so that its longer side lies in smallest..largest pixels, and the factor it was scaled by.

    Photographs shrink, which also takes their grain away; small crops grow, so that a cut between
    pixels can follow a stroke's edge.
    """
    longest = max(grey.shape[:2])
    factor = min(max(longest, smallest), largest) / longest
    if factor == 1.0:
        return grey, 1.0
    height, width = (max(1, round(side * factor)) for side in grey.shape[:2])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(grey, (width, height), interpolation=how).astype(np.uint8, copy=False), factor
