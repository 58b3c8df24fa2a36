"""`k2l compare`: several architectures trained one after another with one recipe, in a table and two pictures."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.steps import options, training_options
from scripts.steps.training import followed
from scripts.terminal.edge import Ended, run
from scripts.terminal.output import Json, emit, say, show
from scripts.terminal.tables import table_of
from scripts.terminal.verbs import OUTPUT, again
from shared.core.errors import ConfigError

if TYPE_CHECKING:
    from local.experiments.compare import Network
    from local.experiments.train import Training


@training_options.trained(without=("architecture", "name"))
def compare(
    wanted: training_options.Requested,
    architectures: Annotated[
        str, typer.Option(metavar="NAME,NAME,…", help="Which networks, in this order.")
    ] = "ds_cnn_v1,ds_cnn_v2,ds_cnn_v3,lite",
    prefix: Annotated[
        str, typer.Option(help="A prefix of the models' names: PREFIXARCHITECTURE-FRAMEWORK under models/.")
    ] = "",
    anew: Annotated[
        bool, typer.Option("--again", help="Also train what exists already with the same parameters and code.")
    ] = False,
    data_dir: options.DataDir = None,
    out: Annotated[
        Path | None, typer.Option(rich_help_panel=OUTPUT, help="The pictures' folder. [default: build/compare]")
    ] = None,
    json: Json = False,
) -> None:
    """Train several networks in the same way, and compare them.

    Each is in models/NAME before the next begins; --framework torch,keras trains each in both. The tuned recipe has
    values of its own for most networks; with --recipe plain all get the same.

    Example: k2l compare --architectures ds_cnn_v1,ds_cnn_v2,ds_cnn_v3,lite --epochs 5
    """
    from local.core import workspace
    from local.experiments import compare as comparison

    options.check_folder(out)
    trainings = plan(wanted, architectures, prefix=prefix, data_dir=data_dir)
    networks = []
    for number, training in enumerate(trainings, start=1):
        networks.append(train(training, f"{number} of {len(trainings)}", anew=anew, data_dir=data_dir))
        if json:
            emit([networks[-1].row()])
    if not json:
        show_all(networks)
    pictures = comparison.draw(networks, out or workspace.build() / "compare")
    say(f"pictures: {', '.join(map(str, pictures))}")


def plan(
    wanted: training_options.Requested, architectures: str, *, prefix: str, data_dir: Path | None
) -> list["Training"]:
    """What to train, with all its checks."""
    from local.experiments.train import Training
    from local.models.registry import check_name, usual_name
    from shared.core.errors import one_of
    from shared.frameworks import FRAMEWORKS
    from shared.networks.architectures import architecture

    if "architecture" in wanted.given:
        raise ConfigError("--architectures says which networks are trained: leave out --set architecture.")
    frameworks = [one_of("framework", name, FRAMEWORKS) for name in options.listed("framework", wanted.framework)]
    names = [architecture(name).name for name in options.listed("architectures", architectures)]
    first = wanted.but(architecture=names[0]).config(data_dir=data_dir)
    wanted = wanted.but(dataset=first.dataset)  # `auto` is resolved_dataset once
    trainings = []
    for name, framework in itertools.product(names, frameworks):
        config = wanted.but(architecture=name).config(data_dir=data_dir)
        called = check_name(f"{prefix}{usual_name(name, framework)}")
        trainings.append(Training(config=config, framework=framework, name=called))
    return trainings


def train(training: "Training", which: str, *, anew: bool, data_dir: Path | None) -> "Network":
    """One network, with its epochs on stderr."""
    from local.experiments.compare import trained

    say(f"{training.name} ({which})")
    try:
        with followed() as report:
            network = trained(training, again=anew, data_dir=data_dir, report=report)
    except KeyboardInterrupt:
        raise Ended(f"interrupted: every complete epoch is saved.\nResume with: {again(without='--again')}") from None
    if not network.trained_now:
        say(f"  is in {network.folder} already, with the same parameters and code; --again trains it anew")
    return network


def show_all(networks: Sequence["Network"]) -> None:
    """The table, and which test accuracies really differ."""
    from local.evaluation.significance import LEVEL, really_differ
    from local.experiments.compare import differences

    rows = [network.row() for network in networks]
    table_of(COLUMNS, rows)
    show("  ±: one standard error of an accuracy on so many images. Another seed moves it too: repeat with --seed.")
    pairs = differences(networks)
    if pairs:
        alike = [
            f"{rows[i]['name']} and {rows[j]['name']} (p = {pair.p_value:.2g})"
            for (i, j), pair in pairs.items()
            if not really_differ(pair, comparisons=len(pairs))
        ]
        level = f"{LEVEL:.0%}" + (f" shared by {len(pairs)} pairs" if len(pairs) > 1 else "")
        found = f"cannot be told apart: {', '.join(alike)}" if alike else "all differ"
        show(f"  These very networks, McNemar's exact test on the test images ({level}): {found}.")
    if len({row["accelerator"].partition(",")[0] for row in rows}) > 1:
        show("  They were trained on different machines: do not compare their seconds.")


COLUMNS = {
    "network": lambda row: row["name"],
    "parameters": lambda row: f"{row['trainable_parameters']:,}",
    "test accuracy %": lambda row: f"{100 * row['test_accuracy']:.2f} ± {100 * row['standard_error']:.2f}",
    "validation accuracy %": lambda row: f"{100 * row['validation_accuracy']:.2f}",
    "epochs": lambda row: row["epochs"],
    "seconds": lambda row: f"{row['seconds_training']:.1f}",
    "seconds an epoch": lambda row: f"{row['seconds_epoch']:.2f}",
}

if __name__ == "__main__":
    run(compare)
