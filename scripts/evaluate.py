"""`k2l evaluate`: how good model files are on a data set's images or on photographs, alone and together."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts import _complete as complete
from scripts import _options as options
from scripts._edge import Json, bar, emit, run, say, show
from scripts._tables import table, table_of

if TYPE_CHECKING:
    from local.agreement import Pair
    from local.committee import Committee
    from local.evaluate import Answers, Evaluation
    from local.models import Model
    from local.photographs import Photograph
    from local.predict import Reader
    from shared.data import DataSet


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
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of the processor to use.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Images a forward pass.")] = 32,
    every: Annotated[bool, typer.Option("--all", help="Every file of a folder that runs, not only the best.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Keep pictures, logits, answers and figures in this folder. [default: none]")
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
    each source is then scored with the threshold that the other sources give.

    Example: k2l evaluate compact-torch models/compact-torch/model.pth --dataset mnist
    """
    from functools import cache

    from local.committee import assemble, check
    from local.evaluate import SPLITS, agreements, evaluate_all, rows
    from shared.errors import one_of

    options.check_folder(out)
    if photos is not None:
        if dataset or committee or out or views:
            others = "--dataset, --committee, --views and --out"
            raise typer.BadParameter(f"it goes with none of {others}", param_hint="--photos")
        if choose_conf and every:
            raise typer.BadParameter("a model has one threshold: it does not go with --all", param_hint="--choose-conf")
        read_photographs(options.models(names, every=every), photos, choose=choose_conf, json=json)
        return
    if choose_conf:
        raise typer.BadParameter("it needs --photos", param_hint="--choose-conf")
    one_of("split", split, SPLITS)
    load = cache(load_data)  # several models, one reading
    chosen = [
        (model, load(dataset or model.dataset or "mnist", data_dir, split))
        for model in options.models(names, every=every)
    ]
    if committee:
        check([data.name for _, data in chosen])  # before anything is run
    with bar("evaluating") as done:
        results = evaluate_all(chosen, split=split, threads=threads, batch=batch, views=views, on_step=done)
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
        from local.evidence import keep

        keep([*results, together] if together else results, out)
        say(f"pictures, logits and answers are in {out}")


def load_data(name: str, data_dir: Path | None, split: str) -> "DataSet":
    """The half of a data set that holds the split."""
    from shared import data

    found = options.settled(name, data_dir=data_dir)
    return data.load(found, data_dir=data_dir, halves=["test" if split == "test" else "train"])


def read_photographs(chosen: Sequence["Model"], folder: Path, *, choose: bool, json: bool) -> None:
    """Each model on the labelled photographs of a folder."""
    from local import models, photographs
    from local.predict import Reader

    found = photographs.labelled(folder)
    lines: list[dict[str, Any]] = []
    with bar("reading") as done:
        for at, model in enumerate(chosen):
            runtime = models.open_runtime(model)
            sure = choose_threshold(model, found, Reader(runtime)) if choose else {}
            verdicts = []
            for number, one in enumerate(found, start=1):
                verdicts.append(photographs.judge(one, Reader(runtime, sure.get(one.source, model.sure))))
                done((at + number / len(found)) / len(chosen))
            facts = {"model": model.name, "file": str(model.file), "runtime": runtime.name}
            lines += [facts | row for row in photographs.rows(verdicts)]
    if json:
        emit(lines)
        return
    shares = ["right", "rejected", "digit_error_rate", "false_accepts"]
    table(
        ["model", "kind", "source", "pictures", *(f"{share.replace('_', ' ')} %" for share in shares)],
        [
            [line["model"], line["kind"], line["source"] or "all", line["pictures"]]
            + [f"{100 * line[share]:.1f}" if share in line else "" for share in shares]
            for line in lines
        ],
    )


def choose_threshold(model: "Model", found: "Sequence[Photograph]", reader: "Reader") -> dict[str, float]:
    """Writes the threshold that all photographs give into the manifest; gives each source one without its part."""
    from local import models, photographs
    from local.kernels import runs

    answers = [photographs.answer(one, reader) for one in found if one.kind != photographs.SEVERAL]
    least, others = photographs.threshold(answers), photographs.held_out(answers)
    used = {one.photograph.source for one in answers}
    with runs.lock(model.name):
        models.write_threshold(model, least, photographs=len(answers), sources=len(used))
    say(f"{model.name}: a digit is sure from {least:g} on, chosen on {len(answers)} photographs and written down.")
    spread = f": {min(others.values()):g} to {max(others.values()):g}" if others else ""
    say(f"The figures are those of thresholds that each source had no part in{spread}.")
    return {one.source: others.get(one.source, models.SURE) if one.source in used else least for one in found}


def show_committee(together: "Committee") -> None:
    """Its row under the same columns, in a table of its own, and how it stands against its best member."""
    columns = COLUMNS | {"model": lambda result, _: result.label, "file": lambda result, _: len(result.members)}
    show_scores(columns, [together])
    pair, best = together.against_best(), together.best
    show(f"  {together.name}; answers by the mean of their logits, bytes and seconds are theirs together.")
    show(
        f"  Against {best.label}, the best of them: {pair.only_first} images it alone got right, {pair.only_second} "
        f"{best.label} alone, p = {p_value(pair)}: {verdict(together, best, pair, 1)}."
    )


def show_scores(columns: "Mapping[str, Any]", results: Sequence[Any]) -> None:
    """A row each; where the terminal is narrow without the lesser columns, of one without what compares."""
    cells = {name: lambda result, cell=cell: cell(result, results) for name, cell in columns.items()}
    if len(results) == 1:
        del cells["to first"]
    table_of(cells, results, lesser=LESSER)


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
    cells = [pair_cells(results[i], results[j], pair, len(pairs)) for (i, j), pair in pairs.items()]
    columns = {name: itemgetter(at) for at, name in enumerate(PAIR_COLUMNS)}
    table_of(columns, cells, lesser=["largest logit difference", "equal %"])
    from local.agreement import LEVEL

    shared = f" ({LEVEL:.0%} shared by {len(pairs)} pairs)" if len(pairs) > 1 else ""
    show("  p: McNemar's exact test, on the images that one alone got right.")
    show(f"  Two differ where p < {LEVEL / len(pairs):.2g}{shared}.")


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


def pair_cells(first: "Evaluation", second: "Evaluation", pair: "Pair", pairs: int) -> list[Any]:
    """A row of the table of agreement."""
    return [
        f"{first.label}, {second.label}",
        f"{100 * pair.equal:.2f}",
        f"{pair.largest_difference:.2g}",
        pair.only_first,
        pair.only_second,
        p_value(pair),
        verdict(first, second, pair, pairs),
    ]


def p_value(pair: "Pair") -> str:
    return f"{pair.p_value:.2g}" if pair.p_value >= 1e-4 else "< 0.0001"


def verdict(first: "Answers", second: "Answers", pair: "Pair", pairs: int) -> str:
    """Which of two is really better, in words."""
    from local.agreement import really_differ

    if pair.equal == 1:
        return "same answers"
    if not really_differ(pair, comparisons=pairs):
        return "cannot be told apart"
    return f"{(first if pair.only_first > pair.only_second else second).label} is better"


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

if __name__ == "__main__":
    run(evaluate)
