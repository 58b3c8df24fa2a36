"""Cancel: log and outputs are saved, then the kernel is deleted, the only way to stop a Kaggle session from outside.

All versions of a kernel end together, so every unfinished run of ours there is stopped and recorded as such.
"""

import time
from contextlib import suppress

from local.jobs.pull import rescue
from local.kaggle_api.client import Service
from local.kaggle_api.errors import MissingError
from local.runs import journal
from local.runs.journal import Run
from shared.core.errors import KernelError

UNDER_WAY = ("intended", "pushed")
LISTEN, LONGEST = 2.0, 10.0  # seconds of silence, or in all, after which the log so far is complete


def beside(run: Run) -> list[Run]:
    """The other unfinished runs of the same kernel."""
    return _others(run, UNDER_WAY)


def unfetched(run: Run) -> list[Run]:
    """The other runs of the same kernel that are complete but not pulled: their files are deleted with it."""
    return _others(run, ("complete",))


def _others(run: Run, states: tuple[str, ...]) -> list[Run]:
    place = (run.remote, run.owner, run.slug)
    return [
        one
        for one in journal.every()
        if (one.remote, one.owner, one.slug) == place and one.state in states and one.run_id != run.run_id
    ]


def cancel(service: Service, run: Run) -> list[Run]:
    """Stops a run and those beside it; returns them in their new state. KernelError if it has ended already."""
    if run.state not in UNDER_WAY and not (run.state == "failed" and run.version):
        raise KernelError(f"the run {run.run_id} is {run.state}: there is nothing to stop. All: k2l runs")
    ending = [run, *beside(run)]
    for one in ending:
        if one.version:
            one.save_log(_log(service, one))
            rescue(service, one)
    with suppress(MissingError):  # it is deleted already: by a call whose answer was lost, or on the page
        service.delete(run.slug)
    return [one.record(state="cancelled", message="cancelled from here") for one in ending]


def _log(service: Service, run: Run) -> str:
    """The log that the service has, or, of a session that still runs, the log so far."""
    with suppress(KernelError):
        if log := service.outputs(run.slug, run.version)[1]:
            return log
    pieces: list[str] = []
    end = time.monotonic() + LONGEST
    with suppress(KernelError):
        for piece in service.follow_log(run.slug, run.version, quiet=LISTEN):
            pieces.append(piece)
            if time.monotonic() > end:
                break
    return "".join(pieces)
