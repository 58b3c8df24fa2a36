"""`k2l report`: the tables of README and docs/zoo.md, and the model cards, written from the manifests and the code."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.steps import options
from scripts.terminal.edge import fail, run
from scripts.terminal.output import Json, bar, emit, say
from scripts.terminal.tables import table_of


def report(
    publish: Annotated[
        str, typer.Option(metavar="MODEL,…", help="First publish these in the zoo: names, or paths of model folders.")
    ] = "",
    measure: Annotated[bool, typer.Option("--measure", help="First time the zoo's files on this processor.")] = False,
    seconds: Annotated[float, typer.Option(min=0, help="How long to time all files together.")] = 30.0,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing: exit 1 if a page differs from the manifests.")
    ] = False,
    picture: Annotated[bool, typer.Option("--picture", help="Draw README's picture again; needs MNIST.")] = False,
    data_dir: options.DataDir = None,
    json: Json = False,
) -> None:
    """Write the zoo's tables, model cards and page.

    All figures are from the manifests of models/; the table of networks is from the code. --publish takes a model of
    at least 5 seeds, exported and quantized, and copies what is to be committed; --measure needs a quiet machine.

    Example: k2l report --publish compact,lite --measure
    """
    from dataclasses import asdict

    from local.core import workspace
    from local.models import published
    from local.zoo import pages
    from shared.core.errors import ConfigError

    workspace.need_checkout("k2l report")
    if check and (publish or measure or picture):
        raise ConfigError("--check writes nothing: leave out --publish, --measure and --picture.")
    for name in options.listed("publish", publish) if publish else ():
        publish_one(name, data_dir)
    if measure:
        time_all(seconds)
    if picture:
        draw(data_dir)
    stale = pages.outdated() if check else pages.write()
    figures = [published.figures(found) for found in published.published()]
    if json:
        emit(asdict(one) for one in figures)
    elif figures:
        table_of(COLUMNS, figures)
    tell(stale, check=check)


def publish_one(name: str, data_dir: Path | None) -> None:
    """One model into the zoo."""
    from local.core import workspace
    from local.models.registry import folder
    from local.runs import journal
    from local.zoo import build as publishing

    with journal.lock(folder(name).resolve().name), bar(f"publishing {name}") as share:
        found = publishing.publish(name, data_dir=data_dir, report=share)
    say(f"published: {workspace.zoo() / found.name}")
    for file, size in found.published["left_out"].items():
        say(f"  {file} has {size / 1e6:.0f} MB and is left out; its card says how to make it")


def time_all(seconds: float) -> None:
    """The zoo's files, timed."""
    from local.zoo import build as publishing

    with bar("timing") as share:
        found = publishing.measure(seconds=seconds, report=share)
    say(f"timed: the files of {len(found)} networks")


def draw(data_dir: Path | None) -> None:
    """README's picture, with a page that is read now."""
    from local.core.outputs import complete
    from local.zoo import cover
    from shared.data import datasets
    from shared.training import plots

    images = datasets.load("mnist", data_dir=data_dir, halves=["test"]).test_images
    figure, text = cover.drawn(images)
    with complete(cover.PATH) as part:
        plots.save(figure, part)
    say(f"drawn: {cover.PATH}, a page that reads {text}")


def tell(stale: list[Path], *, check: bool) -> None:
    """What was written, or, with `check`, what would have been: then exit 1."""
    if check and stale:
        fail(f"out of date: {', '.join(map(str, stale))}. Write them: k2l report")
    for path in stale:
        say(f"written: {path}")
    if not stale:
        say("up to date: the tables in README and docs/zoo.md, the model cards and models/README.md")


COLUMNS = {
    "network": lambda one: one.name,
    "parameters": lambda one: f"{one.trainable_parameters:,}",
    "epochs": lambda one: one.epochs,
    "test accuracy %": lambda one: f"{100 * one.test_accuracy:.2f} ± {100 * one.standard_deviation:.2f}",
    "seeds": lambda one: one.seeds,
    "seconds": lambda one: f"{one.seconds:.1f}",
    "cpu-s": lambda one: f"{one.cpu_seconds:.1f}",
    "int8 points": lambda one: " / ".join(f"{value:+.2f}" for value in one.int8_points.values()),
    "p50 µs": lambda one: " / ".join(f"{value:,.1f}" for value in one.p50_us.values()),
}

if __name__ == "__main__":
    run(report)
