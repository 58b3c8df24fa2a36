"""`k2l cancel`: end a run."""

import sys
from typing import Annotated

import typer

from scripts import _options as options
from scripts._edge import Json, emit, fail, run, say


def cancel(
    run_id: options.RunId = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    json: Json = False,
) -> None:
    """End a run, after saving its log and what it left.

    Kaggle offers one way: deleting the kernel, with all its versions and whatever else runs there.

    Example: k2l cancel 20261120 --yes
    """
    from local.kernels import cancel as ending
    from local.kernels import runs
    from local.kernels.watch import remains

    one = runs.get(run_id) if run_id else runs.latest("pushed", "intended")
    others = ending.beside(one)
    also = f" This also ends {', '.join(other.run_id for other in others)}." if others else ""
    what = f"deletes the kernel {one.owner}/{one.slug} with all its versions there.{also}"
    if not yes and not sys.stdin.isatty():
        fail(f"this {what} Say so: --yes")
    if not yes:
        typer.confirm(f"This {what} Go on?", abort=True, err=True)
    ended = ending.cancel(options.service_of(one), one)
    if json:
        emit({"run_id": each.run_id, "state": each.state, "log": str(each.log)} for each in ended)
    for each in ended:
        say(f"the run {each.run_id} is ended. {remains(each)}")


if __name__ == "__main__":
    run(cancel)
