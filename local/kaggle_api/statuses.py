"""The states of a run, as the service names them.

    read_status({"status": "ERROR", "failureMessage": "…"})     # Status(state="ERROR", message="…")

Read from the answer itself: the SDK refuses an unknown state, or confuses it with another of the same ending.
"""

import re
from dataclasses import dataclass
from typing import Any

from shared.core.errors import plain

KNOWN = ("QUEUED", "RUNNING", "COMPLETE", "ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT")
ENDED = {"COMPLETE": "complete", "ERROR": "failed", "CANCEL_ACKNOWLEDGED": "cancelled"}  # with the journal's names
SILENT = ("QUEUED", "NEW_SCRIPT")  # there is no log yet; in an unknown state there may be one


@dataclass(frozen=True, kw_only=True)
class Status:
    """A version's state, by the service's name (QUEUED … COMPLETE), and its message about a failure."""

    state: str
    message: str = ""


def read_status(answer: Any) -> Status:
    """The status in an answer's JSON. TypeError if there is none."""
    name, message = (answer.get(key) or "" for key in ("status", "failureMessage"))
    if not (isinstance(name, str) and isinstance(message, str)):
        raise TypeError(f"{plain(repr(answer))} is no status")
    return Status(state=_usual(name), message=plain(message))


def _usual(name: str) -> str:
    """`CANCEL_ACKNOWLEDGED`, also for `cancelAcknowledged`; an unknown name is unchanged; no name is QUEUED."""
    usual = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper().removeprefix("KERNEL_WORKER_STATUS_")
    return usual if usual in KNOWN else plain(name) or KNOWN[0]
