"""The windows of the pooling steps in a LiteRT file, which an interpreter does not tell.

    areas = windows(path)      # of each step of the network, 1 where it has no window; ValueError where it is not whole

LiteRT lays out a place in memory for each point of each window. The numbers of the fields are those of LiteRT's
schema.fbs; a FlatBuffer is tables of offsets, read here without its schema's module, whose import takes longer.
"""

import mmap
import struct
from pathlib import Path
from typing import Any

SUBGRAPHS, OPERATORS = 2, 3  # fields of the model, and of a subgraph
KIND, OPTIONS = 3, 4  # of an operator
POOLING = 5  # the kind of options that hold a window
WIDTH, HEIGHT = 3, 4  # fields of these


def windows(path: Path) -> list[int]:
    """The points in the window of each step of the first subgraph."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            model = _follow(data, 0)
            (first, *_) = _vector(data, model, SUBGRAPHS)
            return [_area(data, operator) for operator in _vector(data, first, OPERATORS)]
        except struct.error:
            raise ValueError("an offset leads out of the file") from None


def _area(data: Any, operator: int) -> int:
    kind, options = _field(data, operator, KIND), _field(data, operator, OPTIONS)
    if kind is None or options is None or data[kind] != POOLING:
        return 1
    table = _follow(data, options)
    sides = [_field(data, table, number) for number in (WIDTH, HEIGHT)]
    width, height = (0 if side is None else int(struct.unpack_from("<i", data, side)[0]) for side in sides)
    return width * height


def _follow(data: Any, at: int) -> int:
    """Where the offset there leads."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: Any, table: int, number: int) -> int | None:
    """Where a table's field lies, by the list of offsets that the table begins with; None where it is left out."""
    offsets = table - struct.unpack_from("<i", data, table)[0]
    place = 4 + 2 * number
    if offsets < 0 or place >= struct.unpack_from("<H", data, offsets)[0]:
        return None
    offset = struct.unpack_from("<H", data, offsets + place)[0]
    return table + offset if offset else None


def _vector(data: Any, table: int, number: int) -> list[int]:
    """Where the tables lie that a field lists."""
    field = _field(data, table, number)
    if field is None:
        return []
    start = _follow(data, field)
    count = struct.unpack_from("<I", data, start)[0]
    if start + 4 + 4 * count > len(data):
        raise ValueError("a list that is longer than the file")
    return [_follow(data, start + 4 + 4 * at) for at in range(count)]
