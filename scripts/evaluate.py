"""`k2l evaluate`: the accuracy of model files on a data set's test images, and how far they agree."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts import _options as options
from scripts._edge import Json, bar, emit, run, say, show, table

if TYPE_CHECKING:
    from local.agreement import Pair
    from local.evaluate import Evaluation
    from shared.data import DataSet


def evaluate(
    names: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Folders under models/, other folders, or files.")
    ],
    dataset: Annotated[
        str, typer.Option(help="mnist, fashion-mnist, kmnist, digits or auto. Default: what each was trained on.")
    ] = "",
    data_dir: options.DataDir = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of the processor to use.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Images a forward pass.")] = 32,
    every: Annotated[bool, typer.Option("--all", help="Of a folder every file that runs, not the best alone.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Keep pictures, logits, answers and figures in this folder. [default: none]")
    ] = None,
    json: Json = False,
) -> None:
    """Score models on the test images, and compare them.

    Each file runs in the runtime that its suffix names. In --json every object has, under `agreement`, how it compares
    with each other file on the same data set.

    Example: k2l evaluate compact-torch models/compact-torch/model.pth --dataset mnist
    """
    from functools import cache

    from local.evaluate import agreements, evaluate_all, rows

    options.check_folder(out)
    load = cache(load_data)  # several models, one reading
    chosen = [
        (model, load(dataset or model.dataset or "mnist", data_dir)) for model in options.models(names, every=every)
    ]
    with bar("evaluating") as done:
        results = evaluate_all(chosen, threads=threads, batch=batch, on_step=done)
    pairs = agreements(results)
    if json:
        emit(rows(results, pairs))
    else:
        show_all(results, pairs)
    if out is not None:
        from local.evidence import keep

        keep(results, out)
        say(f"pictures, logits and answers are in {out}")


def load_data(name: str, data_dir: Path | None) -> "DataSet":
    """The test images; where `auto` had to settle for another data set, that is said."""
    from shared import data

    found, reason = data.choose(name, data_dir=data_dir)
    if reason:
        say(f"warning: {reason}")
    return data.load(found, data_dir=data_dir, halves=["test"])


def show_all(results: Sequence["Evaluation"], pairs: Mapping[tuple[int, int], "Pair"]) -> None:
    """The table of the models, that of their agreement, and how to read them."""
    table(list(COLUMNS), [[cell(result, results) for cell in COLUMNS.values()] for result in results])
    show("  ±: one standard error of an accuracy on so many images." + ("  *: the best." if len(results) > 1 else ""))
    if not pairs:
        return
    table(PAIR_COLUMNS, [pair_cells(results[i], results[j], pair, len(pairs)) for (i, j), pair in pairs.items()])
    from local.agreement import LEVEL

    shared = f" ({LEVEL:.0%} shared by {len(pairs)} pairs)" if len(pairs) > 1 else ""
    show("  p: McNemar's exact test, on the images that one alone got right.")
    show(f"  Two differ where p < {LEVEL / len(pairs):.2g}{shared}.")


def accuracy(result: "Evaluation", results: Sequence["Evaluation"]) -> str:
    """With its standard error, and a star where none on the same data set is better."""
    fellows = [one for one in results if one.data.name == result.data.name]
    best = len(fellows) > 1 and result.scores.accuracy == max(one.scores.accuracy for one in fellows)
    return f"{100 * result.scores.accuracy:.2f} ± {100 * result.standard_error:.2f}" + (" *" if best else "")


def to_first(result: "Evaluation", results: Sequence["Evaluation"]) -> str:
    """The difference to the first model in points, where it is of the same data set."""
    first = results[0]
    if result is first or result.data.name != first.data.name:
        return ""
    difference = result.scores.accuracy - first.scores.accuracy
    return f"{100 * difference:+.2f}" if difference else "0.00"


def pair_cells(first: "Evaluation", second: "Evaluation", pair: "Pair", pairs: int) -> list[Any]:
    """A row of the table of agreement."""
    return [
        f"{first.label}, {second.label}",
        f"{100 * pair.equal:.2f}",
        f"{pair.largest_difference:.2g}",
        pair.only_first,
        pair.only_second,
        f"{pair.p_value:.2g}" if pair.p_value >= 1e-4 else "< 0.0001",
        verdict(first, second, pair, pairs),
    ]


def verdict(first: "Evaluation", second: "Evaluation", pair: "Pair", pairs: int) -> str:
    """Which of two is really better, in words."""
    from local.agreement import really_differ

    if pair.equal == 1:
        return "same answers"
    if not really_differ(pair, comparisons=pairs):
        return "cannot be told apart"
    return f"{(first if pair.only_first > pair.only_second else second).label} is better"


COLUMNS = {
    "model": lambda result, _: result.model.name,
    "file": lambda result, _: result.model.file.name,
    "runtime": lambda result, _: result.runtime,
    "dataset": lambda result, _: result.data.name,
    "images": lambda result, _: f"{len(result.logits):,}",
    "accuracy %": accuracy,
    "to first": to_first,
    "macro F1 %": lambda result, _: f"{100 * result.scores.f1_macro:.2f}",
    "loss": lambda result, _: f"{result.scores.loss:.4f}",
    "ECE": lambda result, _: f"{result.scores.ece:.4f}",
    "kB": lambda result, _: f"{result.model.file.stat().st_size / 1000:,.0f}",
    "seconds": lambda result, _: f"{result.seconds:.2f}",
}
PAIR_COLUMNS = ["models", "equal %", "largest logit difference", "1st alone right", "2nd alone right", "p", "verdict"]

if __name__ == "__main__":
    run(evaluate)
