"""Whatever lies where a data set is looked for: arrays that are what they say, or a line that names the file."""

import gzip
import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.data import mnist_layouts
from shared.data.idx import LARGEST, TYPES, read_idx
from tests.fuzz.malformed import told

IMAGES = (np.arange(3 * 28 * 28) % 251).astype(np.uint8).reshape(3, 28, 28)
LABELS = np.array([7, 0, 9], np.uint8)
SMALL = 1 << 24  # bytes; what a few kilobytes of a file may cost to be refused


def idx(code, shape, content):
    return bytes([0, 0, code, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + content


GOOD = idx(8, LABELS.shape, LABELS.tobytes())
sizes = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2, 3, 28, 2**31, 2**32 - 1])
headers = st.builds(
    idx, st.sampled_from(sorted(TYPES)) | st.integers(0, 255), st.lists(sizes, max_size=6), st.binary(max_size=40)
)
spoilt = st.builds(
    lambda at, cut, data: GOOD[:at] + data + GOOD[at + cut :],
    st.integers(0, 12),
    st.integers(0, 8),
    st.binary(max_size=8),
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "train-labels-idx1-ubyte"


def read_cheaply(path):
    """The file's array, or a line; and no more memory than its own bytes account for."""
    tracemalloc.start()
    try:
        with told():
            array = read_idx(path)
            assert array.flags.writeable and array.dtype.isnative
        assert tracemalloc.get_traced_memory()[1] < SMALL
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=60) | headers | spoilt)
@example(idx(8, [0], b""))
@example(idx(8, [0, 2**32 - 1, 2**32 - 1, 2**32 - 1], b""))
@example(idx(14, [2**32 - 1] * 4, b"1"))
@example(idx(14, [2**32 - 1] * 4, b""))
@example(idx(13, [1], b"\x7f\xc0\0\0"))
@example(b"")
@example(b"\0\0\x08\x01")
def test_any_bytes_are_told(file, data):
    file.write_bytes(data)
    read_cheaply(file)


@given(st.binary(max_size=60) | headers | spoilt, st.integers(0, 60), st.binary(max_size=9))
@example(idx(8, [2**30 + 1], b"1"), 0, b"")
@example(GOOD, 1, b"")
@example(GOOD, 9, b"")
@example(GOOD, 0, b"\0\0")
@example(GOOD, 0, gzip.compress(GOOD))
def test_any_gzipped_bytes_cut_short_or_added_to_are_told(file, data, cut, more):
    packed = gzip.compress(data, mtime=0)
    file.write_bytes(packed[: len(packed) - cut] + more)
    read_cheaply(file)


@given(st.integers(0, 60), st.binary(min_size=1, max_size=4))
def test_gzipped_bytes_with_some_changed_are_told(file, at, data):
    packed = gzip.compress(GOOD, mtime=0)
    file.write_bytes(packed[:at] + data + packed[at + len(data) :])
    read_cheaply(file)


def test_a_file_that_unpacks_to_more_than_it_promises_is_not_unpacked(file):
    file.write_bytes(gzip.compress(idx(8, [3], bytes(4 * SMALL)), compresslevel=1))
    read_cheaply(file)
    with pytest.raises(Exception, match="more than its header says"):
        read_idx(file)


def test_a_file_larger_than_any_is_not_read(file):
    """A hole of a tebibyte costs its maker nothing."""
    file.touch()
    with file.open("r+b") as hole:
        hole.truncate(1 << 40)
    read_cheaply(file)
    assert file.stat().st_size > LARGEST


def folder_of(folder, parts):
    """A data set's folder with these files."""
    for old in folder.iterdir():
        old.unlink()
    for name, content in parts.items():
        (folder / name).write_bytes(content)
    return folder


