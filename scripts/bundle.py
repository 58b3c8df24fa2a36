"""`k2l bundle`: the notebook as it would be pushed."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.steps import training_options
from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit, show
from scripts.terminal.verbs import OUTPUT


@training_options.trained()
def bundle(
    wanted: training_options.Requested,
    out: Annotated[
        Path | None, typer.Option(rich_help_panel=OUTPUT, help="Where to write it. [default: build/NAME.ipynb]")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Write nothing: show the sha256 of a notebook that k2l bundled before.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the notebook that would be pushed.

    To read it, or to upload it by hand. The same sources and parameters give the same bytes.

    Example: k2l bundle --architecture lite --epochs 15 --out lite.ipynb
    """
    from local.core import shared_code, workspace
    from local.core.outputs import complete
    from local.jobs import bundle as bundling
    from local.kaggle_api import kernel_spec

    if check:
        path, content = check, check.read_bytes()
        sha256 = bundling.digest(content)
    else:
        config = wanted.config(remote="kaggle")
        name = wanted.model(config)
        packed = bundling.pack(kernel_spec.load(wanted.framework), name=name, config=config)
        path, sha256 = out or workspace.build() / f"{name}.ipynb", packed.sha256
        content = packed.sign(run_id="by-hand", source_commit=shared_code.commit("shared", "kaggle")).encode()
        with complete(path) as part:
            part.write_bytes(content)
    size = len(content)
    if json:
        emit([{"file": str(path), "bundle_sha256": sha256, "bytes": size}])
    else:
        show(f"{path}: {size:,} bytes, sha256 {sha256}")


if __name__ == "__main__":
    run(bundle)
