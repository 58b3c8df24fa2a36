"""Watch: follow one version's status to its end, with its log as it is written.

    run = watch(service, run, on_status=…, on_log=…)

The status of that version decides. The live log is a convenience, read beside it; the whole log is kept at the end.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator

from local.kernels.client import Service
from local.kernels.runs import Run
from shared.errors import RunError, ServiceError

ENDED = {"COMPLETE": "complete", "ERROR": "failed", "CANCEL_ACKNOWLEDGED": "cancelled"}
SOONEST, LATEST = 0.5, 15.0  # seconds between two questions

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# The last line of a Python traceback: `ValueError: …`, `shared.errors.DataError: …`.
_RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b.*$", re.MULTILINE)


def intervals() -> Iterator[float]:
    """Seconds to wait before each next question: a thirtieth of the time it has taken so far, within bounds.

    A short run is seen to end at once, and one of hours costs a question every quarter of a minute.
    """
    passed = 0.0
    while True:
        wait = min(max(passed / 30, SOONEST), LATEST)
        passed += wait
        yield wait


def watch(
    service: Service,
    run: Run,
    *,
    on_status: Callable[[str], None] = lambda state: None,
    on_log: Callable[[str], None] = lambda text: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Waits for the run's version to end and returns the run as complete, its log saved.

    `on_status` is told each new state, `on_log` each piece of the log. Raises RunError with the failing cell's error
    where the run failed or was cancelled there.
    """
    follower = threading.Thread(target=_follow, args=(service, run, on_log), daemon=True)
    seen = ""
    for wait in intervals():
        status = service.status(run.slug, run.version)
        if status.state != seen:
            seen = status.state
            on_status(seen)
        if seen in ENDED:
            break
        if seen == "RUNNING" and not follower.ident:
            follower.start()
        sleep(wait)
    if follower.ident:
        follower.join(timeout=2)
    return _finish(service, run, ENDED[seen], status.message)


def failure(log: str) -> str:
    """The error that ended a run, from its log: the last exception's own line, or the log's last line."""
    plain = _ANSI.sub("", log)
    raised = [line.strip() for line in _RAISED.findall(plain) if not line.startswith("papermill.exceptions")]
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return (raised or lines or ["the log is empty"])[-1]


def _finish(service: Service, run: Run, state: str, message: str) -> Run:
    _, log = service.outputs(run.slug, run.version)
    run.log.write_text(log, encoding="utf-8")
    if state == "complete":
        return run.record(state=state)
    said = failure(log) if state == "failed" else message or "somebody ended it there"
    run.record(state=state, message=said)
    raise RunError(f"the run {run.run_id} ({run.title}) {state}: {said}\nIts log is kept: {run.log}")


def _follow(service: Service, run: Run, on_log: Callable[[str], None]) -> None:
    try:
        for piece in service.follow_log(run.slug, run.version):
            on_log(piece)
    except ServiceError:
        return  # the status goes on being asked, and the whole log is fetched at the end
