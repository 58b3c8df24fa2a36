"""One record adds a data set: whatever asks for data sets has it then."""

import hashlib
import http.server
import threading

import numpy as np
import pytest

from local.emulator.sessions import mounts
from local.evaluation.evaluate import evaluate
from local.kaggle_api import kernel_spec
from local.models import registry
from shared.core.errors import DataError
from shared.core.input_spec import InputSpec
from shared.data import datasets
from shared.data.download import FILES
from shared.data.idx import write_idx
from shared.data.registry import DATASETS, DatasetInfo
from tests.local.model_folders import write_folder

SMALL = InputSpec(height=20, width=24, channels=1, color="grey", resize="fit", mean=(0.3,), std=(0.5,))
SHAPES = DatasetInfo(
    name="shapes",
    task="classification",
    classes=("circle", "square", "cross"),
    input=SMALL,
    kaggle_ref="me/shapes-of-paper",
    folders=("paper",),
)
PARTS = ("train_images", "train_labels", "test_images", "test_labels")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    counts = {"train": 60, "test": 12}
    return [
        rng.integers(0, 256, (count, 20, 24), np.uint8) if what == "images" else np.arange(count, dtype=np.uint8) % 3
        for count in counts.values()
        for what in ("images", "labels")
    ]


@pytest.fixture(autouse=True)
def shapes(monkeypatch, tmp_path):
    """The record is there, in this process; nothing else is changed."""
    monkeypatch.setitem(DATASETS, "shapes", SHAPES)
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    monkeypatch.delenv("K2L_DATA", raising=False)


def write(folder, arrays):
    folder.mkdir(parents=True)
    for name, array in zip(FILES, arrays, strict=True):
        write_idx(folder / name.removesuffix(".gz"), array)
    return folder


@pytest.mark.parametrize("place", ["shapes", "Shapes of paper", "paper", "."])
def test_it_is_found_and_loaded_from_folders_that_are_named_so(tmp_path, arrays, place):
    write(tmp_path / "in" / place, arrays)
    data = datasets.load("shapes", data_dir=tmp_path / "in")
    assert all(np.array_equal(getattr(data, part), array) for part, array in zip(PARTS, arrays, strict=True))
    assert (data.classes, data.input) == (SHAPES.classes, SMALL)
    assert [len(part) for part in data.split()] == [54, 6]


def test_its_own_size_and_classes_are_what_files_are_held_to(tmp_path, arrays):
    arrays[2] = arrays[2][:, :, :20]
    with pytest.raises(DataError, match=r"uint8 \[n, 20, 24\], these are uint8 \[12, 20, 20\]"):
        datasets.load("shapes", data_dir=write(tmp_path / "a", arrays))
    arrays[2] = np.zeros((12, 20, 24), np.uint8)
    arrays[3] = np.full(12, 3, np.uint8)
    with pytest.raises(DataError, match="labels are 0 to 2, it has 3 to 3"):
        datasets.load("shapes", data_dir=write(tmp_path / "b", arrays))


def test_a_csv_of_it_is_read(tmp_path, arrays):
    for half, images, labels in (("train", *arrays[:2]), ("test", *arrays[2:])):
        rows = np.hstack([labels[:, None], images.reshape(len(images), -1)])
        np.savetxt(tmp_path / f"shapes_{half}.csv", rows, fmt="%d", delimiter=",")
    assert np.array_equal(datasets.load("shapes", data_dir=tmp_path).train_images, arrays[0])


def test_it_is_attached_and_the_emulator_mounts_it(tmp_path, arrays):
    assert kernel_spec.load("torch").sources("shapes") == ["me/shapes-of-paper"]
    known = mounts.Mounts(tmp_path / "state", write(tmp_path / "mine", arrays))
    assert known.knows("me/shapes-of-paper")
    assert known.mount("me/shapes-of-paper", tmp_path / "input") is None
    found = datasets.load("shapes", data_dir=tmp_path / "input" / "datasets" / "me" / "shapes-of-paper")
    assert np.array_equal(found.test_images, arrays[2])


def test_verbs_list_it(home_of_verbs, tmp_path, arrays):
    write(tmp_path / "data" / "shapes", arrays)
    code, out, err = home_of_verbs("data", "shapes", "--json")
    assert (code, err) == (0, "") and '"shapes"' in out and "circle" in out


@pytest.fixture
def home_of_verbs(capsys, monkeypatch):
    from scripts.__main__ import main

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["k2l", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return run


def test_it_is_downloaded_from_its_mirror(tmp_path, arrays, monkeypatch):
    import dataclasses
    import gzip

    folder = write(tmp_path / "mirror", arrays)
    sums = []
    for name in FILES:
        packed = gzip.compress((folder / name.removesuffix(".gz")).read_bytes())
        (folder / name).write_bytes(packed)
        (folder / name.removesuffix(".gz")).unlink()
        sums.append(hashlib.md5(packed, usedforsecurity=False).hexdigest())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    mirror = (f"http://127.0.0.1:{server.server_port}/",)
    monkeypatch.setitem(DATASETS, "shapes", dataclasses.replace(SHAPES, mirrors=mirror, md5=tuple(sums)))
    try:
        assert np.array_equal(datasets.load("shapes").train_images, arrays[0])
    finally:
        server.shutdown()
        server.server_close()


def test_without_a_mirror_it_is_said_that_none_is_known():
    with pytest.raises(DataError, match="no mirror of it is known"):
        datasets.load("shapes")


def test_a_network_of_it_is_evaluated(tmp_path, arrays):
    data = datasets.load("shapes", data_dir=write(tmp_path / "in", arrays))
    folder = write_folder(tmp_path / "models" / "mine", "compact", spec=SMALL, dataset="shapes", classes=SHAPES.classes)
    result = evaluate(registry.find(str(folder)), data)
    assert result.logits.shape == (12, 3) and result.row()["dataset"] == "shapes"


@pytest.mark.parametrize(
    ("name", "lies", "found"),
    [
        ("mnist", "fashion-mnist", "fashion-mnist"), ("kmnist", "fashion-mnist", "fashion-mnist"),
        ("mnist", "kmnist", "kmnist"), ("fashion-mnist", "kmnist", "kmnist"), ("kmnist", "mnist", "mnist"),
        ("fashion-mnist", "mnist", "mnist"), ("mnist", "mnist", ""), ("kmnist", "kmnist", ""),
        ("fashion-mnist", "fashion-mnist", ""), ("shapes", "kmnist", ""),
    ],
)  # fmt: skip
def test_files_of_another_data_set_are_recognised_by_their_labels(tmp_path, monkeypatch, name, lies, found):
    from shared.data import mnist_layouts

    info = DATASETS[lies]
    first = list(info.begins)
    left = [count - first.count(label) for label, count in enumerate(info.counts)]
    labels = np.array(first + [label for label, count in enumerate(left) for _ in range(count)], np.int64)
    monkeypatch.setattr(mnist_layouts, "read_idx", lambda path: labels % len(DATASETS[name].classes))
    paths = dict.fromkeys(mnist_layouts.PARTS, tmp_path / "x")
    assert mnist_layouts.belongs_to(mnist_layouts.Files(name=name, layout="idx", paths=paths)) == found
