"""`k2l bundle`: the notebook as it would be pushed."""

from pathlib import Path
from typing import Annotated

import typer

from scripts import _options as options
from scripts._edge import Json, emit, run, say


def bundle(
    out: Annotated[Path | None, typer.Option(help="Where to write it. [default: build/NAME.ipynb]")] = None,
    architecture: options.Architecture = "compact",
    framework: options.Framework = "torch",
    epochs: options.Epochs = None,
    dataset: options.Dataset = "auto",
    recipe: options.Recipe = "tuned",
    seed: options.Seed = 0,
    name: options.Name = None,
    given: options.Set = None,
    json: Json = False,
) -> None:
    """Write the notebook that would be pushed.

    To read it, or to upload it by hand. The same sources and parameters give the same bytes.

    Example: k2l bundle --architecture lite --epochs 15 --out lite.ipynb
    """
    from local import paths
    from local.kernels import bundle as bundling
    from local.kernels import push, spec

    config = options.training(
        architecture=architecture,
        epochs=epochs,
        seed=seed,
        dataset=dataset,
        recipe=recipe,
        given=given,
        remote="kaggle",
    )
    name = name or f"{architecture}-{framework}"
    packed = push.pack(spec.load(framework), name=name, config=config)
    text = packed.sign(run_id="by-hand", source_commit=bundling.source_commit())
    path = out or paths.build() / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    size = len(text.encode())
    if json:
        emit([{"file": str(path), "bundle_sha256": packed.sha256, "bytes": size}])
    else:
        say(f"{path}: {size:,} bytes, sha256 {packed.sha256}")


if __name__ == "__main__":
    run(bundle)
