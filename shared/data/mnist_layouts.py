"""What a data set looks like on disk: every public layout of MNIST and similar sets, and checks of what is read.

    files = find(folder, "mnist")       # Files, Partial, or None
    arrays = read(files)                # train images, train labels, test images, test labels, all checked
    arrays = read(files, ["test"])      # the same, the first two empty: six sevenths of the bytes are not read

Layouts: IDX (dashes or dots in the names, plain or gzipped, or inside a folder of the file's own name, as
Kaggle unpacks them), CSV with a label and the pixels a row, and npz. `shared.data.datasets` decides which folders are
searched, and what to do if nothing is found.
"""

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.core.errors import plain
from shared.data.idx import LARGEST, damaged, read_idx
from shared.data.registry import DATASETS

FULL_TRAIN = 60_000  # training images of mnist, fashion-mnist and kmnist alike

Array = npt.NDArray[Any]
Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]]

HALVES = ("train", "test")
PARTS = ("train images", "train labels", "test images", "test labels")
IDX_NAMES = (
    "train-images{}idx3-ubyte",
    "train-labels{}idx1-ubyte",
    "t10k-images{}idx3-ubyte",
    "t10k-labels{}idx1-ubyte",
)
CSV_NAMES = ("{}_train.csv", "{}_train.csv", "{}_test.csv", "{}_test.csv")
NPZ_NAMES = ("{}-train-imgs.npz", "{}-train-labels.npz", "{}-test-imgs.npz", "{}-test-labels.npz")


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files of one data set: `paths` has the path of each of PARTS; one file may have several."""

    name: str
    layout: str
    paths: dict[str, Path]

    @property
    def folder(self) -> Path:
        return self.paths["test labels"].parent


@dataclass(frozen=True, kw_only=True)
class Partial:
    """A folder with only some files of a layout."""

    folder: Path
    missing: tuple[str, ...]


def find(folder: Path, name: str) -> Files | Partial | None:
    """The first complete layout in sub folders named after the data set, or in the folder; opens no file."""
    partial = None
    for place in _places(folder, name):
        for layout, names in _layouts(name).items():
            found = {part: path for part in PARTS if (path := _first(place, names[part]))}
            if len(found) == len(PARTS):
                return Files(name=name, layout=layout, paths=found)
            if found and partial is None:
                missing = dict.fromkeys(names[part][0] for part in PARTS if part not in found)
                partial = Partial(folder=place, missing=tuple(missing))
    return partial


def read(files: Files, halves: Collection[str] = HALVES) -> Arrays:
    """Train images, train labels, test images, test labels: uint8 [n, h, w] and int64 [n] from 0 on.

    A half that is not requested is not read, and is empty. Raises DataError with the file's name if it is damaged, has
    another shape, or does not fit the others.
    """
    nothing = np.empty((0, *_sides(files)), np.uint8), np.empty(0, np.int64)
    train, test = (_half(files, half) if half in halves else nothing for half in HALVES)
    return *train, *test


def _half(files: Files, half: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The images and the labels of the training or of the test set, checked."""
    raw_images, raw_labels = _READERS[files.layout](files, half)
    images = _images(files, f"{half} images", raw_images)
    labels = _labels(files, f"{half} labels", raw_labels)
    if len(images) != len(labels):
        raise damaged(files.paths[f"{half} labels"], f"it has {len(labels):,} labels for {len(images):,} images")
    return images, labels


def belongs_to(files: Files) -> str:
    """Which other data set these files certainly are, or "": the IDX files of several have the same names.

    Recognised by the training labels: MNIST's digits are unevenly many, Fashion-MNIST and KMNIST have 6,000 of each
    class, and Fashion-MNIST's first labels are known. Nothing is certain where no record says so of this data set.
    """
    own = DATASETS[files.name]
    if files.layout != "idx" or not own.counts:
        return ""
    labels = _labels(files, "train labels", read_idx(files.paths["train labels"]))
    counts, first = tuple(np.bincount(labels).tolist()), tuple(labels[:100].tolist())
    alike = [one for one in DATASETS.values() if one.counts == counts and first[: len(one.begins)] == one.begins]
    found = max(alike, key=lambda one: len(one.begins), default=own)
    return "" if found is own else found.name


def _places(folder: Path, name: str) -> list[Path]:
    """Where to look, folders named after the data set first; torchvision's files are one level deeper, in raw/."""
    try:
        inside = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except OSError:  # not a folder, or not readable: nothing is found there
        return []
    info = DATASETS[name]
    known = {_plain(name), _plain(info.kaggle_ref.rpartition("/")[2]), *info.folders} - {""}
    named = [entry for entry in inside if _plain(entry.name) in known]
    return [place for entry in [*named, folder] for place in (entry, entry / "raw")]


