"""Models on a folder of labelled photographs: `k2l evaluate --photos`, read as `k2l predict` reads pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts._edge import bar, emit, say
from scripts._tables import table

if TYPE_CHECKING:
    from local.models import Model
    from local.photographs import Photograph
    from local.predict import Reader


def read(chosen: Sequence["Model"], folder: Path, *, choose: bool, json: bool) -> None:
    """Each model on the labelled photographs of a folder."""
    from local import models, photographs
    from local.predict import Reader

    found = photographs.labelled(folder)
    lines: list[dict[str, Any]] = []
    with bar("reading") as done:
        for at, model in enumerate(chosen):
            runtime = models.open_runtime(model)
            sure = _choose_threshold(model, found, Reader(runtime)) if choose else {}
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


def _choose_threshold(model: "Model", found: "Sequence[Photograph]", reader: "Reader") -> dict[str, float]:
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
    say(f"Each source is scored with a threshold that it had no part in{spread}.")
    return {one.source: others.get(one.source, models.SURE) if one.source in used else least for one in found}
