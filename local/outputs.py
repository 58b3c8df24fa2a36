"""Files made here: each appears whole, or not at all.

    with gathered(folder) as stage:                            # for people to look at
        plots.save(figure, stage / "accuracies.png")
    with whole(Path("seen/page.png")) as part:                 # one file of any kind
        part.write_bytes(content)
    with vouched(Path("models/m/model.onnx")) as part:         # for a model folder, in its manifest
        part.write_bytes(content)

Whole models are installed by `local.install`, which proves more and replaces a folder in one step.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared import manifest
from shared.errors import ModelError


@contextmanager
def gathered(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files are moved to `folder`, over those of the same names, once all are written.

    Where the block fails nothing is moved. Files in `folder` with other names stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part:
        stage = Path(part)
        yield stage
        for path in sorted(path for path in stage.rglob("*") if path.is_file()):
            target = folder / path.relative_to(stage)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside `path`, in its folder, which is made. What is there in the end gets the name.

    After an error nothing does. Raises OSError where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem[:100]}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def vouched(target: Path) -> Iterator[Path]:
    """A place beside `target`, a file of a model folder. What is there in the end replaces it, and is vouched for.

    The manifest lets go of the old file before it is replaced: ended at any moment, this leaves a file that is whole
    and vouched for, or one that the same command makes again. After an error in the block, or once what it wrote was
    deleted, file and manifest stay as they were. Raises ModelError where a package to write with is not installed.
    """
    part = target.with_name(f".{target.stem}.part{target.suffix}")  # one at a time: commands hold the model's lock
    try:
        yield part
        if part.exists():
            manifest.remove_files(target.parent, [target.name])
            part.replace(target)
            manifest.add_files(target.parent, [target.name])
    except ImportError as error:  # some raise their own in its place
        package = str(error.name or error).partition(".")[0]
        raise ModelError(
            f"{target} cannot be made without {package}, not installed here: pip install -r requirements.txt"
        ) from None
    finally:
        part.unlink(missing_ok=True)
