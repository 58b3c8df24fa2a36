"""Files made here for people to look at: each appears whole, or not at all.

    with gathered(folder) as stage:
        plots.save(figure, stage / "accuracies.png")

Models are installed by `local.install`, which proves more and replaces a folder in one step.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
            target.parent.mkdir(exist_ok=True)
            path.replace(target)
