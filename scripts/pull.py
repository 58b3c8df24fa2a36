"""`k2l pull`: download a run's files, checked."""

from typing import Annotated

import typer

from scripts.steps import options
from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit


def pull(
    run_id: options.RunId = None,
    again: Annotated[bool, typer.Option("--again", help="Pull again a run that is pulled already.")] = False,
    max_bytes: Annotated[
        int, typer.Option(help="Refuse a run whose files have more than this in all.")
    ] = 2_000_000_000,
    timeout: options.Timeout = None,
    json: Json = False,
) -> None:
    """Download a run's files, every byte checked.

    Waits for its end, downloads its files, checks them against the manifest it wrote last, and moves them into
    models/ in one step.

    Example: k2l pull
    """
    from local.core import workspace
    from local.runs import journal
    from scripts.steps import trip as trip

    one = journal.get(run_id) if run_id else trip.to_pull(anew=again)
    with journal.lock(one.name):
        service = options.service_of(one)
        one = trip.watched(service, one, quiet=json, timeout=timeout)
        if again and one.state in trip.HOME:
            one = one.record(state="complete")
        elif one.state in ("pulled", "done"):
            trip.report_installed(one)
        one = trip.pulled(service, one, again=again, max_bytes=max_bytes)
    if json:
        emit(
            [{"run_id": one.run_id, "name": one.name, "folder": str(workspace.models() / one.name), "state": one.state}]
        )
    else:
        trip.tell_next(one)


if __name__ == "__main__":
    run(pull)
