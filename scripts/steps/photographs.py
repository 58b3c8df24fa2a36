"""Models on a folder of labelled photographs: `k2l evaluate --photos`, read as `k2l predict` reads pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.terminal.output import bar, emit, say
from scripts.terminal.tables import table
from shared.core.events import each, within

if TYPE_CHECKING:
    from local.digits.labelled_photographs import Answer, Photograph, Verdict
    from local.digits.reader import Reader
    from local.models.registry import Model

SHARES = ("right", "rejected", "digit_error_rate", "false_accepts")


def read(chosen: Sequence["Model"], folder: Path, *, choose: bool, json: bool) -> None:
    """Each model on the labelled photographs of a folder."""
    from local.digits import labelled_photographs
    from local.digits.reader import Reader
    from local.models import registry

    found = labelled_photographs.labelled(folder)
    lines: list[dict[str, Any]] = []
    with bar("reading") as report:
        for at, model in enumerate(chosen):
            runtime = registry.open_runtime(model)
            sure = _choose_threshold(model, found, Reader(runtime)) if choose else {}
            verdicts = [
                labelled_photographs.judge(one, Reader(runtime, sure.get(one.source, model.sure)))
                for one in each(found, within(report, at / len(chosen), (at + 1) / len(chosen)))
            ]
            lines += _rows({"model": model.name, "file": str(model.file), "runtime": runtime.name}, verdicts)
    _show(lines, json=json)


def read_held_out(chosen: Sequence["Model"], folder: Path, *, json: bool) -> None:
    """The photographs of each source by the model and the threshold that all other sources choose."""
    from local.digits import labelled_photographs
    from local.digits.reader import Reader
    from local.models import registry

    found = labelled_photographs.labelled(folder)
    readers = [Reader(registry.open_runtime(model)) for model in chosen]
    with bar("reading") as report:
        share = within(report, 0, len(readers) / (len(readers) + 1))  # reading them once more comes after
        answers = [_answers(found, reader) for reader in each(readers, share)]
        choices = labelled_photographs.held_out(answers, (one.source for one in found))
        verdicts = []
        for one in found:
            if choice := choices.get(one.source):
                reader = Reader(readers[choice.model].runtime, choice.threshold)
                verdicts.append(labelled_photographs.judge(one, reader))
    for source, choice in choices.items():
        say(f"without {source}: {chosen[choice.model].name}, sure from {choice.threshold:g} on")
    for source in sorted({one.source for one in found} - choices.keys()):
        say(f"NOTE: without {source} nothing can be chosen: its photographs are left out.")
    name = " or ".join(model.name for model in chosen)
    _show(_rows({"model": name, "held_out": "source"}, verdicts), json=json)


def _answers(found: Sequence["Photograph"], reader: "Reader") -> list["Answer"]:
    """A model's answer to each photograph of one digit or none."""
    from local.digits import labelled_photographs

    return [labelled_photographs.answer(one, reader) for one in found if one.kind != labelled_photographs.SEVERAL]


def _rows(facts: dict[str, Any], verdicts: Sequence["Verdict"]) -> list[dict[str, Any]]:
    from local.digits import labelled_photographs

    return [facts | row for row in labelled_photographs.rows(verdicts)]


def _show(lines: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        emit(lines)
        return
    table(
        ["model", "kind", "source", "pictures", *(f"{share.replace('_', ' ')} %" for share in SHARES)],
        [
            [line["model"], line["kind"], line["source"] or "all", line["pictures"]]
            + [f"{100 * line[share]:.1f}" if share in line else "" for share in SHARES]
            for line in lines
        ],
    )


def _choose_threshold(model: "Model", found: Sequence["Photograph"], reader: "Reader") -> dict[str, float]:
    """Writes the threshold that all photographs give into the manifest; gives each source one without its part."""
    from local.digits import labelled_photographs
    from local.models import registry
    from local.runs import journal

    answers = _answers(found, reader)
    least = labelled_photographs.choose([answers]).threshold
    others = labelled_photographs.held_out([answers], (one.source for one in found))
    used = {one.photograph.source for one in answers}
    with journal.lock(model.name):
        registry.write_threshold(model, least, photographs=len(answers), sources=len(used))
    say(f"{model.name}: a digit is sure from {least:g} on, chosen on {len(answers)} photographs and written down.")
    spread = ""
    if others:
        thresholds = [choice.threshold for choice in others.values()]
        spread = f": {min(thresholds):g} to {max(thresholds):g}"
    say(f"Each source is scored with a threshold that it had no part in{spread}.")
    return {one.source: others[one.source].threshold if one.source in others else registry.SURE for one in found}
