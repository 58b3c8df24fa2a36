"""Data files as people have them: every public layout is read, and what is damaged is named."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from shared.core.errors import DataError
from shared.data import mnist_layouts
from shared.data.datasets import load
from shared.data.idx import write_idx
from tests.shared.data.data_folders import (
    DOTS,
    IDX,
    PARTS,
    holds_the_parts,
    write,
    write_csv,
    write_keras,
    write_npz_parts,
)

pytestmark = pytest.mark.usefixtures("bare_machine")

LAYOUTS = {
    "dashes": lambda folder: write(folder, IDX),
    "dots": lambda folder: write(folder, DOTS),
    "dashes, gzipped": lambda folder: write(folder, [f"{name}.gz" for name in IDX]),
    "dots, gzipped": lambda folder: write(folder, [f"{name}.gz" for name in DOTS]),
    "a folder and a file of one name": lambda folder: write(folder, [f"{name}/{name}" for name in IDX]),
    "a folder named as the gzip, the file without": lambda folder: write(folder, [f"{n}.gz/{n}" for n in IDX]),
    "some raw, some gzipped": lambda folder: write(folder, [IDX[0] + ".gz", IDX[1], DOTS[2], DOTS[3] + ".gz"]),
    "torchvision's": lambda folder: write(folder / "MNIST" / "raw"),
    "torchvision's, from within": lambda folder: write(folder / "raw"),
    "a sub folder": lambda folder: write(folder / "mnist"),
    "CSV": lambda folder: write_csv(folder, "mnist", header=True),
    "CSV without header": lambda folder: write_csv(folder, "mnist", header=False),
    "CSV with a mark": lambda folder: write_csv(folder, "mnist", header=True, encoding="utf-8-sig"),
    "CSV with a mark, without header": lambda folder: write_csv(folder, "mnist", header=False, encoding="utf-8-sig"),
    "Keras' npz": write_keras,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_public_layout_is_read(tmp_path, layout):
    LAYOUTS[layout](tmp_path / "in")
    found = load("mnist", data_dir=tmp_path / "in")
    assert holds_the_parts(found)
    assert found.name == "mnist" and found.classes == tuple("0123456789") and "--data-dir" in found.source


def test_the_training_images_can_be_left_on_the_disk(tmp_path):
    for i, make in enumerate((write, write_keras, lambda folder: write_csv(folder, "mnist", header=True))):
        found = load("mnist", data_dir=make(tmp_path / str(i)), halves=["test"])
        assert np.array_equal(found.test_images, PARTS[2]) and np.array_equal(found.test_labels, PARTS[3])
        assert found.train_images.shape == (0, 28, 28) and found.train_labels.shape == (0,)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("fashion-mnist", lambda folder: write_csv(folder, "fashion-mnist", header=True)),
        ("fashion-mnist", lambda folder: write(folder / "FashionMNIST" / "raw")),
        ("kmnist", write_npz_parts),
        ("kmnist", lambda folder: write(folder / "KMNIST" / "raw")),
    ],
)
def test_the_other_data_sets_have_their_own_layouts(tmp_path, name, make):
    make(tmp_path / "in")
    assert holds_the_parts(load(name, data_dir=tmp_path / "in"))


# What is damaged


def damaged_labels(folder: Path) -> Path:
    write_idx(folder / IDX[1], np.full(40, 10, np.uint8))
    return folder / IDX[1]


def fewer_labels(folder: Path) -> Path:
    write_idx(folder / IDX[3], PARTS[3][:-1])
    return folder / IDX[3]


def labels_in_place_of_images(folder: Path) -> Path:
    write_idx(folder / IDX[0], PARTS[1])
    return folder / IDX[0]


def images_of_another_size(folder: Path) -> Path:
    write_idx(folder / IDX[2], np.zeros((20, 32, 32), np.uint8))
    return folder / IDX[2]


def cut_short(folder: Path) -> Path:
    (folder / IDX[0]).write_bytes((folder / IDX[0]).read_bytes()[:-100])
    return folder / IDX[0]


def cut_short_gzip(folder: Path) -> Path:
    (folder / IDX[0]).write_bytes(gzip.compress((folder / IDX[0]).read_bytes())[:-100])
    return folder / IDX[0]


def a_picture(folder: Path) -> Path:
    (folder / IDX[1]).write_bytes(b"\xff\xd8\xff\xe0 not labels at all")
    return folder / IDX[1]


DAMAGES = (
    damaged_labels,
    fewer_labels,
    labels_in_place_of_images,
    images_of_another_size,
    cut_short,
    cut_short_gzip,
    a_picture,
)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("way", ["--data-dir", "$K2L_DATA"])
def test_a_damaged_file_is_named_and_nothing_else_taken_in_its_place(tmp_path, monkeypatch, damage, way):
    folder = write(tmp_path / "in")
    write(tmp_path / "home" / "data" / "mnist")
    path = damage(folder)
    if way == "$K2L_DATA":
        monkeypatch.setenv("K2L_DATA", str(folder))
    with pytest.raises(DataError) as caught:
        load("mnist", data_dir=folder if way == "--data-dir" else None)
    message = str(caught.value)
    assert str(path) in message and "original file" in message and len(message.splitlines()) <= 2


@pytest.mark.parametrize("way", ["--data-dir", "$K2L_DATA"])
def test_a_missing_file_is_named(tmp_path, monkeypatch, way):
    folder = write(tmp_path / "in")
    (folder / IDX[2]).unlink()
    if way == "$K2L_DATA":
        monkeypatch.setenv("K2L_DATA", str(folder))
    with pytest.raises(DataError, match=f"{IDX[2]} is missing"):
        load("mnist", data_dir=folder if way == "--data-dir" else None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("label,a,b\n1,2,3\n", "784 pixels, not 3"),
        ("label\n" + ",".join(["1"] * 784 + ["300"]) + "\n", "300"),
        ("label\n1,x\n", "x"),
        ("", "no rows"),
        ("label,1x1\n", "no rows"),
        ("\x89PNG", "mnist_train.csv"),
    ],
)
def test_a_damaged_csv_is_named(tmp_path, content, why):
    write_csv(tmp_path / "in", "mnist", header=True)
    (tmp_path / "in" / "mnist_train.csv").write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=why) as caught:
        load("mnist", data_dir=tmp_path / "in")
    assert "mnist_train.csv" in str(caught.value)


def test_a_damaged_npz_is_named(tmp_path):
    path = write_keras(tmp_path / "in") / "mnist.npz"
    whole = path.read_bytes()
    for content in (whole[:-50], whole[:200] + bytes(200) + whole[400:], b"not a zip", b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"mnist\.npz is damaged"):
            load("mnist", data_dir=tmp_path / "in")


def test_an_npz_with_pickles_or_without_its_arrays_is_refused(tmp_path):
    folder = write_keras(tmp_path / "in")
    np.savez(folder / "mnist.npz", x_train=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="pickle"):
        load("mnist", data_dir=folder)
    np.savez(folder / "mnist.npz", x_train=PARTS[0])
    with pytest.raises(DataError, match="no array y_train"):
        load("mnist", data_dir=folder)


def test_an_npz_that_unpacks_to_more_than_a_data_set_is_refused_packed(tmp_path, monkeypatch):
    folder = write_keras(tmp_path / "in")
    np.savez_compressed(folder / "mnist.npz", x_train=np.zeros((5000, 28, 28), np.uint8))
    assert (folder / "mnist.npz").stat().st_size < 10_000
    monkeypatch.setattr(mnist_layouts, "LARGEST", 3_000_000)
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(DataError, match="unpacks to more than 1 GiB"):
        load("mnist", data_dir=folder)
