"""Files made here: each appears whole, or not at all, and never through a link (`shared.core.files`).

    with gathered(folder) as stage:                            # for people to look at
        plots.save(figure, stage / "accuracies.png")
    with whole(Path("seen/page.png")) as part:                 # one file of any kind
        part.write_bytes(content)
    with vouched(Path("models/m/model.onnx")) as part:         # for a model folder, in its manifest
        part.write_bytes(content)

A full disk is a DiskFullError that names the file. Whole models are installed by `local.models.install`, which proves
more and replaces a folder in one step.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.core import installation
from shared.core import files, manifest
from shared.core.errors import ModelError, UserError


@contextmanager
def gathered(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files are moved to `folder`, over those of the same names, once all are written.

    Where the block fails nothing is moved. Files in `folder` with other names stay. Raises UserError where a link in
    `folder` leads out of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with files.room_for(folder), tempfile.TemporaryDirectory(dir=folder, prefix=files.PREFIX) as part:
        stage = Path(part)
        yield stage
        found = sorted(path for path in stage.rglob("*") if path.is_file())
        targets = [folder / path.relative_to(stage) for path in found]
        for target in targets:
            _check_inside(folder, target.parent)
        for path, target in zip(found, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def _check_inside(folder: Path, place: Path) -> None:
    if not place.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{place} is a link that leads out of {folder}: nothing was written. Remove the link.")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside `path`, in its folder, which is made. What is there in the end gets the name.

    After an error nothing does. Raises OSError where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.fresh(path) as part:
        yield part


@contextmanager
def vouched(target: Path) -> Iterator[Path]:
    """A place beside `target`, a file of a model folder. What is there in the end replaces it, and is vouched for.

    The manifest lets go of the old file before it is replaced: ended at any moment, this leaves a file that is whole
    and vouched for, or one that the same command makes again. After an error in the block, or once what it wrote was
    deleted, file and manifest stay as they were. Raises ModelError where a package to write with is not installed.
    The caller has locked the model.
    """
    folder = target.parent
    files.drop_parts(folder)
    try:
        with files.fresh(target) as part:
            yield part
            if made := part.exists():
                manifest.remove_files(folder, [target.name])
        if made:
            manifest.add_files(folder, [target.name])
    except ImportError as error:  # some raise their own in its place
        package = str(error.name or error).partition(".")[0]
        raise ModelError(
            f"{target} cannot be made without {package}, not installed here: {installation.line(package)}"
        ) from None
