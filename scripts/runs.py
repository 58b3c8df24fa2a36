"""`k2l runs`: the journal."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from scripts._edge import Json, emit, run, say, table

if TYPE_CHECKING:
    from local.kernels.runs import Run


def runs(json: Json = False) -> None:
    """List every run, how it stands, what to do next.

    Example: k2l runs
    """
    from local.kernels import runs as journal

    every = journal.every()
    if json:
        emit(asdict(one) for one in every)
    elif not every:
        say("no runs yet. Start one: k2l loop --remote emulator")
    else:
        rows = [(one.run_id, one.name, one.remote, one.title, one.state, _next(one)) for one in every]
        table(["run", "model", "remote", "kernel", "state", "next"], rows)


def _next(one: "Run") -> str:
    from scripts._trip import NEXT

    if one.state == "failed" and one.log.is_file():
        return f"read {one.log}"
    return NEXT.get(one.state, one.message.partition("\n")[0]).format(one.run_id, one.name)


if __name__ == "__main__":
    run(runs)
