"""What `k2l evaluate` shows of scores: the models, how they agree two by two, and their committee."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.terminal.output import show
from scripts.terminal.tables import table

if TYPE_CHECKING:
    from local.evaluation.ensemble import Committee
    from local.evaluation.evaluate import Answers, Evaluation
    from local.evaluation.significance import Pair


def show_all(results: Sequence["Evaluation"], pairs: Mapping[tuple[int, int], "Pair"]) -> None:
    """The table of the models, that of their agreement, and how to read them."""
    show_scores(COLUMNS, results)
    show("  ±: one standard error of an accuracy on so many images." + ("  *: the best." if len(results) > 1 else ""))
    if len(sets := sorted({result.data.name for result in results})) > 1:
        show(f"  They were tested on different data sets ({', '.join(sets)}): figures of two sets do not compare.")
    for result in results:
        if result.rejected is not None:
            show(f"  {result.label} would take {result.rejected:.2%} of them for none: predict rejects these.")
    if results[0].split != "test":
        show("  On the validation images, held out of the training images: to choose by, not to publish.")
    if not pairs:
        return
    from local.evaluation.significance import LEVEL

    names = short_names(results)
    cells = [pair_cells((names[i], names[j]), pair, len(pairs)) for (i, j), pair in pairs.items()]
    table(PAIR_COLUMNS, cells, lesser=PAIR_LESSER)
    shared = f" ({LEVEL:.0%} shared by {len(pairs)} pairs)" if len(pairs) > 1 else ""
    show("  p: McNemar's exact test, on the images that one alone got right.")
    show(f"  Two differ where p < {LEVEL / len(pairs):.2g}{shared}.")


def show_committee(together: "Committee") -> None:
    """Its row under the same columns, in a table of its own, and how it stands against its best member."""
    columns = COLUMNS | {"model": lambda result, _: result.label, "file": lambda result, _: len(result.members)}
    show_scores(columns, [together])
    pair, best = together.against_best(), together.best
    show(f"  {together.name}; answers by the mean of their logits, bytes and seconds are theirs together.")
    show(
        f"  Against {best.label}, the best of them: {pair.only_first} images it alone got right, {pair.only_second} "
        f"{best.label} alone, p = {p_value(pair)}: {verdict((together.label, best.label), pair, 1)}."
    )


def short_names(results: Sequence["Evaluation"]) -> list[str]:
    """What tells the results apart: their models, or else, of one model, their files, or else both."""
    models, files = [result.name for result in results], [Path(result.file).name for result in results]
    if len(set(models)) == len(models):
        return models
    return files if len(set(models)) == 1 else [result.label for result in results]


def show_scores(columns: "Mapping[str, Any]", results: Sequence[Any]) -> None:
    """A row each; where the terminal is narrow without the lesser columns, of one without what compares."""
    names = [name for name in columns if len(results) > 1 or name != "to first"]
    table(names, [[columns[name](result, results) for name in names] for result in results], lesser=LESSER)


def accuracy(result: "Answers", results: Sequence["Answers"]) -> str:
    """With its standard error, and a star where none on the same data set is better."""
    fellows = [one for one in results if one.data.name == result.data.name]
    best = len(fellows) > 1 and result.scores.accuracy == max(one.scores.accuracy for one in fellows)
    return f"{100 * result.scores.accuracy:.2f} ± {100 * result.standard_error:.2f}" + (" *" if best else "")


def to_first(result: "Answers", results: Sequence["Answers"]) -> str:
    """The difference to the first model in points, where it is of the same data set."""
    first = results[0]
    if result is first or result.data.name != first.data.name:
        return ""
    difference = result.scores.accuracy - first.scores.accuracy
    return f"{100 * difference:+.2f}" if difference else "0.00"


def pair_cells(names: tuple[str, str], pair: "Pair", pairs: int) -> list[Any]:
    """A row of the table of agreement."""
    return [
        ", ".join(names),
        f"{100 * pair.equal:.2f}",
        f"{pair.largest_difference:.2g}",
        pair.only_first,
        pair.only_second,
        p_value(pair),
        verdict(names, pair, pairs),
    ]


def p_value(pair: "Pair") -> str:
    return f"{pair.p_value:.2g}" if pair.p_value >= 1e-4 else "< 0.0001"


def verdict(names: tuple[str, str], pair: "Pair", pairs: int) -> str:
    """Which of two is really better, in words."""
    from local.evaluation.significance import really_differ

    if pair.equal == 1:
        return "same answers"
    if not really_differ(pair, comparisons=pairs):
        return "cannot be told apart"
    return f"{names[pair.only_first < pair.only_second]} is better"


COLUMNS = {
    "model": lambda result, _: result.name,
    "file": lambda result, _: Path(result.file).name,
    "runtime": lambda result, _: result.runtime,
    "dataset": lambda result, _: result.data.name,
    "images": lambda result, _: f"{len(result.logits):,}",
    "accuracy %": accuracy,
    "to first": to_first,
    "macro F1 %": lambda result, _: f"{100 * result.scores.f1_macro:.2f}",
    "loss": lambda result, _: f"{result.scores.loss:.4f}",
    "ECE": lambda result, _: f"{result.scores.ece:.4f}",
    "kB": lambda result, _: f"{result.bytes / 1000:,.0f}",
    "seconds": lambda result, _: f"{result.seconds:.2f}",
}
LESSER = ("macro F1 %", "ECE", "loss", "images", "to first", "runtime", "seconds")
PAIR_COLUMNS = ["models", "equal %", "largest logit difference", "1st alone right", "2nd alone right", "p", "verdict"]
PAIR_LESSER = ("largest logit difference", "equal %")
