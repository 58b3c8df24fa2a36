"""`k2l runs`: the journal."""

import sys
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from scripts.terminal.edge import fail, run
from scripts.terminal.output import Json, emit, say, show
from scripts.terminal.tables import listing

if TYPE_CHECKING:
    from local.runs.journal import Run

SCREEN = 20  # runs that are listed on a terminal, unless more are requested


def runs(
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the newest N. [default: all; on a terminal 20]")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the services for the state of runs.")] = False,
    gc: Annotated[
        bool, typer.Option("--gc", help="Remove files that nothing resumes from; replaced models are not removed.")
    ] = False,
    older: Annotated[
        int | None,
        typer.Option(min=0, metavar="DAYS", help="With --gc, also everything of runs that ended this long ago."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --gc, show what would be removed, and remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --older, do not ask first on a terminal.")] = False,
    json: Json = False,
) -> None:
    """List the runs, newest first, and what to do next with each.

    Example: k2l runs --limit 5
    """
    from local.runs import journal as journal

    if not gc and (older is not None or dry_run or yes):
        fail("--older, --dry-run and --yes go with --gc.", 2)
    if gc:
        return _clear(older, dry_run=dry_run, ask=older is not None and not yes and sys.stdin.isatty(), json=json)
    every = journal.every()[::-1]
    shown = every[: limit or (SCREEN if sys.stdout.isatty() and not json else None)]
    lines = _lines(shown, every, {} if offline else _asked(shown))
    if json:
        emit(asdict(line.run) | {"there": line.there, "test_accuracy": line.accuracy} for line in lines)
    elif not every:
        say("no runs yet. Start one: k2l loop --remote emulator")
    else:
        listing(COLUMNS, lines, lesser=("data set", "kernel", "remote", "age"))
    if left := len(every) - len(shown):
        say(f"{left} older: k2l runs --limit {len(every)}")
    for path in journal.damaged():
        say(f"{path / journal.STEPS} is damaged: none of its steps can be read. Move that folder away.")
    return None


class RunLine(NamedTuple):
    """A run, its state on the service, its test accuracy if known, and its shortened id."""

    id: str
    run: "Run"
    there: str
    accuracy: float | None

    @property
    def state(self) -> str:
        """The journal's state, and the service's until the run is pulled."""
        if self.there.isupper():
            return self.there.lower()
        return f"{self.run.state}, {self.there}" if self.there else self.run.state

    @property
    def next(self) -> str:
        """The next command for it, if there is one."""
        from scripts.steps.trip import NEXT, NEXT_THERE

        one = self.run
        if one.state == "done":
            return ""
        if one.state == "failed" and one.log.is_file():
            return f"k2l log {self.id}"
        advice = NEXT_THERE.get((one.state, self.there)) or NEXT.get(one.state)
        return advice.format(self.id, one.name) if advice else one.message.partition("\n")[0]


def _lines(shown: "list[Run]", every: "list[Run]", there: dict[str, str]) -> list[RunLine]:
    from local.runs import journal as journal

    known, alike = journal.accuracies(), Counter(map(_beginning, every))

    def name(one: "Run") -> str:
        return _beginning(one) if sys.stdout.isatty() and alike[_beginning(one)] == 1 else one.run_id

    return [RunLine(name(one), one, there.get(one.run_id, ""), known.get(one.run_id)) for one in shown]


def _beginning(one: "Run") -> str:
    """The id without its random end."""
    return one.run_id.rpartition("-")[0] or one.run_id


def _asked(every: "list[Run]") -> dict[str, str]:
    from local.jobs.remote_status import AWAY, remote_states

    # Only unfinished runs are looked up: without one, no client is loaded.
    return remote_states(every) if any(one.state in AWAY for one in every) else {}


def ago(seconds: float) -> str:
    """An age in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


COLUMNS = {
    "run": lambda line: line.id,
    "model": lambda line: line.run.name,
    "remote": lambda line: line.run.remote,
    "kernel": lambda line: line.run.title,
    "test %": lambda line: "" if line.accuracy is None else f"{100 * line.accuracy:.2f}",
    "data set": lambda line: line.run.dataset,
    "age": lambda line: ago(line.run.age),
    "state": lambda line: line.state,
    "next": lambda line: line.next,
}


def _clear(older: int | None, *, dry_run: bool, ask: bool, json: bool) -> None:
    from local.runs.prune import clear, unneeded
    from scripts.terminal.ask import agreed

    since = None if older is None else timedelta(days=older)
    found = list(unneeded(older=since))
    sizes = f"{len(found)}, {sum(size for _, size in found):,} bytes"
    if json:
        emit({"path": str(path), "bytes": size} for path, size in found)
    else:
        for path, size in found:
            show(f"{size:>14,} bytes   {path}")
    if dry_run:
        return say(f"would clear {sizes}; nothing was cleared")
    if ask and found and not agreed(f"Clear {sizes}?"):
        return say("nothing was cleared")
    cleared = list(clear(older=since))
    return say(f"cleared {len(cleared)}, {sum(size for _, size in cleared):,} bytes")


if __name__ == "__main__":
    run(runs)
