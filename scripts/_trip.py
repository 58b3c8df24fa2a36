"""The steps that `loop` shares with `push`, `watch` and `pull`, with what each says on the way."""

import re
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from scripts._edge import say

if TYPE_CHECKING:
    from local.kernels.client import Service
    from local.kernels.runs import Run

# What one does with a run that stands so; {0} is the run, {1} its model.
NEXT = {
    "intended": "the same push again: it asks whether it arrived",
    "pushed": "k2l watch {0}",
    "complete": "k2l pull {0}",
    "pulled": "k2l evaluate {1}",
    "done": "k2l predict PICTURE --model {1}",
    "swept": "k2l pull --again {0}",
}

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")


def pushed(run: "Run") -> None:
    """Says where a push went, or where the run stands that the same push began before."""
    fresh = run.state == "pushed" and run.seconds < 1
    say(f"{'pushed' if fresh else 'goes on with'} {run.title}  (run {run.run_id}, {run.state})")
    if run.url and run.remote != "emulator":
        say(f"  {run.url}")


def tell_next(run: "Run") -> None:
    """Says what to do with the run now."""
    if run.state in NEXT:
        say(f"next: {NEXT[run.state].format(run.run_id, run.name)}")


def watched(service: "Service", run: "Run", *, quiet: bool = False, timeout: float | None = None) -> "Run":
    """Follows a run to its end, its log indented below its states; a run that has come to its end is returned.

    Raises RunError for one that failed, now or before.
    """
    from local.kernels.watch import remains, watch
    from shared.errors import RunError

    if run.state in ("failed", "cancelled"):
        raise RunError(f"the run {run.run_id} ({run.title}) {run.state}: {run.message}\n{remains(run)}")
    if run.state != "pushed":
        return run
    start = time.monotonic()
    log = Indented(sys.stderr)

    def status(state: str) -> None:
        log.end_line()
        say(f"[{time.monotonic() - start:6.1f} s] {state.lower()}")

    return watch(service, run, on_status=status, on_log=(lambda piece: None) if quiet else log.write, timeout=timeout)


class Indented:
    """Writes pieces of a log, which need not be lines, each line indented and none ruling the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.at_start = stream, True

    def write(self, piece: str) -> None:
        """Writes a piece as it comes."""
        for line in _CONTROL.sub("", piece).splitlines(keepends=True):
            self.stream.write(("    " if self.at_start else "") + line)
            self.at_start = line.endswith("\n")
        self.stream.flush()

    def end_line(self) -> None:
        """Ends a line that a piece left open."""
        if not self.at_start:
            self.write("\n")


def pulled(service: "Service", run: "Run", **options: Any) -> "Run":
    """Brings a run's files home; a run that is home already is returned as it is."""
    from local import paths
    from local.kernels.pull import pull
    from shared.errors import plain

    if run.state != "complete":
        return run
    count = 0

    def file(name: str, size: int) -> None:
        nonlocal count
        count += 1
        say(f"  {size:>12,} bytes   {name}")

    run, left_out = pull(service, run, on_file=file, **options)
    say(f"pulled {count} files, every one checked, into {paths.models() / run.name}")
    for name in left_out:
        say(f"  left out: {plain(name)} (not in the manifest)")
    return run
