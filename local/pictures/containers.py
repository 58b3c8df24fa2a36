"""Whether a film's file is all there, by the sizes that its container states: MP4 and MOV, AVI, MKV and WebM.

    is_cut(Path("clip.mp4"))              # True: it ends before it says it ends

OpenCV reads what there is of such a film, and ends as if that were all. How many frames a film states proves nothing:
one that was trimmed, or whose sound is longer, has fewer, and is whole. Of other containers, and of films whose maker
left the size open, nothing can be told: False.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
MOST = 100_000  # parts that are looked at: a film of hours has a few thousand


def is_cut(path: Path) -> bool:
    """Whether a part of the film lies, as the file itself states, beyond its end. Raises OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(12)
        file.seek(0)
        if head.startswith(EBML):
            ends = _segment(file)
        elif head.startswith(b"RIFF"):
            ends = _chunks(file, size)
        elif head[4:8].isalnum():
            ends = _boxes(file, size)
        else:
            return False
        return any(end > size for end in islice(ends, MOST))


def _boxes(file: BinaryIO, size: int) -> Iterator[int]:
    """Where each box of an MP4 ends: 4 bytes of size, 4 of kind; 1 means that 8 bytes of size follow, 0 the rest."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(16)
        long, kind = int.from_bytes(head[:4]), head[4:8]
        if not kind.isalnum():  # what cameras write behind the last box
            return
        long = int.from_bytes(head[8:16]) if long == 1 else long
        if long < 8:
            return
        at += long
        yield at


def _chunks(file: BinaryIO, size: int) -> Iterator[int]:
    """Where each chunk of an AVI ends: 4 bytes of kind, 4 of size, the least first."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(8)
        if head[:4] != b"RIFF":
            return
        at += 8 + int.from_bytes(head[4:], "little")
        yield at


def _segment(file: BinaryIO) -> Iterator[int]:
    """Where the one segment of an MKV ends, behind its heading; nothing where its size was left open."""
    file.read(4)
    heading = _length(file)
    file.seek(heading or 0, os.SEEK_CUR)
    if file.read(4) == SEGMENT and (length := _length(file)) is not None:
        yield file.tell() + length


def _length(file: BinaryIO) -> int | None:
    """EBML's number of a variable length: as many bytes as zeros lead its first; None where all of it is ones."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(more)) & ((1 << 7 * (more + 1)) - 1)
    return None if value == (1 << 7 * (more + 1)) - 1 else value
