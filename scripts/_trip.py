"""The steps that `loop` shares with `push`, `watch` and `pull`, with what each says on the way."""

import sys
import time
from typing import TYPE_CHECKING

from scripts._edge import say

if TYPE_CHECKING:
    from local.kernels.client import Service
    from local.kernels.runs import Run


def pushed(run: "Run") -> None:
    """Says where a push went."""
    say(f"pushed {run.title}  (run {run.run_id})")
    if run.url and run.remote != "emulator":
        say(f"  {run.url}")


def watched(service: "Service", run: "Run", *, quiet: bool = False) -> "Run":
    """Follows a run to its end, its log indented below its states; a run that has ended is returned as it is."""
    from local.kernels.watch import watch

    if run.state != "pushed":
        return run
    start = time.monotonic()

    def status(state: str) -> None:
        say(f"[{time.monotonic() - start:6.1f} s] {state.lower()}")

    def log(piece: str) -> None:
        sys.stderr.write("".join(f"    {line}" for line in piece.splitlines(keepends=True)))
        sys.stderr.flush()

    return watch(service, run, on_status=status, on_log=(lambda piece: None) if quiet else log)


def pulled(service: "Service", run: "Run") -> "Run":
    """Brings a run's files home; a run that is home already is returned as it is."""
    from local import paths
    from local.kernels.pull import pull

    if run.state != "complete":
        return run
    count = 0

    def file(name: str, size: int) -> None:
        nonlocal count
        count += 1
        say(f"  {size:>12,} bytes   {name}")

    run, left_out = pull(service, run, on_file=file)
    say(f"pulled {count} files, every one checked, into {paths.models() / run.name}")
    for name in left_out:
        say(f"  left out: {name} (not in the manifest)")
    return run
