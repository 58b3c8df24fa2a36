"""Files made here: each appears complete or not at all, and never through a link (`shared.core.files`).

    with gathered(folder) as stage:                            # several files at once
        plots.save(figure, stage / "accuracies.png")
    with complete(Path("seen/page.png")) as part:                 # one file of any kind
        part.write_bytes(content)
    with in_manifest(Path("models/m/model.onnx")) as part:         # for a model folder, and its manifest
        part.write_bytes(content)

A full disk is a DiskFullError that names the file. Complete models are installed by `local.models.install`, which
checks more and replaces a folder in one step.
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
    """A temporary folder. Once all its files are written, they move to `folder` and replace those of the same names.

    If the block fails, nothing is moved. Files in `folder` with other names remain. Raises UserError if a link in
    `folder` leads out of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with files.full_disk_error(folder), tempfile.TemporaryDirectory(dir=folder, prefix=files.PREFIX) as part:
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
def complete(path: Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`, which is made if necessary. At the end, that file replaces `path`.

    After an error nothing changes. Raises OSError if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.fresh(path) as part:
        yield part


@contextmanager
def in_manifest(target: Path) -> Iterator[Path]:
    """A temporary path for `target`, a file of a model folder. At the end, that file replaces it, also in the manifest.

    The old file leaves the manifest before it is replaced. A kill at any moment leaves a verified file, or one that the
    same command makes again. After an error in the block, or if the block deletes its file, file and manifest are
    unchanged. Raises ModelError if a package is missing. The caller has locked the model.
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
    except ImportError as error:  # some raise their own kind
        package = str(error.name or error).partition(".")[0]
        raise ModelError(f"{target} needs {package}, which is not installed: {installation.line(package)}") from None
