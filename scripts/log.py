"""`k2l log`: what a run wrote."""

from typing import Annotated

import typer

from scripts.steps import completion as complete
from scripts.terminal.edge import fail, run
from shared.core import printable


def log(
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            autocompletion=complete.runs,
            help="A run's id or its start, or a model's name: its latest run. [default: the latest]",
        ),
    ] = None,
) -> None:
    """Print the saved log of a run that has ended.

    Its lines about files that it unpacked and saved are left out. Its colours stay; nothing else in it can rule the
    terminal. Of a run that is still under way, `k2l watch` follows it.

    Example: k2l log 20261120
    """
    from local.runs import journal
    from scripts.steps.trip import listed

    named = [one for one in journal.every() if one.name == run_id]
    one = named[-1] if named else journal.get(run_id) if run_id else journal.latest(*journal.STATES)
    if not one.log.is_file():
        why = f"k2l watch {one.run_id} follows it" if one.state == "pushed" else one.message.partition("\n")[0]
        fail(f"no log of {one.run_id} is kept: it is {one.state}{f'. {why}' if why else '.'}")
    text = one.log.read_text(encoding="utf-8", errors="replace")
    lines = printable.log(text.removesuffix("\n")).split("\n") if text else []
    for line in lines:
        if not listed(line):
            print(line)  # not with `show`: its colours remain


if __name__ == "__main__":
    run(log)
