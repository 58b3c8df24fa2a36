"""`k2l train`: the same training, on this machine."""

from typing import Any

from scripts import _options as options
from scripts._edge import Json, bar, emit, run, say, show


@options.trained()
def train(wanted: options.Wanted, data_dir: options.DataDir = None, json: Json = False) -> None:
    """Train on this machine.

    Leaves models/NAME with its manifest, as a pull does.

    Example: k2l train --architecture lite --epochs 15 --name lite
    """
    from local import paths, train
    from local.kernels import runs
    from shared.errors import one_of

    one_of("framework", wanted.framework, train.FRAMEWORKS)
    config = wanted.config(data_dir=data_dir)
    name = wanted.model(config)

    def told(row: dict[str, Any]) -> None:
        from shared.results import epoch_line

        say(epoch_line(row, config.epochs))

    with runs.lock(name), bar("training") as done:
        manifest = train.train(
            config, framework=wanted.framework, name=name, data_dir=data_dir, on_epoch=told, on_step=done
        )
    if json:
        emit([manifest])
    else:
        show(f"test accuracy {manifest['metrics']['test']['accuracy']:.2%}; everything is in {paths.models() / name}")


if __name__ == "__main__":
    run(train)
