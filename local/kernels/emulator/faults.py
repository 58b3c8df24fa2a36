"""Misbehaviour on request: what the service, the network or storage does on a bad day.

A fault is asked for over HTTP with the key (`POST /emulator/faults`, one object or a list; `GET` lists,
`DELETE` clears), or with `Faults.add` in the same process:

    {"fault": "status", "method": "SaveKernel", "status": 503, "headers": {"Retry-After": "1"}, "times": 2}
    {"fault": "drop", "method": "SaveKernel", "moment": "after"}        it was done, but the answer is lost
    {"fault": "truncate", "method": "Download", "match": "model.pth"}

`method` is a method's name, `Download` for signed URLs, `LogStream`, or `*`; `match` is a part of the file's
name; `skip` lets that many calls through first, `times` counts the calls it strikes (null: all). To add a
kind, name it in KINDS and act on it in `server` or `service`.
"""

import threading
from dataclasses import asdict, dataclass, field, fields
from typing import Any

KINDS = {
    "status": "answers `status` with `headers` and `body`, and does nothing",
    "drop": "closes the connection, `before` the call is done or `after`",
    "delay": "waits `seconds` first",
    "truncate": "sends half of the body, then closes the connection",
    "corrupt": "changes the body's first byte",
    "stale_status": "answers an unversioned status with the previous version's",
    "empty_log": "answers as if the log had not been stored yet",
}
USUAL_METHOD = {"truncate": "Download", "corrupt": "Download", "stale_status": "GetKernelSessionStatus"}


@dataclass(kw_only=True)
class Fault:
    """One rule. ValueError names a field that cannot be."""

    fault: str
    method: str = ""
    match: str = ""
    skip: int = 0
    times: int | None = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    seconds: float = 0.0
    moment: str = "before"

    def __post_init__(self) -> None:
        if self.fault not in KINDS:
            raise ValueError(f"no fault {self.fault!r}; there are {', '.join(KINDS)}")
        if self.moment not in ("before", "after"):
            raise ValueError(f"moment {self.moment!r} is neither before nor after")
        self.method = self.method or USUAL_METHOD.get(self.fault, "*")

    def strikes(self, method: str, subject: str) -> bool:
        """Whether it strikes this call, which counts it."""
        if self.method not in ("*", method) or self.match not in subject or self.times == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []

    def add(self, **rule: Any) -> Fault:
        """Adds a rule. ValueError: an unknown field or fault."""
        unknown = rule.keys() - {one.name for one in fields(Fault)}
        if unknown:
            raise ValueError(f"a fault has no field {', '.join(sorted(unknown))}")
        fault = Fault(**rule)
        with self._lock:
            self._rules.append(fault)
        return fault

    def draw(self, method: str, subject: str = "") -> dict[str, Fault]:
        """The faults that strike this call, by kind; of a kind the first rule wins, and is counted."""
        with self._lock:
            struck: dict[str, Fault] = {}
            for rule in self._rules:
                if rule.fault not in struck and rule.strikes(method, subject):
                    struck[rule.fault] = rule
            self._rules = [rule for rule in self._rules if rule.times != 0]
            return struck

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]
