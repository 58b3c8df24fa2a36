"""Reading and writing IDX files, the format MNIST came in: a magic number, the dimensions, then the values.

    images = read_idx(Path("train-images-idx3-ubyte.gz"))     # plain or gzipped, by its first bytes
    write_idx(Path("train-labels-idx1-ubyte"), labels)

Format: LeCun, Cortes, Burges, "The MNIST database of handwritten digits". Two zero bytes, one for the type,
one for the number of dimensions, the dimensions as big-endian 32-bit numbers, then the values, big-endian,
last dimension fastest. It knows nothing of data sets: `shared.data.mnist_layouts` knows which file has what.
"""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.core import files
from shared.core.errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LARGEST = 1 << 30  # bytes: twenty times MNIST; a larger size is damaged or hostile
LONGEST_HEADER = 4 + 4 * 4  # bytes
GZIP_MAGIC = b"\x1f\x8b"

_CODES = {np.dtype(name).newbyteorder("="): code for code, name in TYPES.items()}


def read_idx(path: Path) -> npt.NDArray[Any]:
    """The array in an IDX file, plain or gzipped, in native byte order and writable.

    Raises DataError with the file's name if it cannot be read, is not an IDX file, is cut short or has too many bytes.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise damaged(path, "it has more than 1 GiB")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if data[:2] == GZIP_MAGIC:
        data = _decompressed(path, data)
    dtype, shape, start = _header(path, data)
    size = math.prod(shape) * dtype.itemsize
    if len(data) - start != size:
        raise damaged(path, f"its header says {size:,} bytes of {list(shape)}, it has {len(data) - start:,}")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def write_idx(path: Path, array: npt.NDArray[Any]) -> None:
    """Writes an array as an IDX file, gzipped if the name ends in `.gz`; same array, same bytes.

    The file appears complete or not at all. Raises ValueError for a type that IDX does not have.
    """
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        known = ", ".join(str(dtype) for dtype in _CODES)
        raise ValueError(f"IDX files can have {known}, not {array.dtype}")
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    data = header + array.astype(TYPES[code]).tobytes()
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    files.write(path, data)


def damaged(path: Path, why: str) -> DataError:
    """The error for a file that is not what its name says, with what to do."""
    return DataError(f"{path} is damaged or foreign: {why}.\nReplace it with the original file, or delete it.")


def _header(path: Path, data: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Type of the values, shape, and where the values begin."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES or not 1 <= data[3] <= 4:
        raise damaged(path, f"an IDX file begins 00 00 08 and 01 to 04, this one {data[:4].hex(' ') or 'is empty'}")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise damaged(path, f"it ends inside its header, after {len(data)} bytes")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", count=data[3], offset=4))
    dtype = np.dtype(TYPES[data[2]])
    if math.prod(n or 1 for n in shape) * dtype.itemsize > LARGEST:  # numpy refuses it even for an empty array
        raise damaged(path, f"its header says more than 1 GiB, {list(shape)} of {dtype.itemsize} bytes")
    return dtype, shape, start


def _decompressed(path: Path, data: bytes) -> bytes:
    """The content of a gzip file, its checksum verified; zlib itself is a third faster than module gzip.

    Only as much is unpacked as the header says: a few kilobytes can hold a gigabyte.
    """
    stream = zlib.decompressobj(wbits=31)
    try:
        dtype, shape, start = _header(path, zlib.decompressobj(wbits=31).decompress(data, LONGEST_HEADER))
        size = start + math.prod(shape) * dtype.itemsize
        content = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise damaged(path, f"its gzip content is broken ({error})") from error
    if not stream.eof:
        raise damaged(path, "it is cut short" if len(content) <= size else "it has more than its header says")
    if stream.unused_data.strip(b"\0"):
        raise damaged(path, "foreign bytes follow its gzip content")
    return content
