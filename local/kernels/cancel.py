"""Cancel: the log is saved, then the kernel deleted, which is the one way to end a session from outside.

All versions of a kernel end together, so that every run of ours under way there is ended and written down as such.
"""

from contextlib import suppress

from local.kernels import runs
from local.kernels.client import MissingError, Service
from local.kernels.runs import Run
from shared.errors import KernelError

UNDER_WAY = ("intended", "pushed")


def beside(run: Run) -> list[Run]:
    """The other runs under way on the same kernel."""
    place = (run.remote, run.owner, run.slug)
    return [
        one
        for one in runs.every()
        if (one.remote, one.owner, one.slug) == place and one.state in UNDER_WAY and one.run_id != run.run_id
    ]


def cancel(service: Service, run: Run) -> list[Run]:
    """Ends a run and those beside it; returns them as they now stand. KernelError if it has ended already."""
    if run.state not in UNDER_WAY and not (run.state == "failed" and run.version):
        raise KernelError(f"the run {run.run_id} is {run.state}: there is nothing to end. All: k2l runs")
    ending = [run, *beside(run)]
    for one in ending:
        if one.version:
            one.keep_log(_log(service, one))
    with suppress(MissingError):  # it is gone: by an answer that was lost, or by hand on the page
        service.delete(run.slug)
    return [one.record(state="cancelled", message="cancelled from here") for one in ending]


def _log(service: Service, run: Run) -> str:
    try:
        return service.outputs(run.slug, run.version)[1]
    except MissingError:
        return ""
