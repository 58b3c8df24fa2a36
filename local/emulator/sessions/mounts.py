"""Data sets under `../input`, laid out as Kaggle mounts them, from what is on this machine.

`<state>/datasets/<owner>/<slug>/` holds a data set's files. Whatever lies there can be mounted: a folder put
there by hand, or one of the public data sets that `shared.data.datasets` names, which is written there from local files
the first time it is asked for. Each session gets copies of its own (MNIST's take 0.05 s), for a notebook that runs
as root could write through a link; they go when it ends. Nothing is downloaded here.
"""

import os
import re
import shutil
import uuid
from pathlib import Path

from shared.core.errors import DataError
from shared.data.registry import DATASETS

REF = re.compile(r"\w[\w-]{0,99}/\w[\w-]{0,99}", re.ASCII)  # longer ones no disk takes
# The arrays of a data set, and how file names call each.
PARTS = {
    "train_images": {"part": "train-images", "idx": "idx3-ubyte", "npz": "train-imgs"},
    "train_labels": {"part": "train-labels", "idx": "idx1-ubyte", "npz": "train-labels"},
    "test_images": {"part": "t10k-images", "idx": "idx3-ubyte", "npz": "test-imgs"},
    "test_labels": {"part": "t10k-labels", "idx": "idx1-ubyte", "npz": "test-labels"},
}


def source_of_data(data_dir: Path | None) -> str:
    """Where data sets are looked for first, as an absolute path: `data_dir`, else `$K2L_DATA`, else nothing."""
    named = str(data_dir or os.environ.get("K2L_DATA") or "")
    return str(Path(named).resolve()) if named else ""


def public(ref: str) -> str | None:
    """Which of our data sets a public one is (`owner/slug`)."""
    return next((one.name for one in DATASETS.values() if one.kaggle_ref == ref), None)


def copy_tree(files: dict[str, Path], folder: Path) -> None:
    """Copies files under their names, with folders where a name has slashes; the copies are read-only, as there."""
    for name, path in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        if os.name == "posix":  # elsewhere a read-only file could not be removed
            target.chmod(0o444)


class Mounts:
    """What can be mounted; `data_dir` is where `shared.data.datasets` looks first."""

    def __init__(self, state: Path, data_dir: Path | None = None) -> None:
        self.folder = state / "datasets"
        self.data_dir = data_dir

    def knows(self, ref: str) -> bool:
        """Whether there is such a data set (`owner/slug`), be its files on this machine or not."""
        return REF.fullmatch(ref) is not None and (public(ref) is not None or self._stored(ref).is_dir())

    def mount(self, ref: str, inputs: Path) -> str | None:
        """Lays a data set out under `inputs/datasets/<owner>/<slug>`; a remark where it stays empty."""
        target = inputs / "datasets" / ref
        target.mkdir(parents=True)
        try:
            source = self._fetch(ref)
        except DataError as error:
            return f"[emulator] {ref} is mounted empty, its files are not on this machine: {error}"
        copy_tree({path.relative_to(source).as_posix(): path for path in source.rglob("*") if path.is_file()}, target)
        return None

    def _stored(self, ref: str) -> Path:
        return self.folder.joinpath(*ref.split("/"))

    def _fetch(self, ref: str) -> Path:
        stored, name = self._stored(ref), public(ref)
        if name and not stored.is_dir():
            part = self.folder / f"{uuid.uuid4().hex}.part"
            write_public(name, part, self.data_dir)
            stored.parent.mkdir(parents=True, exist_ok=True)
            part.rename(stored)
        return stored


def write_public(name: str, folder: Path, data_dir: Path | None) -> None:
    """Writes a data set's files, as Kaggle has them, from local ones. DataError: they are not there, or damaged."""
    import numpy as np

    from shared.data import datasets, idx

    dataset = datasets.load(name, data_dir=data_dir, download=False)
    for field, names in PARTS.items():
        array = getattr(dataset, field).astype("uint8")
        for layout in DATASETS[name].kaggle_files:
            path = folder / layout.format(**names)
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".npz":
                np.savez(path, array)
            else:
                idx.write_idx(path, array)
