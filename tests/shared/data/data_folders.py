"""Small data sets on the disk, in every layout there is, for tests of what is found and read."""

from pathlib import Path

import numpy as np

from shared.data.datasets import DataSet
from shared.data.idx import write_idx

RANDOM = np.random.default_rng(0)
PARTS = (
    RANDOM.integers(0, 256, (40, 28, 28)).astype(np.uint8),
    RANDOM.integers(0, 10, 40).astype(np.uint8),
    RANDOM.integers(0, 256, (20, 28, 28)).astype(np.uint8),
    RANDOM.integers(0, 10, 20).astype(np.uint8),
)
IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
DOTS = ("train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte")


def write(folder: Path, names=IDX, parts=PARTS) -> Path:
    for name, array in zip(names, parts, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_idx(folder / name, array)
    return folder


def write_csv(folder: Path, name: str, *, header: bool, encoding: str = "utf-8") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for half, images, labels in (("train", *PARTS[:2]), ("test", *PARTS[2:])):
        lines = [",".join(map(str, [label, *image.ravel()])) for image, label in zip(images, labels, strict=True)]
        if header:
            lines.insert(0, ",".join(["label", *(f"{i}x{j}" for i in range(1, 29) for j in range(1, 29))]))
        (folder / f"{name}_{half}.csv").write_text("\n".join(lines) + "\n", encoding=encoding)
    return folder


def write_keras(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / "mnist.npz", **dict(zip(("x_train", "y_train", "x_test", "y_test"), PARTS, strict=True))
    )
    return folder


def write_npz_parts(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("train-imgs", "train-labels", "test-imgs", "test-labels")
    for name, array in zip(names, PARTS, strict=True):
        np.savez_compressed(folder / f"kmnist-{name}.npz", array)
    return folder


def holds_the_parts(found: DataSet) -> bool:
    assert found.train_images.dtype == found.test_images.dtype == np.uint8
    assert found.train_labels.dtype == found.test_labels.dtype == np.int64
    ours = (found.train_images, found.train_labels, found.test_images, found.test_labels)
    return all(np.array_equal(mine, part) for mine, part in zip(ours, PARTS, strict=True))
