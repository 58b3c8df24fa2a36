"""The data sets: found on this machine or on Kaggle, or downloaded; one fixed split for every choice.

    data = load("mnist")                                            # DataSet
    train, validation = data.split()                                # indices into its training images
    name, reason = choose("auto")                                   # ("digits", "mnist was not found in ...")

`camera` is made from mnist, once: its digits as a camera sees them, and non-digits (`shared.data.camera_dataset`).

Searched in this order: `data_dir` (and then nowhere else), `$K2L_DATA`, `data/` in the workspace,
Kaggle's mounts, the mirrors. A damaged file is reported, never skipped. `digits` comes with scikit-learn. The test set
is read once, at the end: every choice is made on the validation part of the training set.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.core.errors import DataError, one_of
from shared.core.home import home
from shared.core.input_spec import InputSpec
from shared.data.idx import write_idx
from shared.data.mnist_layouts import FULL_TRAIN, HALVES, IDX_NAMES, PARTS, Files, Partial, belongs_to, find, read
from shared.data.registry import AUTO, DATASETS, GLYPH
from shared.data.splits import Indices, split

logger = logging.getLogger(__name__)

FOUR = "{train,t10k}-images-idx3-ubyte.gz and {train,t10k}-labels-idx1-ubyte.gz"
KAGGLE_INPUT = Path("/kaggle/input")  # where a notebook on Kaggle has its data sets

Progress = Callable[[str, int, int], None]  # file name, bytes so far, bytes in all


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Images uint8 [n, h, w], or [n, h, w, c], as `input` has them; labels int64 [n], indices into `classes`.

    `source` says where it came from.
    """

    name: str
    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    input: InputSpec
    source: str
    held_out: int = 0  # the last of the training images are for validation, if the set is made from another one

    def split(self) -> tuple[Indices, Indices]:
        """Indices of the training and of the validation part of the training images, the same for every run.

        Of 60,000 images 5,000 are for validation; of a smaller set a tenth.
        """
        n = len(self.train_labels)
        if self.held_out:
            return np.arange(n - self.held_out), np.arange(n - self.held_out, n)
        return split(self.train_labels, validation=5_000 if n == FULL_TRAIN else round(n / 10))


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where a data set is: its files, and how they were found (`--data-dir`, `$K2L_DATA`, …)."""

    files: Files
    origin: str

    @property
    def source(self) -> str:
        return f"{self.files.folder} ({self.origin}, {self.files.layout})"


def load(
    name: str,
    *,
    data_dir: Path | None = None,
    download: bool = True,
    progress: Progress | None = None,
    halves: Collection[str] = HALVES,
) -> DataSet:
    """The data set of that name ("auto": see `choose`), from the first place that has it.

    With `halves=["test"]` the training images are not read from files, and are empty: reading them takes six times as
    long as the rest. Raises DataError if the data set is not found anywhere, or if what is read is damaged.
    """
    name, _ = choose(name, data_dir=data_dir, download=download, progress=progress)
    if name == "digits":
        from shared.data.sklearn_digits import load_digits

        arrays, source = load_digits(), f"scikit-learn's load_digits, scaled to {GLYPH.height}x{GLYPH.width}"
    elif name == "camera":
        return _camera(load("mnist", data_dir=data_dir, download=download, progress=progress), allowed=download)
    else:
        found = locate(name, data_dir=data_dir) or _fetch(name, allowed=download, progress=progress)
        arrays, source = read(found.files, halves), found.source
    logger.info("data set: %s from %s", name, source)
    return DataSet(
        name=name,
        train_images=arrays[0],
        train_labels=arrays[1],
        test_images=arrays[2],
        test_labels=arrays[3],
        classes=DATASETS[name].classes,
        input=DATASETS[name].input,
        source=source,
    )


def choose(
    name: str, *, data_dir: Path | None = None, download: bool = True, progress: Progress | None = None
) -> tuple[str, str]:
    """The data set that a name means, and the reason if it is a substitute.

    "auto" is mnist, downloaded if necessary; if that fails it is digits, and the reason must be shown to the user.
    Raises ConfigError for an unknown name, DataError for a wrong `data_dir` or $K2L_DATA.
    """
    if name in DATASETS:
        return name, ""
    one_of("data set", name, (AUTO, *DATASETS))
    if locate("mnist", data_dir=data_dir):
        return "mnist", ""
    try:
        _fetch("mnist", allowed=download, progress=progress)
    except DataError as error:
        why, _, fix = str(error).partition("\n")
        instead = "scikit-learn's 1,797 small digits take its place, and no figure is MNIST's"
        return "digits", f"{why.rstrip('.')}: {instead}.\n{fix}"
    return "mnist", ""


def locate(name: str, *, data_dir: Path | None = None) -> Location | None:
    """Where the files of mnist, fashion-mnist or kmnist are on this machine; None if nowhere.

    With a `data_dir`, only that is searched. Raises DataError if it does not have the data set, or if $K2L_DATA is not
    a folder.
    """
    if data_dir is not None:
        return _only_in(Path(data_dir).expanduser(), name)
    for folder, origin in _places():
        found = find(folder, name)
        if isinstance(found, Files) and not belongs_to(found):
            return Location(files=found, origin=origin)
        if isinstance(found, Partial) and origin == "$K2L_DATA":
            raise _incomplete(found, name)
    return None


def _camera(mnist: DataSet, *, allowed: bool) -> DataSet:
    """Made from `mnist`, or read if it was made before: making it takes minutes, and must be `allowed`.

    Its validation images are made from those of mnist, so that no digit is in both parts.
    """
    from shared.data import camera_dataset

    inner, held_out = mnist.split()
    folder = data_folder() / f"camera-{camera_dataset.fingerprint(mnist.train_images, mnist.test_images)}"
    paths = {part: folder / pattern.format("-") for part, pattern in zip(PARTS, IDX_NAMES, strict=True)}
    if all(path.is_file() for path in paths.values()):
        arrays = read(Files(name="camera", layout="idx", paths=paths))
    elif not allowed:
        raise DataError("camera has not been made from mnist here yet: `k2l data camera` makes it in a few minutes.")
    else:
        sources = [
            (mnist.train_images[inner], mnist.train_labels[inner]),
            (mnist.train_images[held_out], mnist.train_labels[held_out]),
            (mnist.test_images, mnist.test_labels),
        ]
        first, last, test = _photographed(sources)
        arrays = np.concatenate([first[0], last[0]]), np.concatenate([first[1], last[1]]), *test
        if not os.environ.get("KAGGLE_KERNEL_RUN_TYPE"):  # files there at the end of a run are its outputs
            folder.mkdir(parents=True, exist_ok=True)
            for path, array in zip(paths.values(), arrays, strict=True):
                write_idx(path, np.asarray(array, np.uint8))
    return DataSet(
        name="camera",
        train_images=arrays[0],
        train_labels=arrays[1],
        test_images=arrays[2],
        test_labels=arrays[3],
        classes=DATASETS["camera"].classes,
        input=DATASETS["camera"].input,
        source=f"made of {mnist.source}",
        held_out=camera_dataset.count(len(held_out)),
    )


def _photographed(sources: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Each part of mnist as photographs show it. The smallest is made first, to estimate the time for the others."""
    from shared.data import camera_dataset

    total = sum(camera_dataset.count(len(labels)) for _, labels in sources)
    logger.warning("making the data set camera from mnist, once: %s images", f"{total:,}")
    began, made, parts = time.monotonic(), 0, {}
    for seed, (images, labels) in sorted(enumerate(sources), key=lambda one: len(one[1][1])):
        parts[seed] = camera_dataset.photographed(images, labels, seed=seed)
        made += len(parts[seed][1])
        seconds = time.monotonic() - began
        left = seconds * (total - made) / made
        rest = f"; the others take about {left:.0f} s" if left else ""
        logger.warning("%s made in %.0f s%s", f"{made:,}", seconds, rest)
    return [parts[seed] for seed in range(len(sources))]


