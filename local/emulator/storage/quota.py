"""GPU hours of the week: 30, counted from Saturday 00:00 UTC.

    ledger = QuotaUse(state / "quota.jsonl")
    ledger.book(started, ended)
    ledger.used(time.time())        seconds since the last refresh

Times are seconds since the epoch. Deleted kernels stay booked.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

WEEK = timedelta(days=7)
GPU_SECONDS = 30 * 3600.0
TPU_SECONDS = 20 * 3600.0
SATURDAY = 5


def last_refresh(now: float) -> datetime:
    """The Saturday 00:00 UTC at or before `now`."""
    moment = datetime.fromtimestamp(now, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=(midnight.weekday() - SATURDAY) % 7)


def next_refresh(now: float) -> datetime:
    """The Saturday 00:00 UTC after `now`."""
    return last_refresh(now) + WEEK


class QuotaUse:
    """Ended GPU sessions, one JSON line each."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def book(self, started: float, ended: float) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"started": started, "ended": ended}) + "\n")

    def used(self, now: float, running: Iterable[tuple[float, float]] = ()) -> float:
        """Seconds since the last refresh, of booked and `running` sessions; one across it counts in part."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        booked = [(entry["started"], entry["ended"]) for entry in map(json.loads, lines)]
        refreshed = last_refresh(now).timestamp()
        return float(sum(max(0.0, ended - max(started, refreshed)) for started, ended in [*booked, *running]))