def _plain(name: str) -> str:
    """A name in lower case and without punctuation: torchvision, Kaggle and others write it in several ways."""
    return "".join(filter(str.isalnum, name.lower()))


def _layouts(name: str) -> dict[str, dict[str, list[str]]]:
    """For each layout and part the possible file names; uncompressed ones first, they read faster."""
    idx = {part: _idx_names(pattern) for part, pattern in zip(PARTS, IDX_NAMES, strict=True)}
    single = {part: [f"{name}.npz"] for part in PARTS}
    parts = {part: [pattern.format(name)] for part, pattern in zip(PARTS, NPZ_NAMES, strict=True)}
    csv = {part: [pattern.format(name)] for part, pattern in zip(PARTS, CSV_NAMES, strict=True)}
    return {"idx": idx, "npz": single, "npz parts": parts, "csv": csv}


def _idx_names(pattern: str) -> list[str]:
    stems = [pattern.format(mark) for mark in "-."]
    names = [stem + suffix for suffix in ("", ".gz") for stem in stems]
    return names + [f"{outer}/{inner}" for outer, inner in product(names, names)]


def _first(folder: Path, names: list[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read_idx(files: Files, half: str) -> tuple[Array, Array]:
    return read_idx(files.paths[f"{half} images"]), read_idx(files.paths[f"{half} labels"])


def _read_csv(files: Files, half: str) -> tuple[Array, Array]:
    sides = _sides(files)
    table = _table(files.paths[f"{half} labels"], prod(sides))
    return table[:, 1:].reshape(-1, *sides), table[:, 0]


def _sides(files: Files) -> tuple[int, ...]:
    """Height and width of the data set's images; these layouts hold grey ones."""
    return DATASETS[files.name].input.shape[1:]


def _table(path: Path, pixels: int) -> npt.NDArray[np.uint8]:
    """A CSV file's rows, uint8 [n, 1 + pixels]: label, then pixels row by row; a first line of names is skipped."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            first = lines.readline()
            named = not first[:1].isdigit()
            if not (lines.readline() if named else first).strip():
                raise ValueError("it has no rows")
        with warnings.catch_warnings():
            # numpy 2.0 only warns about 300 or 0.5, and reads 44 and 0; all versions only warn about no rows.
            warnings.simplefilter("error")
            table = np.loadtxt(path, dtype=np.uint8, delimiter=",", skiprows=int(named), ndmin=2, encoding="utf-8-sig")
    except (OSError, ValueError, Warning) as error:
        raise damaged(path, plain(str(error))) from error
    if table.shape[1] != 1 + pixels:
        raise damaged(path, f"a row is a label and {pixels} pixels, not {table.shape[1]} numbers")
    return table


def _read_npz(files: Files, half: str) -> tuple[Array, Array]:
    """As Keras publishes MNIST: one archive with x_train, y_train, x_test and y_test."""
    return _from_npz(files.paths[f"{half} images"], f"x_{half}"), _from_npz(files.paths[f"{half} labels"], f"y_{half}")


def _read_npz_parts(files: Files, half: str) -> tuple[Array, Array]:
    return _from_npz(files.paths[f"{half} images"], "arr_0"), _from_npz(files.paths[f"{half} labels"], "arr_0")


def _from_npz(path: Path, key: str) -> Array:
    try:
        # Opened here, since numpy leaves a file open that is not an archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if sum(member.file_size for member in arrays.zip.infolist()) > LARGEST:
                raise ValueError("it unpacks to more than 1 GiB")
            return np.asarray(arrays[key])
    except KeyError as error:
        raise damaged(path, f"it has no array {key}") from error
    except Exception as error:  # any error of numpy and zipfile comes from the file
        raise damaged(path, plain(str(error) or type(error).__name__)) from error


def _images(files: Files, part: str, array: Array) -> npt.NDArray[np.uint8]:
    height, width = _sides(files)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[1:] != (height, width) or not len(array):
        what = f"{array.dtype} {list(array.shape)}"
        raise damaged(files.paths[part], f"the {part} are uint8 [n, {height}, {width}], these are {what}")
    return array


def _labels(files: Files, part: str, array: Array) -> npt.NDArray[np.int64]:
    if array.dtype.kind not in "iu" or array.ndim != 1 or not len(array):
        raise damaged(
            files.paths[part],
            f"the {part} are whole numbers [n], these are {array.dtype} {list(array.shape)}",
        )
    last = len(DATASETS[files.name].classes) - 1
    if array.min() < 0 or array.max() > last:
        raise damaged(files.paths[part], f"labels are 0 to {last}, it has {array.min()} to {array.max()}")
    return array.astype(np.int64)


_READERS: dict[str, Callable[[Files, str], tuple[Array, Array]]] = {
    "idx": _read_idx,
    "npz": _read_npz,
    "npz parts": _read_npz_parts,
    "csv": _read_csv,
}
