"""`k2l watch`: follow a run to its end."""

from scripts.steps import options
from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit


def watch(run_id: options.RunId = None, timeout: options.Timeout = None, json: Json = False) -> None:
    """Follow a run until it ends, with its log.

    Ctrl-C does not stop the run; the same command follows it again.

    Example: k2l watch
    """
    from local.runs import journal
    from scripts.steps import trip as trip

    one = journal.get(run_id) if run_id else journal.latest("pushed", "complete")
    one = trip.watched(options.service_of(one), one, quiet=json, timeout=timeout)
    if json:
        emit([{"run_id": one.run_id, "version": one.version, "state": one.state}])
    else:
        trip.tell_next(one)


if __name__ == "__main__":
    run(watch)
