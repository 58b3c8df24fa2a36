import gzip

import numpy as np
import pytest

from shared.core.errors import DataError
from shared.data.idx import TYPES, read_idx, write_idx

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
def test_what_is_written_is_read_back(tmp_path, name):
    write_idx(tmp_path / name, IMAGES)
    back = read_idx(tmp_path / name)
    assert back.dtype == np.uint8 and np.array_equal(back, IMAGES)
    assert back.flags.writeable  # torch warns of arrays that are not
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("code", TYPES)
def test_every_type_of_the_format_survives_in_native_byte_order(tmp_path, code):
    array = np.array([[1, 2, -3 if code != 8 else 3]]).astype(np.dtype(TYPES[code]).newbyteorder("="))
    write_idx(tmp_path / "file", array)
    assert (tmp_path / "file").read_bytes()[:4] == bytes([0, 0, code, 2])
    back = read_idx(tmp_path / "file")
    assert back.dtype == array.dtype and back.dtype.isnative and np.array_equal(back, array)


def test_the_bytes_are_those_of_the_format(tmp_path):
    write_idx(tmp_path / "labels", np.array([7, 2], np.uint8))
    assert (tmp_path / "labels").read_bytes() == bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 2])


def test_the_same_array_gives_the_same_gzip_bytes(tmp_path):
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, IMAGES)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_gzip_is_seen_from_the_bytes_not_from_the_name(tmp_path):
    write_idx(tmp_path / "packed.gz", IMAGES)
    (tmp_path / "packed.gz").rename(tmp_path / "packed")
    assert np.array_equal(read_idx(tmp_path / "packed"), IMAGES)


def test_a_type_that_the_format_lacks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not int64"):
        write_idx(tmp_path / "labels", np.zeros(2, np.int64))
    assert not list(tmp_path.iterdir())


RAW = bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3])
PACKED = gzip.compress(RAW, mtime=0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "this one 89 50 4e 47"),
        (b"<html>not found</html>", "this one 3c 68 74 6d"),
        (bytes([0, 0, 7, 1]) + RAW[4:], "this one 00 00 07 01"),
        (bytes([0, 0, 8, 9]) + bytes(40), "this one 00 00 08 09"),
        (RAW[:6], "ends inside its header"),
        (RAW[:-1], "says 3 bytes"),
        (RAW + b"!", "says 3 bytes"),
        (bytes([0, 0, 8, 4]) + b"\xff" * 16, "header says"),
        (PACKED[:-9], "cut short"),
        (PACKED[:12] + b"\xff" + PACKED[13:], "gzip content is broken"),
        (PACKED[:-8] + b"\0" * 8, "gzip content is broken"),  # a wrong checksum
        (PACKED + b"more", "foreign bytes follow"),
        (gzip.compress(RAW[:-1], mtime=0), "says 3 bytes"),
    ],
)
def test_a_damaged_or_foreign_file_is_named_with_what_is_wrong(tmp_path, content, why):
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=why) as caught:
        read_idx(path)
    assert str(path) in str(caught.value) and "original file" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_gzip_that_unpacks_without_end_is_stopped(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 3]) + bytes(10_000)))
    with pytest.raises(DataError, match="has more than its header says"):
        read_idx(tmp_path / "bomb.gz")


def test_a_folder_or_a_missing_file_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="cannot be read"):
            read_idx(path)
