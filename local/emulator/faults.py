"""Faults on request: rules that imitate failures of the service, the network or storage.

A fault is added over HTTP with the key, while the emulator runs (`POST /emulator/faults`, one object or a list;
`GET` lists, `DELETE` clears), or with `Faults.add` in the same process:

    {"fault": "status", "method": "SaveKernel", "status": 503, "headers": {"Retry-After": "1"}, "times": 2}
    {"fault": "drop", "method": "SaveKernel", "moment": "after"}        it was done, but the answer is lost
    {"fault": "truncate", "method": "Download", "match": "model.pth"}
    {"fault": "drop", "method": "*", "chance": 0.2, "times": null}      a fifth of all calls

`method` is a method's name, `Download` and `Upload` for signed URLs, `LogStream`, or `*`; `match` is a part of the
file's name; `skip` lets that many calls pass first, `times` is the number of calls that it affects (null: all),
`chance` is the share of calls that it affects.

`middleware` applies the faults of the connection; the others reach the methods as `struck`. To add a kind, name it in
KINDS, in USUAL_METHOD if only one method uses it, and apply it in `middleware`, `kernel_methods`, `push_method` or
`application`.
"""

import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from shared.core.errors import plain

KINDS = {
    "status": "answers `status` with `headers` and `body`, and does nothing",
    "drop": "closes the connection, `before` the call is done or `after`",
    "cut": "takes half of the request, then closes the connection",
    "delay": "waits `seconds` first",
    "truncate": "sends half of the body, then closes the connection",
    "stall": "sends half of the body, then nothing, for as long as the client waits",
    "slow": "sends the body at `rate` bytes a second",
    "corrupt": "changes one byte in the middle of the body",
    "expired": "refuses a signed URL as one that has expired, in storage's own XML",
    "stale_status": "answers an unversioned status with the previous version's",
    "stuck": "answers that the session is `state`",
    "empty_log": "answers as if the log had not been stored yet",
    "cut_stream": "ends the live log after `seconds`, in the middle of a record; it begins anew on the next connection",
    "cut_log": "answers with a log that ends in the middle of a record",
    "listed": "lists `names` among the outputs too; their links lead to the first real one",
    "unlisted": "leaves `names` out of the outputs; where none is named, all",
    "no_quota": "answers as if the week's GPU time were used up",
    "no_capacity": "answers as if no further session could run",
    "invalid_sources": "starts the session, and names `names` as data sets that do not exist",
    "unseen": "answers as if the latest version of a model were not ready yet",
    "misfiled": "files the kernel under another slug",
}
USUAL_METHOD = {
    **dict.fromkeys(("truncate", "stall", "slow", "corrupt", "expired"), "Download"),
    **dict.fromkeys(("cut",), "Upload"),
    **dict.fromkeys(("cut_stream",), "LogStream"),
    **dict.fromkeys(("unseen",), "GetModelInstance"),
    **dict.fromkeys(("stale_status", "stuck"), "GetKernelSessionStatus"),
    **dict.fromkeys(("empty_log", "cut_log", "listed", "unlisted"), "ListKernelSessionOutput"),
    **dict.fromkeys(("no_capacity", "invalid_sources", "misfiled"), "SaveKernel"),
}


_HEADER = re.compile(r"[\w-]+", re.ASCII)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _between(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and least <= value <= most


def _headers(value: Any) -> bool:
    """Whether they are valid in HTTP: a line break in one would start another."""
    return isinstance(value, dict) and all(
        _HEADER.fullmatch(name) and _text(said) and said.isascii() and said.isprintable()
        for name, said in value.items()
    )


# The valid values of each field of a rule, and their description.
FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("fault", "method", "match", "moment"), (_text, "text")),
    "skip": (_count, "a number of calls"),
    "times": (lambda value: value is None or _count(value), "a number of calls, or null for all"),
    "status": (lambda value: _count(value) and 200 <= value <= 599, "a status from 200 to 599"),
    "headers": (_headers, "an object of texts in ASCII"),
    "seconds": (_between(0, 3600), "0 to 3600 seconds"),
    "chance": (_between(0, 1), "a share from 0 to 1"),
    "rate": (_between(1, 1e12), "1 byte a second or more"),
    "state": (_text, "text"),
    "names": (_texts, "a list of texts"),
}


@dataclass(kw_only=True)
class Fault:
    """One rule. ValueError names an invalid field."""

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
    chance: float = 1.0
    rate: float = 4000.0
    state: str = "RUNNING"
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, (holds, words) in FIELDS.items():
            if not holds(getattr(self, name)):
                raise ValueError(f"{name} {plain(getattr(self, name))} is not {words}")
        if self.fault not in KINDS:
            raise ValueError(f"no fault {self.fault!r}; there are {', '.join(KINDS)}")
        if self.moment not in ("before", "after"):
            raise ValueError(f"moment {self.moment!r} is neither before nor after")
        self.method = self.method or USUAL_METHOD.get(self.fault, "*")

    @property
    def title(self) -> str:
        """The name under which it is counted."""
        return f"{self.fault} {self.status}" if self.fault == "status" else self.fault

    def strikes(self, method: str, subject: str) -> bool:
        """Whether it affects this call; if so, it is counted."""
        if self.method not in ("*", method) or self.match not in subject or self.times == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if random.random() >= self.chance:
            return False
        if self.times is not None:
            self.times -= 1
        return True


def _fault(rule: Any) -> Fault:
    """The rule of a table. ValueError: it is invalid, or has an unknown field."""
    if not isinstance(rule, dict):
        raise ValueError(f"a fault is an object, not {plain(rule)}")
    unknown = rule.keys() - {one.name for one in fields(Fault)}
    if unknown:
        raise ValueError(f"a fault has no field {', '.join(sorted(map(plain, unknown)))}")
    return Fault(**rule)


class Faults:
    """The active rules; `struck` counts how often each kind was used since the emulator started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.struck: Counter[str] = Counter()
        self._rules: list[Fault] = []

    def add(self, **rule: Any) -> None:
        """Adds a rule. ValueError: an unknown field or fault."""
        self.add_all([rule])

    def add_all(self, rules: list[Any]) -> None:
        """Adds rules, or none if one of them is invalid. ValueError says why."""
        faults = [_fault(rule) for rule in rules]
        with self._lock:
            self._rules.extend(faults)

    def draw(self, method: str, subject: str = "") -> dict[str, Fault]:
        """The faults that strike this call, by kind; of a kind the first rule wins, and is counted."""
        with self._lock:
            struck: dict[str, Fault] = {}
            for rule in self._rules:
                if rule.fault not in struck and rule.strikes(method, subject):
                    struck[rule.fault] = rule
                    self.struck[rule.title] += 1
            self._rules = [rule for rule in self._rules if rule.times != 0]
            return struck

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]
