"""Room on the service: the week's GPU time, how many Kaggle sessions it runs at once, and waiting until there is some.

    quota = gpu_time(service, spec)                   # QuotaError where none is left
    waiting = Waiting(limit=timedelta(hours=12), report=tell)
    waiting.bear(service, refusal)                    # comes back when it is worth asking again

The service has the last word: what the journal knows of is older than its answer to a push, and need not be all that
runs there. So the journal's count is for telling beforehand, and refuses nothing.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local.core.events import Message
from local.kaggle_api.client import Quota, Service
from local.kaggle_api.errors import BusyError, CapacityError, MissingError, QuotaError, UntoldError
from local.kaggle_api.kernel_spec import KernelSpec, session_kind
from local.kaggle_api.statuses import ENDED
from local.runs import journal
from local.runs.journal import Run
from shared.core.events import Report, silent

SESSIONS = {"GPU": 2, "CPU": 5}  # batch sessions that Kaggle runs at once
POLL = 60.0  # seconds between two tries, and up to a quarter more: not everybody in the same second
LONGEST = 12 * 3600.0  # seconds; no Kaggle session is older


def gpu_time(service: Service, spec: KernelSpec) -> Quota | None:
    """The week's GPU time; None for a kernel that needs none, and where the service does not tell.

    Raises QuotaError where none is left.
    """
    if not spec.gpu:
        return None
    try:
        quota = service.quota()
    except (UntoldError, MissingError):
        return None  # taken at its later word
    if quota.total and not quota.left:
        raise QuotaError(
            f"no GPU time is left this week ({hours(quota.total)} h used); it starts anew {when(quota.refresh)}.\n"
            "Train without a GPU (--accelerator none), or here (k2l train).",
            refresh=quota.refresh,
        )
    return quota if quota.total else None


def shortfall(quota: Quota, spec: KernelSpec) -> str:
    """What to beware of where the run may take longer than the GPU time that is left; "" where it may not."""
    if quota.left >= timedelta(seconds=spec.time_limit):
        return ""
    return (
        f"{hours(quota.left)} h of GPU time are left, and the run may take {hours(spec.time_limit)} h; more starts "
        f"anew {when(quota.refresh)}.\nTrain less, or without a GPU (--accelerator none): it may be ended half-way."
    )


def under_way(service: Service, kind: str) -> tuple[list[Run], list[Run]]:
    """The runs in the journal that take a session of that kind there now, and those of which nobody can tell.

    Each is asked after, by its version. Raises ServiceError where the service is out of reach.
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
    """Pushed, its end not seen; or failed for want of its inputs, which the service lets run all the same."""
    return bool(run.version) and (run.state == "pushed" or (run.state == "failed" and run.age < LONGEST))


def _runs(service: Service, run: Run) -> bool | None:
    """Whether the run's version has not ended; None where the service does not tell."""
    try:
        return service.status(run.slug, run.version).state not in ENDED
    except MissingError:
        return False
    except UntoldError:
        return None


def when(moment: datetime | None, now: datetime | None = None) -> str:
    """A moment for people: `in 2 d 3 h (Saturday 00:00 UTC)`."""
    if moment is None:
        return "at a time that the service does not tell"
    minutes = max(0, round((moment - (now or _now())).total_seconds() / 60))
    spans = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    first = next((n for n, (count, _) in enumerate(spans) if count), len(spans) - 1)
    said = " ".join(f"{count} {unit}" for count, unit in spans[first : first + 2] if count or first == 2)
    return f"in {said} ({moment:%A %H:%M} UTC)"


def _now() -> datetime:
    return datetime.now(UTC)


def hours(span: timedelta | float) -> str:
    """Hours for people, one decimal where they are not whole."""
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
    _told: type[CapacityError] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.deadline = self.now() + self.limit

    def bear(self, service: Service, refusal: CapacityError) -> None:
        """Waits until it is worth asking again: about a minute, or until the time that the service tells.

        Raises the refusal, and why it was not borne, where that is beyond the limit.
        """
        refresh = _refresh(service, refusal)
        until = self._next_try(refresh)
        reason = str(refusal).partition("\n")[0]
        if until > self.deadline:
            raise type(refusal)(f"{reason}\n{self._too_late(refresh)}") from None
        if type(refusal) is not self._told:
            self._told = type(refusal)
            plan = self._plan(refusal, refresh)
            self.report(Message(f"{reason}\n{plan} Ctrl-C ends it; nothing has been pushed."))
        # In pieces: a laptop that slept meanwhile has missed the moment by little.
        while (left := (until - self.now()).total_seconds()) > 0:
            self.sleep(min(left, POLL))

    def _next_try(self, refresh: datetime | None) -> datetime:
        soon = self.now() + timedelta(seconds=POLL * random.uniform(1, 1.25))
        return max(soon, refresh) if refresh else soon

    def _plan(self, refusal: CapacityError, refresh: datetime | None) -> str:
        if refresh and isinstance(refusal, BusyError):
            return f"Asked again {when(refresh, self.now())}, as the service wishes, for {hours(self.limit)} h at most."
        if refresh:
            return f"Waiting for it to start anew {when(refresh, self.now())}."
        return f"Waiting for room: asked again every minute, for {hours(self.limit)} h at most."

    def _too_late(self, refresh: datetime | None) -> str:
        if refresh:
            return f"That is {when(refresh, self.now())}, and {hours(self.limit)} h were to be waited at most."
        return f"Waited for {hours(self.limit)} h in vain; nothing was pushed."


def _refresh(service: Service, refusal: CapacityError) -> datetime | None:
    """When the GPU time starts anew, for a refusal that ends then; None where it ends sooner, or nobody tells."""
    if not isinstance(refusal, QuotaError) or refusal.refresh:
        return refusal.refresh
    try:
        return service.quota().refresh
    except (UntoldError, MissingError):
        return None
