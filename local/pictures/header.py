"""What a picture file says of its size, read from its first bytes: nothing is decoded.

    found = read(data)            # Header(width=4000, height=3000, depth=1, …); None: of no kind that is read
    found.held(3)                 # the bytes that decoding it in colour takes

Files are told apart as OpenCV does it, by their beginning and not by their name. Every format that is decoded has a
reader here; what has none is not decoded. Where a file can state its size more than once, the largest counts.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Header:
    """Width and height in pixels, bytes a sample, and how the file is decoded.

    `extra` is how many bytes a pixel the decoder holds beside its result, as measured with OpenCV 5. `opaque`: the file
    surely has no transparency. `scans`: how often a JPEG goes over all of its pixels.
    """

    width: int
    height: int
    depth: int = 1
    extra: int = 0
    opaque: bool = False
    scans: int = 1

    def held(self, channels: int) -> int:
        """The most bytes that are in memory while it is decoded: OpenCV hands out a copy of its result."""
        return self.width * self.height * (2 * channels * self.depth + self.extra)


def read(data: NDArray[np.uint8]) -> Header | None:
    """The size that a file states; None where it is of no kind that is read here, or cut short."""
    view = data.data
    reader = next((reader for mark, reader in READERS.items() if re.match(mark, view, re.DOTALL)), None)
    try:
        found = reader(view) if reader else None
    except (struct.error, IndexError, ValueError):
        return None
    return found if found and found.width > 0 and found.height > 0 else None


def _png(data: memoryview) -> Header | None:
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    kinds = set(_chunks(data))
    return Header(
        width=width, height=height, depth=2 if bits == 16 else 1, opaque=colour in (0, 2, 3) and b"tRNS" not in kinds,
        extra=12 if b"acTL" in kinds else 0,  # an animation is put together from whole pictures
    )  # fmt: skip


def _chunks(data: memoryview) -> Iterator[bytes]:
    """The kinds of a PNG's chunks up to its pixels."""
    at, kind = 8, b""
    while kind != b"IDAT" and at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind
        at += 12 + length


def _jpeg(data: memoryview) -> Header | None:
    for marker, at in _segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, channels = struct.unpack_from(">HHB", data, at + 5)
            scans = len(re.findall(rb"\xff\xda", data))
            # Of what comes in several scans, the coefficients of all pixels are held, two bytes each.
            extra = 0 if scans == 1 and marker <= 0xC1 else 2 * channels
            return Header(width=width, height=height, extra=extra, opaque=True, scans=scans)
    return None


def _segments(data: memoryview) -> Iterator[tuple[int, int]]:
    """The markers of a JPEG with their places; like libjpeg, it passes over what lies between them."""
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:
            at += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # those without a length
            at += 2
        else:
            yield marker, at
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]


def _webp(data: memoryview) -> Header | None:
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return Header(width=width, height=height, extra=8 if data[20] & 2 else 6, opaque=not data[20] & 0x12)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        return Header(width=width, height=height, extra=6, opaque=not bits >> 28 & 1)
    width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    return Header(width=width, height=height, extra=6, opaque=True) if kind == b"VP8 " else None


def _bmp(data: memoryview) -> Header:
    old = struct.unpack_from("<I", data, 14)[0] == 12
    width, height, _, bits = struct.unpack_from("<HHHH" if old else "<iiHH", data, 18)
    return Header(width=width, height=abs(height), opaque=bits <= 24)


def _gif(data: memoryview) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header(width=width, height=height, extra=9)


def _pnm(data: memoryview) -> Header:
    """PBM, PGM and PPM begin with words of text, and remarks between them."""
    words = re.sub(rb"#[^\n]*", b" ", bytes(data[:65536])).split(maxsplit=4)
    deep = words[0] not in (b"P1", b"P4") and int(words[3]) > 255
    return Header(width=int(words[1]), height=int(words[2]), depth=2 if deep else 1, opaque=True)


def _tiff(data: memoryview) -> Header:
    order = "<" if bytes(data[:2]) == b"II" else ">"
    at = struct.unpack_from(f"{order}I", data, 4)[0]
    facts = {256: 0, 257: 0, 258: 1, 277: 1}  # width, height, bits a sample, samples a pixel
    for place in range(at + 2, at + 2 + 12 * struct.unpack_from(f"{order}H", data, at)[0], 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, place)
        if tag in facts:
            code, wide = ("H", 2) if kind == 3 else ("I", 4)
            inside = count * wide <= 4
            where = place + 8 if inside else struct.unpack_from(f"{order}I", data, place + 8)[0]
            facts[tag] = struct.unpack_from(f"{order}{code}", data, where)[0]
    width, height, bits, samples = facts.values()
    depth = max(1, bits // 8)
    # The whole picture may be one strip, which is held too.
    return Header(width=width, height=height, depth=depth, extra=2 * samples * depth, opaque=samples in (1, 3))


def _jpeg2000(data: memoryview) -> Header:
    """The size lies in a codestream's SIZ marker; OpenJPEG holds four bytes a sample."""
    sizes = [struct.unpack_from(">IIII16xH", data, one.end() + 4) for one in re.finditer(rb"\xff\x4f\xff\x51", data)]
    width, height = (max(size[at] - size[at + 2] for size in sizes) for at in (0, 1))
    samples = max(size[4] for size in sizes)
    return Header(width=width, height=height, depth=2, extra=5 * max(3, samples), opaque=samples in (1, 3))


def _avif(data: memoryview) -> Header:
    sizes = [struct.unpack_from(">II", data, one.end() + 4) for one in re.finditer(b"ispe", data)]
    width, height = (max(size[at] for size in sizes) for at in (0, 1))
    opaque = re.search(b"auxiliary:alpha", data) is None
    return Header(width=width, height=height, extra=17 if opaque else 31, opaque=opaque)


READERS: dict[bytes, Callable[[memoryview], Header | None]] = {
    rb"\x89PNG\r\n\x1a\n....IHDR": _png,
    rb"\xff\xd8\xff": _jpeg,
    rb"RIFF....WEBP": _webp,
    rb"BM": _bmp,
    rb"GIF8[79]a": _gif,
    rb"P[1-6]\s": _pnm,
    rb"II\*\0|MM\0\*": _tiff,
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51": _jpeg2000,
    rb"....ftypavi[fs]": _avif,
}