def data_folder() -> Path:
    """Where downloaded data sets go: `data/` in the workspace."""
    return home() / "data"


def _places() -> Iterator[tuple[Path, str]]:
    """The folders to search on this machine, and what each is called."""
    if named := os.environ.get("K2L_DATA"):
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise DataError(f"K2L_DATA={named} is not a folder: name an existing one, or unset it.")
        yield folder, "$K2L_DATA"
    yield data_folder(), "data/"
    for mount in _mounts():
        yield mount, "Kaggle input"


def _mounts() -> Iterator[Path]:
    """Kaggle's mounts: `datasets/<owner>/<slug>` first, the older `<slug>` after them."""
    beside = [Path("../input").resolve()] if Path.cwd().name == "working" else []
    for root in dict.fromkeys([*beside, KAGGLE_INPUT]):
        for pattern in ("datasets/*/*", "*", "competitions/*", "notebooks/*/*"):
            yield from sorted(path for path in root.glob(pattern) if path.is_dir())


def _only_in(folder: Path, name: str) -> Location:
    found = find(folder, name)
    if isinstance(found, Partial):
        raise _incomplete(found, name)
    if found is None:
        state = "holds no" if folder.is_dir() else "is not a folder that holds"
        raise DataError(
            f"{folder} {state} {name}: searched it and {name}/ for train-images-idx3-ubyte[.gz] "
            f"and the three like it, {name}.npz, {name}_train.csv.\n"
            "Name a folder that has one of these, or no folder to search."
        )
    if other := belongs_to(found):
        raise DataError(f"{found.folder} has {other}, not {name}: use --dataset {other}, or name another folder.")
    return Location(files=found, origin="--data-dir")


def _incomplete(partial: Partial, name: str) -> DataError:
    return DataError(
        f"{partial.folder} has only a part of {name}: {', '.join(partial.missing)} is missing.\n"
        f"Put it there, or download everything with `k2l data {name} --download` without naming a folder."
    )


def _fetch(name: str, *, allowed: bool, progress: Progress | None) -> Location:
    """Downloads into `data_folder()`, unless not allowed or on Kaggle, where no run may need the internet."""
    why = "downloading was not allowed"
    fix = f"Download it with a network: `k2l data {name}`. Or set K2L_DATA to a folder with {FOUR}"
    fix += ". Or use --dataset digits, if that is enough."
    if os.environ.get("KAGGLE_KERNEL_RUN_TYPE"):
        why = "a run on Kaggle does not download data"
        fix = f"Attach the data set {DATASETS[name].kaggle_ref}."
    elif allowed:
        from shared.data.download import download

        why = download(name, data_folder() / name, progress=progress)
        if not why and (found := locate(name)):
            return found
    looked = [f"{origin} ({folder})" for folder, origin in _places() if origin != "Kaggle input"]
    raise DataError(f"{name} was not found in {', '.join(looked)} or Kaggle's inputs, and {why}.\n{fix}")
