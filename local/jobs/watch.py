"""Watch: follow one version's status to its end, with its log as it is written.

    run = watch(service, run, report=…)

The status of that version decides. The live log is a convenience, read beside it; the whole log is kept at the end.
"""

import logging
import time
from collections.abc import Callable, Iterator

from local.core.events import StatusChanged
from local.jobs.pull import EXECUTED, rescue
from local.kaggle_api.client import Service
from local.kaggle_api.errors import AskedTooOftenError, MissingError, OutOfReachError, UntoldError
from local.kaggle_api.kernel_spec import LONGEST_SESSION
from local.kaggle_api.statuses import ENDED, SILENT, Status
from local.runs import cell_error, journal
from local.runs.journal import Run
from local.runs.live_log import LiveLog
from shared.core.errors import RunError, ServiceError
from shared.core.events import Report, silent

logger = logging.getLogger(__name__)

OUT_OF_REACH = "OUT OF REACH"
SOONEST, LATEST = 0.5, 15.0  # seconds between two questions
PATIENCE = 600.0  # seconds a service may be out of reach
UNSEEN = 60.0  # seconds in which a version just pushed may not be known yet
LATE_LOG = 60.0  # seconds to wait for the log and the files of a run that did not come to its end
QUEUE = 3600.0  # seconds a run may wait for its machine, beside the time it may take


class LateError(ServiceError):
    """The run has not ended in the time it had."""


def intervals() -> Iterator[float]:
    """Seconds to wait before each next question: a sixtieth of the time it has taken so far, within bounds.

    A short run is seen to end at once, and one of hours costs a question every quarter of a minute.
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

    Reports StatusChanged, LogWritten and LogLost; only a status that we know as an end ends the wait. A service that is
    out of reach, or fails to answer, is asked again for ten minutes. Raises RunError with the failing cell's error
    where the run failed or was cancelled there, once what it left is saved; LateError where it has not ended after
    `timeout` seconds, usually its time limit and an hour.
    """
    log = LiveLog(service, run, report)
    timeout = _usual_timeout(run) if timeout is None else timeout
    try:
        ended = _await_end(service, run, report, log, timeout, sleep or log.pause)
    except BaseException as error:
        log.end(patience=0)
        if isinstance(error, LateError):
            run.keep_log(log.text)
        raise
    log.end()
    now = journal.get(run.run_id)
    if now.state != "pushed":
        return now  # another command has seen the end first
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
        except AskedTooOftenError as error:  # it is there, and is asked less often until the time is up
            wait, status = max(wait, error.wait), Status(state=seen)
            logger.warning("%s takes no more questions for now (HTTP 429): asked again in %.0f s.", service.label, wait)
        except (OutOfReachError, UntoldError, MissingError) as error:
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
            state = seen or "in a state that the service has not told"
            raise LateError(
                f"the run {run.run_id} ({run.title}) is still {state} after {waited / 60:,.0f} minutes.\n"
                f"Nothing is lost: k2l watch {run.run_id} goes on waiting, k2l cancel {run.run_id} ends it there."
            )
        sleep(wait)
        waited += wait
    return status


def _usual_timeout(run: Run) -> float:
    return (run.time_limit or LONGEST_SESSION) + QUEUE


def _finish(service: Service, run: Run, status: Status, heard: str, sleep: Callable[[float], None]) -> Run:
    state = ENDED[status.state]
    log = _whole_log(service, run, heard, state, sleep)
    run.keep_log(log)
    if state == "complete":
        return run.record(state=state)
    rescue(service, run)  # before it is written down: killed here, the next command does both
    said = status.message or "somebody ended it there"
    if state == "failed":
        said = cell_error.reason(log, run.partial / EXECUTED, status.message)
    run.record(state=state, message=said)
    raise RunError(f"the run {run.run_id} ({run.title}) {state}: {said}\n{remains(run)}")


def remains(run: Run) -> str:
    """Where what is left of a run that failed lies, in a line."""
    log = f"Its log is kept: {run.log}" if run.log.is_file() else "It left no log."
    files = sum(path.is_file() for path in run.partial.rglob("*")) if run.partial.is_dir() else 0
    return f"{log} What it left, unproven: {files} in {run.partial}" if files else log


def _whole_log(service: Service, run: Run, heard: str, state: str, sleep: Callable[[float], None]) -> str:
    """The service's own log of the version; it may come minutes late, so what was heard live stands in for it.

    Of a run that failed, the files are waited for too: among them is the notebook that has the error.
    """
    waited, patience, text = 0.0, 0.0 if state == "complete" else LATE_LOG, heard
    while True:
        files, log = service.outputs(run.slug, run.version)
        text = log or text
        if waited >= patience or (text and (files or state != "failed")):
            return text
        sleep(LATE_LOG / 10)
        waited += LATE_LOG / 10
