"""Watch: follow one version's status to its end, with its log as it is written.

    run = watch(service, run, report=…)

The status of that version decides. The live log is a convenience; the complete log is saved at the end.
"""

import logging
import time
from collections.abc import Callable, Iterator

from local.core.events import StatusChanged
from local.jobs.pull import EXECUTED, rescue
from local.kaggle_api.client import Service
from local.kaggle_api.errors import MissingError, TooManyRequestsError, UnansweredError, UnreachableError
from local.kaggle_api.kernel_spec import LONGEST_SESSION
from local.kaggle_api.statuses import ENDED, SILENT, Status
from local.runs import cell_error, journal
from local.runs.journal import Run
from local.runs.live_log import LiveLog
from shared.core.errors import RunError, ServiceError
from shared.core.events import Report, silent

logger = logging.getLogger(__name__)

OUT_OF_REACH = "OUT OF REACH"
SOONEST, LATEST = 0.5, 15.0  # seconds between two requests
PATIENCE = 600.0  # seconds that a service may be out of reach
UNSEEN = 60.0  # seconds in which a new version may be unknown to the service
LATE_LOG = 60.0  # seconds to wait for the log and the files of a run that did not complete
QUEUE = 3600.0  # seconds that a run may wait for its machine, in addition to its time limit


class LateError(ServiceError):
    """The run has not ended within its time."""


def intervals() -> Iterator[float]:
    """Seconds to wait before each next request: a sixtieth of the time so far, within bounds.

    The end of a short run is seen at once, and one of hours costs a request every quarter of a minute.
    """
    passed = 0.0
    while True:
        wait = min(max(passed / 60, SOONEST), LATEST)
        passed += wait
        yield wait


def watch(
    service: Service,
    run: Run,
    *,
    report: Report = silent,
    timeout: float | None = None,
    sleep: Callable[[float], None] | None = None,
) -> Run:
    """Waits for the run's version to end and returns the run as complete, its log saved.

    Reports StatusChanged, LogWritten and LogLost; only a status that we know as final ends the wait. A service that is
    out of reach, or fails to answer, is asked again for ten minutes. Raises RunError with the failing cell's error if
    the run failed or was cancelled there, once its files are saved; LateError if it has not ended after `timeout`
    seconds, usually its time limit and an hour.
    """
    log = LiveLog(service, run, report)
    timeout = _usual_timeout(run) if timeout is None else timeout
    try:
        ended = _await_end(service, run, report, log, timeout, sleep or log.pause)
    except BaseException as error:
        log.end(patience=0)
        if isinstance(error, LateError):
            run.save_log(log.text)
        raise
    log.end()
    now = journal.get(run.run_id)
    if now.state != "pushed":
        return now  # another command saw the end first
    return _finish(service, run, ended, log.text, sleep or time.sleep)


def _await_end(
    service: Service,
    run: Run,
    report: Report,
    log: LiveLog,
    timeout: float,
    sleep: Callable[[float], None],
) -> Status:
    seen, lost, patience, waited = "", 0.0, UNSEEN, 0.0
    for wait in intervals():
        try:
            status = service.status(run.slug, run.version)
            lost, patience = 0.0, 0.0
        except TooManyRequestsError as error:  # it is reachable; ask less often for that time
            wait, status = max(wait, error.wait), Status(state=seen)
            logger.warning(
                "%s accepts no more requests for now (HTTP 429): trying again in %.0f s.", service.label, wait
            )
        except (UnreachableError, UnansweredError, MissingError) as error:
            lost += wait
            if lost > (patience if isinstance(error, MissingError) else PATIENCE):
                raise
            status = Status(state=OUT_OF_REACH)
        if status.state != seen:
            seen = status.state
            report(StatusChanged(seen))
        if seen in ENDED:
            break
        if seen and seen not in (*SILENT, OUT_OF_REACH) and not log.ident:
            log.start()
        if waited >= timeout:
            state = seen or "in an unknown state"
            raise LateError(
                f"the run {run.run_id} ({run.title}) is still {state} after {waited / 60:,.0f} minutes.\n"
                f"Nothing is lost: k2l watch {run.run_id} waits again, k2l cancel {run.run_id} stops it there."
            )
        sleep(wait)
        waited += wait
    return status


def _usual_timeout(run: Run) -> float:
    return (run.time_limit or LONGEST_SESSION) + QUEUE


def _finish(service: Service, run: Run, status: Status, live: str, sleep: Callable[[float], None]) -> Run:
    state = ENDED[status.state]
    log = _complete_log(service, run, live, state, sleep)
    run.save_log(log)
    if state == "complete":
        return run.record(state=state)
    rescue(service, run)  # before it is recorded: if this is killed, the next command does both
    message = status.message or "it was stopped there"
    if state == "failed":
        message = cell_error.reason(log, run.partial / EXECUTED, status.message)
    run.record(state=state, message=message)
    raise RunError(f"the run {run.run_id} ({run.title}) {state}: {message}\n{remains(run)}")


def remains(run: Run) -> str:
    """Where the log and the files of a failed run are, in a line."""
    log = f"Its log is saved: {run.log}" if run.log.is_file() else "It left no log."
    files = sum(path.is_file() for path in run.partial.rglob("*")) if run.partial.is_dir() else 0
    return f"{log} Its files, not verified: {files} in {run.partial}" if files else log


def _complete_log(service: Service, run: Run, live: str, state: str, sleep: Callable[[float], None]) -> str:
    """The service's own log of the version; it may come minutes late, so the live log replaces it.

    For a failed run it waits for the files too: the executed notebook has the error.
    """
    waited, patience, text = 0.0, 0.0 if state == "complete" else LATE_LOG, live
    while True:
        files, log = service.outputs(run.slug, run.version)
        text = log or text
        if waited >= patience or (text and (files or state != "failed")):
            return text
        sleep(LATE_LOG / 10)
        waited += LATE_LOG / 10
