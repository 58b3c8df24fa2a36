"""The faults that `side_by_side` measures, as data: a line of its table each."""

from dataclasses import dataclass, field
from typing import Any

MODEL = "model.pth"
NEW = bytes(range(251)) * 400
OLD, OLD_OF_THE_SAME_SIZE = b"old weights " * 5000, b"o" * len(NEW)
PATIENCE = 20.0  # seconds, where no other number is given
HTML = "<html><head><title>Error</title></head><body>nginx</body></html>"
SAID = {"error": {"code": 503, "message": "Try again later", "status": "UNAVAILABLE"}}
RECORDS = ("it ran", "epoch 1 of 2", "epoch 2 of 2")  # the log of a session that has ended, in lines


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A bad day: what the emulator is told, what lay there before, and the steps that meet it, by name.

    `named` is its line in the table. `files` are what the run left; `old` is what lies here in place of the first, from
    the version before; `log` the records that the service gives whole. `worthless` says what a push that the service
    took lacks. With `ends_later` the session pushed ends some seconds after. `reason` stands in the
    words of whoever says what is wrong.
    """

    named: str
    rules: tuple[dict[str, Any], ...]
    steps: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=lambda: {MODEL: NEW})
    old: bytes = b""
    log: tuple[str, ...] = RECORDS
    worthless: str = ""
    reason: str = ""
    ends_later: bool = False
    patience: float = PATIENCE
    timezone: str = "UTC"


def answer(method: str, status: int, body: Any = SAID, **headers: str) -> dict[str, Any]:
    """The rule of one call that is answered with this status."""
    return {"fault": "status", "method": method, "status": status, "body": body, "headers": headers}


PUSH, STATUS, LIST = "SaveKernel", "GetKernelSessionStatus", "ListKernelSessionOutput"
PAGE = {"Content-Type": "text/html"}
WAIT = {"Retry-After": "1"}
FAULTS = (
    Fault(
        named="push: no room for another run",
        steps=("push",),
        rules=({"fault": "no_capacity", "times": None},),
        reason="session count of",
    ),
    Fault(
        named="push: no GPU time left this week",
        steps=("push",),
        rules=({"fault": "no_quota", "times": None},),
        reason="quota",
    ),
    Fault(
        named="push: a data source does not exist",
        steps=("push",),
        rules=({"fault": "invalid_sources", "names": ["nobody/nothing"]},),
        worthless="it runs without its data",
        reason="nobody/nothing",
    ),
    Fault(named="push: filed under another slug", steps=("push",), rules=({"fault": "misfiled"},)),
    Fault(named="push: 429 with Retry-After, once", steps=("push",), rules=(answer(PUSH, 429, **WAIT),)),
    Fault(named="push: 503, once", steps=("push",), rules=(answer(PUSH, 503),)),
    Fault(
        named="push: done, its answer lost; the same command again",
        steps=("push", "push"),
        rules=({"fault": "drop", "method": PUSH, "moment": "after"},),
    ),
    Fault(named="status: 429 with Retry-After, once", steps=("status",), rules=(answer(STATUS, 429, **WAIT),)),
    Fault(named="status: 503, once", steps=("status",), rules=(answer(STATUS, 503),)),
    Fault(named="status: 502 as a web page, once", steps=("status",), rules=(answer(STATUS, 502, HTML, **PAGE),)),
    Fault(
        named="status: connection dropped before the answer, once",
        steps=("status",),
        rules=({"fault": "drop", "method": STATUS},),
    ),
    Fault(named="status: 401, the token has expired", steps=("status",), rules=(answer(STATUS, 401),)),
    Fault(
        named="status: the answer takes 3 s",
        steps=("status",),
        rules=({"fault": "delay", "method": STATUS, "seconds": 3},),
    ),
    Fault(
        named="push, status, output: the first status is still the previous version's COMPLETE",
        steps=("push", "status", "output"),
        rules=({"fault": "stale_status", "times": None},),
        old=OLD,
        ends_later=True,
        patience=60,
    ),
    Fault(named="output: the list is answered 503, once", steps=("output",), rules=(answer(LIST, 503),)),
    Fault(
        named="output: 500 as a web page in place of a file, once",
        steps=("output",),
        rules=({**answer("Download", 500, HTML, **PAGE), "match": MODEL},),
    ),
    Fault(
        named="output: connection dropped before a file, once",
        steps=("output",),
        rules=({"fault": "drop", "method": "Download", "match": MODEL},),
    ),
    Fault(
        named="output: the link to a file has expired",
        steps=("output",),
        rules=({"fault": "expired", "match": MODEL},),
    ),
    Fault(
        named="output: a download is cut short once, over an old good file",
        steps=("output",),
        rules=({"fault": "truncate", "match": MODEL},),
        old=OLD,
    ),
    Fault(
        named="output: a download is cut short each time, over an old good file",
        steps=("output",),
        rules=({"fault": "truncate", "match": MODEL, "times": None},),
        old=OLD,
        patience=60,
    ),
    Fault(
        named="output: one byte is changed on the way",
        steps=("output",),
        rules=({"fault": "corrupt", "match": MODEL},),
    ),
    Fault(
        named="output: a download stalls in its middle, once",
        steps=("output",),
        rules=({"fault": "stall", "match": MODEL},),
        patience=90,  # more than the minute of silence that k2l bears
    ),
    Fault(
        named="output: a file comes slowly",
        steps=("output",),
        rules=({"fault": "slow", "match": MODEL, "rate": 30_000},),
    ),
    Fault(
        named="output: `../evil` is among the files",
        steps=("output",),
        rules=({"fault": "listed", "names": ["../evil"], "times": None},),
    ),
    Fault(
        named="output: a file is missing from the list",
        steps=("output",),
        rules=({"fault": "unlisted", "names": [MODEL], "times": None},),
    ),
    Fault(
        named="output, without `-o`: an older file of the same size, in Tokyo",
        steps=("output where newer",),
        rules=(),
        old=OLD_OF_THE_SAME_SIZE,
        timezone="Asia/Tokyo",
    ),
    Fault(
        named="output: 205 files, over several pages",
        steps=("output",),
        rules=(),
        files={f"{n:03d}.bin": bytes([n]) * (n + 1) for n in range(205)},
        patience=60,
    ),
    Fault(
        named="log: still empty after COMPLETE",
        steps=("logs",),
        rules=({"fault": "empty_log", "method": LIST, "times": None},),
        reason="no log",
    ),
    Fault(
        named="log: cut in the middle of its last record",
        steps=("logs",),
        rules=({"fault": "cut_log", "method": LIST, "times": None},),
        log=RECORDS[:-1],
    ),
)
# A run that never ends is no fault to who asks once, and whoever waits for it ends the wait; the others are of models,
# which `kaggle` does not publish in one command.
NOT_MEASURED = {"stuck", "cut", "unseen", "cut_stream"}
