"""`k2l train`: the same training, on this machine."""

from typing import Annotated

import typer

from scripts import _options as options
from scripts._edge import Json, emit, run, say


def train(
    architecture: options.Architecture = "compact",
    framework: Annotated[str, typer.Option(help="torch.")] = "torch",
    epochs: options.Epochs = None,
    dataset: options.Dataset = "auto",
    recipe: options.Recipe = "tuned",
    seed: options.Seed = 0,
    name: options.Name = None,
    given: options.Set = None,
    data_dir: options.DataDir = None,
    json: Json = False,
) -> None:
    """Train on this machine.

    Leaves models/NAME with its manifest, as a pull does.

    Example: k2l train --architecture lite --epochs 15 --name lite
    """
    from local import paths, train
    from local.kernels.push import check_name

    config = options.training(
        architecture=architecture,
        epochs=epochs,
        seed=seed,
        dataset=dataset,
        recipe=recipe,
        given=given,
        data_dir=data_dir,
    )
    name = check_name(name or f"{architecture}-{framework}")

    def show(row: dict[str, float]) -> None:
        say(
            f"epoch {row['epoch']:>3}/{config.epochs}   loss {row['train_loss']:.4f}   validation accuracy "
            f"{row['validation_accuracy']:.2%}   loss {row['validation_loss']:.4f}   {row['seconds']:.1f} s"
        )

    manifest = train.train(config, framework=framework, name=name, data_dir=data_dir, on_epoch=show)
    if json:
        emit([manifest])
    else:
        test = manifest["metrics"]["test"]
        say(f"test accuracy {test['accuracy']:.2%}; everything is in {paths.models() / name}")


if __name__ == "__main__":
    run(train)
