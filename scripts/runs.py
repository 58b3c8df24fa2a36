"""`k2l runs`: the journal."""

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from scripts._edge import Json, emit, fail, run, say, show, table

if TYPE_CHECKING:
    from local.kernels.runs import Run


def runs(
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask how runs stand on their service.")] = False,
    gc: Annotated[
        bool, typer.Option("--gc", help="Clear what nothing goes on from; models that were replaced are kept.")
    ] = False,
    older: Annotated[
        int | None, typer.Option(min=0, metavar="DAYS", help="With --gc, also all of runs that ended so long ago.")
    ] = None,
    json: Json = False,
) -> None:
    """List every run, how it stands here and there, what to do next.

    Example: k2l runs
    """
    from local.kernels import runs as journal

    if older is not None and not gc:
        fail("--older goes with --gc.", 2)
    if gc:
        return _clear(older, json=json)
    every = journal.every()
    there = {} if offline else _asked(every)
    if json:
        emit(asdict(one) | {"there": there.get(one.run_id, "")} for one in every)
    elif not every:
        say("no runs yet. Start one: k2l loop --remote emulator")
    else:
        rows = [_row(one, there.get(one.run_id, "")) for one in every]
        table(["run", "model", "remote", "kernel", "here", "there", "next"], rows)
    for path in journal.damaged():
        say(f"{path / journal.STEPS} is damaged: no step of it can be read. Move that folder away.")
    return None


def _asked(every: "list[Run]") -> dict[str, str]:
    from local.kernels.standing import AWAY, standing

    # Only runs under way are asked after: without one, no client is loaded.
    return standing(every) if any(one.state in AWAY for one in every) else {}


def _row(one: "Run", there: str) -> tuple[str, ...]:
    return one.run_id, one.name, one.remote, one.title, one.state, there.lower(), _next(one, there)


def _next(one: "Run", there: str) -> str:
    from scripts._trip import NEXT, NEXT_THERE

    if one.state == "failed" and one.log.is_file():
        return f"read {one.log}"
    advice = NEXT_THERE.get((one.state, there)) or NEXT.get(one.state)
    return advice.format(one.run_id, one.name) if advice else one.message.partition("\n")[0]


def _clear(older: int | None, *, json: bool) -> None:
    from local.kernels.clearing import clear

    cleared = list(clear(older=None if older is None else timedelta(days=older)))
    if json:
        emit({"path": str(path), "bytes": size} for path, size in cleared)
        return
    for path, size in cleared:
        show(f"{size:>14,} bytes   {path}")
    say(f"cleared {len(cleared)}, {sum(size for _, size in cleared):,} bytes")


if __name__ == "__main__":
    run(runs)
