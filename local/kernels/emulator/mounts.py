"""Data sets under `../input`, laid out as Kaggle mounts them, from what is on this machine.

`<state>/datasets/<owner>/<slug>/` holds a data set's files. Whatever lies there can be mounted: a folder put
there by hand, or one of the public data sets below, which is written there from local files the first time it
is asked for. Sessions get hard links, read-only. Nothing is downloaded here.
"""

import os
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from shared.errors import DataError

PARTS = {"train-images": "train_images", "train-labels": "train_labels",
         "t10k-images": "test_images", "t10k-labels": "test_labels"}  # fmt: skip
REF = r"\w[\w-]*/\w[\w-]*"


@dataclass(frozen=True)
class Published:
    """A public data set: which of our data sets it is, and under which names Kaggle has its four files."""

    name: str
    layouts: tuple[str, ...]


PUBLIC = {
    "hojjatk/mnist-dataset": Published("mnist", ("{part}.idx{rank}-ubyte", "{old}/{old}")),
    "zalando-research/fashionmnist": Published("fashion-mnist", ("{old}",)),
}  # fmt: skip


def source_of_data(data_dir: Path | None) -> str:
    """Where data sets are looked for first, as an absolute path: `data_dir`, else `$K2L_DATA`, else nothing."""
    named = str(data_dir or os.environ.get("K2L_DATA") or "")
    return str(Path(named).resolve()) if named else ""


def link(source: Path, target: Path) -> None:
    """A hard link, or a copy where the two are on different disks; the file becomes read-only."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    target.chmod(0o444)


def copy_tree(files: dict[str, Path], folder: Path) -> None:
    """Copies files under their names, with folders where a name has slashes."""
    for name, path in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder / name)


class Mounts:
    """What can be mounted; `data_dir` is where `shared.data` looks first."""

    def __init__(self, state: Path, data_dir: Path | None = None) -> None:
        self.folder = state / "datasets"
        self.data_dir = data_dir

    def knows(self, ref: str) -> bool:
        """Whether there is such a data set (`owner/slug`), be its files on this machine or not."""
        return re.fullmatch(REF, ref) is not None and (ref in PUBLIC or self._kept(ref).is_dir())

    def mount(self, ref: str, inputs: Path) -> str | None:
        """Lays a data set out under `inputs/datasets/<owner>/<slug>`; a remark where it stays empty."""
        target = inputs / "datasets" / ref
        target.mkdir(parents=True)
        try:
            source = self._fetch(ref)
        except DataError as error:
            return f"[emulator] {ref} is mounted empty, its files are not on this machine: {error}"
        for path in sorted(source.rglob("*")):
            if path.is_file():
                link(path, target / path.relative_to(source))
        return None

    def _kept(self, ref: str) -> Path:
        return self.folder.joinpath(*ref.split("/"))

    def _fetch(self, ref: str) -> Path:
        kept = self._kept(ref)
        if not kept.is_dir():
            part = self.folder / f"{uuid.uuid4().hex}.part"
            write_public(PUBLIC[ref], part, self.data_dir)
            kept.parent.mkdir(parents=True, exist_ok=True)
            part.rename(kept)
        return kept


def write_public(published: Published, folder: Path, data_dir: Path | None) -> None:
    """Writes a public data set's files from local ones. DataError: they are not there, or damaged."""
    from shared import data

    dataset = data.load(published.name, data_dir=data_dir, download=False)
    for part, field in PARTS.items():
        array = getattr(dataset, field).astype("uint8")
        written: Path | None = None
        for layout in published.layouts:
            path = folder / layout.format(part=part, rank=array.ndim, old=f"{part}-idx{array.ndim}-ubyte")
            path.parent.mkdir(parents=True, exist_ok=True)
            if written is None:
                data.write_idx(path, array)
                written = path
            else:
                link(written, path)
