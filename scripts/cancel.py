"""`k2l cancel`: stop a run."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.steps import options
from scripts.terminal.ask import agreed
from scripts.terminal.edge import fail, run
from scripts.terminal.output import Json, emit, say

if TYPE_CHECKING:
    from local.runs.journal import Run


def cancel(
    run_id: options.RunId = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    json: Json = False,
) -> None:
    """Stop a run, after saving its log and its files.

    Kaggle allows only one way: delete the kernel, with all its versions and other runs there.

    Example: k2l cancel 20261120 --yes
    """
    from local.jobs import cancel as ending
    from local.jobs.watch import remains
    from local.runs import journal

    one = journal.get(run_id) if run_id else journal.latest("pushed", "intended")
    what = f"this deletes the kernel {one.owner}/{one.slug} with all its versions there.{_with_it(one)}"
    if not yes and not sys.stdin.isatty():
        fail(f"{what} To confirm: --yes")
    if yes:
        say(what)
    elif not agreed(f"{what} Continue?"):
        say("nothing was stopped")
        raise SystemExit(1)
    ended = ending.cancel(options.service_of(one), one)
    if json:
        emit({"run_id": each.run_id, "state": each.state, "log": str(each.log)} for each in ended)
    for each in ended:
        say(f"the run {each.run_id} is stopped. {remains(each)}")


def _with_it(one: "Run") -> str:
    """The other runs that are deleted with the kernel, in sentences."""
    from local.jobs import cancel as ending

    said = {
        "It also ends": ending.beside(one),
        "What these left there is lost, since they are not pulled:": ending.unfetched(one),
    }
    return "".join(f" {what} {', '.join(run.run_id for run in runs)}." for what, runs in said.items() if runs)


if __name__ == "__main__":
    run(cancel)
