"""The states of a run, as the service has them.

    stated({"status": "ERROR", "failureMessage": "…"})     # Status(state="ERROR", message="…")

Read from the answer itself: the SDK refuses a state that it does not know, or takes it for another that ends alike.
"""

import re
from dataclasses import dataclass
from typing import Any

from shared.core.errors import plain

KNOWN = ("QUEUED", "RUNNING", "COMPLETE", "ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT")
ENDED = {"COMPLETE": "complete", "ERROR": "failed", "CANCEL_ACKNOWLEDGED": "cancelled"}  # and how the journal says it
SILENT = ("QUEUED", "NEW_SCRIPT")  # nothing is written to a log yet; in a state that is new to us there may be one


@dataclass(frozen=True, kw_only=True)
class Status:
    """A version's state, in the service's words (QUEUED … COMPLETE), and its message about a failure."""

    state: str
    message: str = ""


def stated(answer: Any) -> Status:
    """The status in an answer's JSON. TypeError where it is none."""
    name, message = (answer.get(key) or "" for key in ("status", "failureMessage"))
    if not (isinstance(name, str) and isinstance(message, str)):
        raise TypeError(f"{plain(repr(answer))} is no status")
    return Status(state=_usual(name), message=plain(message))


def _usual(name: str) -> str:
    """`CANCEL_ACKNOWLEDGED`, also for `cancelAcknowledged`; a name that is new to us as it is; no name is QUEUED."""
    usual = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper().removeprefix("KERNEL_WORKER_STATUS_")
    return usual if usual in KNOWN else plain(name) or KNOWN[0]
