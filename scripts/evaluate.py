"""`k2l evaluate`: how good model files are on a data set's images or on photographs, alone and together."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.steps import completion as complete
from scripts.steps import options, photographs
from scripts.steps.scores import show_all, show_committee
from scripts.terminal.edge import run
from scripts.terminal.output import Json, bar, emit, say

if TYPE_CHECKING:
    from shared.data.datasets import DataSet


def evaluate(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            autocompletion=complete.models,
            help="Folders under models/, other folders, or files.",
        ),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            autocompletion=complete.datasets,
            help="mnist, fashion-mnist, kmnist, digits, camera or auto. [default: what each was trained on]",
        ),
    ] = "",
    data_dir: options.DataDir = None,
    split: Annotated[
        str, typer.Option(help="test; or validation, the training images that no training learns from, to choose by.")
    ] = "test",
    committee: Annotated[
        bool, typer.Option("--committee", help="Also let them answer as one, by the mean of their logits.")
    ] = False,
    views: Annotated[
        bool,
        typer.Option("--views", help="Answer by the mean over five views of an image: as it is, turned, resized."),
    ] = False,
    photos: Annotated[
        Path | None,
        typer.Option(help="Read the photographs of this folder instead: its labels.csv says what they show."),
    ] = None,
    choose_conf: Annotated[
        bool,
        typer.Option("--choose-conf", help="With --photos: choose the least probability of a digit, for the manifest."),
    ] = False,
    held_out: Annotated[
        bool,
        typer.Option("--held-out", help="With --photos: read each source by what all other sources choose."),
    ] = False,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of the processor to use.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Images a forward pass.")] = 32,
    every: Annotated[bool, typer.Option("--all", help="Every file of a folder that runs, not only the best.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Save pictures, logits, answers and figures in this folder. [default: none]")
    ] = None,
    json: Json = False,
) -> None:
    """Score models on the test images, and compare them.

    Each file runs in the runtime that its suffix names. With --json every object has, under `agreement`, how it
    compares with each other file on the same data set. The committee's comes last, with its `members`; its bytes and
    seconds are those of all members. Choose its members with --split validation.

    A folder of photographs has a labels.csv: file, label, kind (single, lowres, multi, negative), source. They are read
    as `k2l predict` reads them, and there is an object, or a line, for each kind and each source. With --choose-conf
    the least probability of a digit is chosen on them and written into the model's manifest, where `predict` finds it;
    each source is then scored with the threshold that the other sources give. With --held-out the other sources choose
    the model too, of those that are named (the seeds of one training, say), and nothing is written.

    Example: k2l evaluate compact-torch models/compact-torch/model.pth --dataset mnist
    """
    from functools import cache

    from local.evaluation.ensemble import assemble, check
    from local.evaluation.evaluate import SPLITS, agreements, evaluate_all, rows
    from shared.core.errors import one_of

    options.check_folder(out)
    one_of("split", split, SPLITS)
    check_usage(
        photos,
        {"--choose-conf": choose_conf, "--held-out": held_out},
        every=every,
        others=bool(dataset or committee or views or out),
    )
    chosen = options.models(names, every=every)
    if photos is not None and held_out:
        photographs.read_held_out(chosen, photos, json=json)
        return
    if photos is not None:
        photographs.read(chosen, photos, choose=choose_conf, json=json)
        return
    load = cache(load_data)  # read once for several models
    pairings = [(model, load(dataset or model.dataset or "mnist", data_dir, split)) for model in chosen]
    if committee:
        check([data.name for _, data in pairings])  # before anything is run
    with bar("evaluating") as report:
        results = evaluate_all(pairings, split=split, threads=threads, batch=batch, views=views, report=report)
    pairs = agreements(results)
    together = assemble(results) if committee else None
    if json:
        emit(rows(results, pairs))
        emit([together.row()] if together else [])
    else:
        show_all(results, pairs)
        if together:
            show_committee(together)
    if out is not None:
        from local.evaluation.report import keep

        keep([*results, together] if together else results, out)
        say(f"pictures, logits and answers are in {out}")


def check_usage(photos: Path | None, choosing: dict[str, bool], *, every: bool, others: bool) -> None:
    """BadParameter if options do not fit together.

    `choosing`: the options that choose on photographs, and whether each was given; `others`: any that is for a data set
    alone was given.
    """
    given = [name for name, there in choosing.items() if there]
    if photos is None and given:
        raise typer.BadParameter("it needs --photos", param_hint=given[0])
    if photos is not None and others:
        raise typer.BadParameter(
            "it goes with none of --dataset, --committee, --views and --out", param_hint="--photos"
        )
    if len(given) > 1:
        raise typer.BadParameter(f"it does not go with {given[1]}", param_hint=given[0])
    if "--choose-conf" in given and every:
        raise typer.BadParameter("a model has one threshold: it does not go with --all", param_hint="--choose-conf")


def load_data(name: str, data_dir: Path | None, split: str) -> "DataSet":
    """The half of a data set that has the split."""
    from shared.data import datasets

    found = options.resolved_dataset(name, data_dir=data_dir)
    return datasets.load(found, data_dir=data_dir, halves=["test" if split == "test" else "train"])


if __name__ == "__main__":
    run(evaluate)
