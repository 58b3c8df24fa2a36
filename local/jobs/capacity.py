"""Capacity of the service: the week's GPU time, the number of Kaggle sessions at once, and waiting for both.

    quota = gpu_time(service, spec)                   # QuotaError if none is left
    waiting = Waiting(limit=timedelta(hours=12), report=tell)
    waiting.wait(service, refusal)                    # returns when it is time to ask again

The service decides: the journal is older than its answer to a push, and may not know every run there. So the journal's
count is only for information, and refuses nothing.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local.core.events import Message
from local.kaggle_api.client import Quota, Service
from local.kaggle_api.errors import BusyError, CapacityError, MissingError, QuotaError, UnansweredError
from local.kaggle_api.kernel_spec import KernelSpec, session_kind
from local.kaggle_api.statuses import ENDED
from local.runs import journal
from local.runs.journal import Run
from shared.core.events import Report, silent

SESSIONS = {"GPU": 2, "CPU": 5}  # batch sessions that Kaggle runs at once
POLL = 60.0  # seconds between two tries, and up to a quarter more, so that not all clients ask at once
LONGEST = 12 * 3600.0  # seconds; no Kaggle session is longer


def gpu_time(service: Service, spec: KernelSpec) -> Quota | None:
    """The week's GPU time; None for a kernel that needs none, or if the service does not say.

    Raises QuotaError if none is left.
    """
    if not spec.gpu:
        return None
    try:
        quota = service.quota()
    except (UnansweredError, MissingError):
        return None  # the answer to the push decides
    if quota.total and not quota.left:
        raise QuotaError(
            f"no GPU time is left this week ({hours(quota.total)} h used); it is renewed {when(quota.refresh)}.\n"
            "Train without a GPU (--accelerator none), or here (k2l train).",
            refresh=quota.refresh,
        )
    return quota if quota.total else None


def shortfall(quota: Quota, spec: KernelSpec) -> str:
    """A warning if the run may take longer than the GPU time that is left, else ""."""
    if quota.left >= timedelta(seconds=spec.time_limit):
        return ""
    return (
        f"{hours(quota.left)} h of GPU time are left, and the run may take {hours(spec.time_limit)} h; it is "
        f"renewed {when(quota.refresh)}.\nTrain less, or without a GPU (--accelerator none): it may be stopped early."
    )


def under_way(service: Service, kind: str) -> tuple[list[Run], list[Run]]:
    """The runs in the journal that use a session of that kind there now, and those for which it is unknown.

    The service is asked about each, by its version. Raises ServiceError if it cannot be reached.
    """
    sure, perhaps = [], []
    for run in journal.every():
        ours = (run.remote, run.owner) == (service.label, service.username)
        if ours and _may_run(run) and session_kind(run.accelerator) in (kind, ""):
            runs_now = _runs(service, run)
            if runs_now and run.accelerator:
                sure.append(run)
            elif runs_now is not False:
                perhaps.append(run)
    return sure, perhaps


def _may_run(run: Run) -> bool:
    """Pushed and not known to have ended; or failed for missing inputs, which the service still runs."""
    return bool(run.version) and (run.state == "pushed" or (run.state == "failed" and run.age < LONGEST))


def _runs(service: Service, run: Run) -> bool | None:
    """Whether the run's version has not ended; None if the service does not say."""
    try:
        return service.status(run.slug, run.version).state not in ENDED
    except MissingError:
        return False
    except UnansweredError:
        return None


def when(moment: datetime | None, now: datetime | None = None) -> str:
    """A moment for people: `in 2 d 3 h (Saturday 00:00 UTC)`."""
    if moment is None:
        return "at a time that the service does not give"
    minutes = max(0, round((moment - (now or _now())).total_seconds() / 60))
    spans = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    first = next((n for n, (count, _) in enumerate(spans) if count), len(spans) - 1)
    spans_text = " ".join(f"{count} {unit}" for count, unit in spans[first : first + 2] if count or first == 2)
    return f"in {spans_text} ({moment:%A %H:%M} UTC)"


def _now() -> datetime:
    return datetime.now(UTC)


def hours(span: timedelta | float) -> str:
    """Hours for people, with one decimal unless it is a whole number."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    return f"{seconds / 3600:.1f}".removesuffix(".0")


@dataclass(kw_only=True)
class Waiting:
    """Patience of `limit` from now on. Reports what it waits for, once for each reason."""

    limit: timedelta
    report: Report = silent
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = _now
    deadline: datetime = field(init=False)
    _reported: type[CapacityError] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.deadline = self.now() + self.limit

    def wait(self, service: Service, refusal: CapacityError) -> None:
        """Waits until it is time to ask again: about a minute, or until the time that the service gives.

        Raises the refusal, with the reason, if that is beyond the limit.
        """
        refresh = _refresh(service, refusal)
        until = self._next_try(refresh)
        reason = str(refusal).partition("\n")[0]
        if until > self.deadline:
            raise type(refusal)(f"{reason}\n{self._too_late(refresh)}") from None
        if type(refusal) is not self._reported:
            self._reported = type(refusal)
            plan = self._plan(refusal, refresh)
            self.report(Message(f"{reason}\n{plan} Ctrl-C stops it; nothing has been pushed."))
        # In pieces, so that a laptop that slept meanwhile is not very late.
        while (left := (until - self.now()).total_seconds()) > 0:
            self.sleep(min(left, POLL))

    def _next_try(self, refresh: datetime | None) -> datetime:
        soon = self.now() + timedelta(seconds=POLL * random.uniform(1, 1.25))
        return max(soon, refresh) if refresh else soon

    def _plan(self, refusal: CapacityError, refresh: datetime | None) -> str:
        if refresh and isinstance(refusal, BusyError):
            return f"Trying again {when(refresh, self.now())}, as the service asks, for {hours(self.limit)} h at most."
        if refresh:
            return f"Waiting until it is renewed {when(refresh, self.now())}."
        return f"Waiting for capacity: trying again every minute, for {hours(self.limit)} h at most."

    def _too_late(self, refresh: datetime | None) -> str:
        if refresh:
            return f"That is {when(refresh, self.now())}, later than the limit of {hours(self.limit)} h."
        return f"No capacity after {hours(self.limit)} h; nothing was pushed."


def _refresh(service: Service, refusal: CapacityError) -> datetime | None:
    """When the GPU time is renewed, for a refusal that lasts until then; None if it ends sooner, or is unknown."""
    if not isinstance(refusal, QuotaError) or refusal.refresh:
        return refusal.refresh
    try:
        return service.quota().refresh
    except (UnansweredError, MissingError):
        return None
