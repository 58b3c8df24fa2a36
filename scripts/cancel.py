"""`k2l cancel`: end a run."""

import sys
from typing import Annotated

import typer

from scripts import _options as options
from scripts._edge import fail, run, say


def cancel(
    run_id: options.RunId = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
) -> None:
    """End a run, after saving its log.

    Kaggle offers one way: deleting the kernel, with all its versions.

    Example: k2l cancel 20261120 --yes
    """
    from local.kernels import runs

    one = runs.get(run_id) if run_id else runs.latest(("pushed",))
    service = options.service_of(one)
    question = f"Delete the kernel {one.owner}/{one.slug} with all its versions there, and so end the run {one.run_id}?"
    if not yes and not sys.stdin.isatty():
        fail(f"this deletes the kernel {one.owner}/{one.slug} with all its versions there. Say so: --yes")
    if not yes:
        typer.confirm(question, abort=True)
    _, log = service.outputs(one.slug, one.version)
    one.log.write_text(log, encoding="utf-8")
    service.delete(one.slug)
    one.record(state="cancelled", message="cancelled from here")
    say(f"the run {one.run_id} is ended, and its kernel deleted there. Its log is kept: {one.log}")


if __name__ == "__main__":
    run(cancel)
