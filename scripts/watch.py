"""`k2l watch`: follow a run to its end."""

from scripts import _options as options
from scripts._edge import Json, emit, run


def watch(run_id: options.RunId = None, timeout: options.Timeout = None, json: Json = False) -> None:
    """Follow a run until it ends, with its log.

    Ctrl-C leaves the run going; the same command comes back to it.

    Example: k2l watch
    """
    from local.kernels import runs
    from scripts import _trip as trip

    one = runs.get(run_id) if run_id else runs.latest("pushed", "complete")
    one = trip.watched(options.service_of(one), one, quiet=json, timeout=timeout)
    if json:
        emit([{"run_id": one.run_id, "version": one.version, "state": one.state}])
    else:
        trip.tell_next(one)


if __name__ == "__main__":
    run(watch)