def read_whole(folder):
    with told():
        found = mnist_layouts.find(folder, "mnist")
        assert isinstance(found, mnist_layouts.Files)
        train, labels, *_ = mnist_layouts.read(found)
        assert train.dtype == np.uint8 and train.shape[1:] == (28, 28) and len(train) == len(labels) > 0
        assert labels.dtype == np.int64 and labels.min() >= 0 and labels.max() <= 9
        assert mnist_layouts.belongs_to(found) in ("", "kmnist", "fashion-mnist")


@given(st.sampled_from(sorted(TYPES)), st.lists(st.integers(0, 40), min_size=1, max_size=4), st.booleans())
@example(8, [0, 28, 28], True)
@example(8, [3, 28, 28], True)
@example(9, [3], False)
@example(14, [3], False)
def test_arrays_that_are_no_data_set_are_told(tmp_path, code, shape, images):
    parts = {
        "train-images-idx3-ubyte": idx(8, IMAGES.shape, IMAGES.tobytes()),
        "train-labels-idx1-ubyte": GOOD,
        "t10k-images-idx3-ubyte": idx(8, IMAGES.shape, IMAGES.tobytes()),
        "t10k-labels-idx1-ubyte": GOOD,
    }
    count = int(np.prod(shape)) * np.dtype(TYPES[code]).itemsize
    parts["train-images-idx3-ubyte" if images else "train-labels-idx1-ubyte"] = idx(code, shape, bytes(count))
    read_whole(folder_of(tmp_path, parts))


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy(header):
    """An array's file with a header of one's own, in an archive."""
    text = header.encode("latin-1", "replace") + b"\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text + b"1234")
    return stream.getvalue()


ARCHIVE = npz(x_train=IMAGES, y_train=LABELS, x_test=IMAGES, y_test=LABELS)


@given(st.integers(0, len(ARCHIVE)), st.integers(0, 9), st.binary(max_size=9))
@example(0, 0, b"")
@example(6, 2, b"\1\0")  # the flags: encrypted
@example(8, 2, b"\x63\0")  # the way it is packed
def test_an_archive_with_some_bytes_changed_is_told(tmp_path, at, cut, data):
    read_whole(folder_of(tmp_path, {"mnist.npz": ARCHIVE[:at] + data + ARCHIVE[at + cut :]}))


@given(
    st.text(max_size=60)
    | st.builds(
        "{{'descr': {!r}, 'fortran_order': False, 'shape': {!r}}}".format,
        st.sampled_from(["|u1", "<i8", "O", "|V4", "<U3", ">M8[s]", "x", [("a", "u1")], [], 5]) | st.text(max_size=4),
        st.lists(st.integers(-2, 2**70) | st.sampled_from([0, 3, 28, 2**31]), max_size=4).map(tuple),
    )
)
@example("{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 28, 28)}")
@example("{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775808,)}")
@example("(" * 5000)
@example("-" * 9000 + "1")
def test_an_array_with_any_header_is_told(tmp_path, header):
    read_whole(folder_of(tmp_path, {"mnist.npz": npy(header)}))


ROW = ",".join(["7", *["0"] * 784])
cells = st.sampled_from(["0", "255", "256", "-1", "0.5", "nan", "", "#", "\0", "²", "1e3", '"', "9" * 400])


@given(st.binary(max_size=80) | st.lists(cells, max_size=12).map(lambda row: ",".join(row).encode()))
@example(b"label,pixel\n#\n")
@example(b"1\n#")
@example((ROW + "\n").encode())
@example((ROW.replace("7", "10") + "\n").encode())
@example((ROW + "\n" + "7,0\n").encode())
@example((ROW.replace("0", "0.5", 1) + "\n").encode())
@example(b"\xff\xfe1\0")
@example(b"\xb2,1\n")
def test_any_table_is_told(tmp_path, data):
    good = (ROW + "\n").encode()
    read_whole(folder_of(tmp_path, {"mnist_train.csv": good + data, "mnist_test.csv": good}))
    read_whole(folder_of(tmp_path, {"mnist_train.csv": data, "mnist_test.csv": good}))
