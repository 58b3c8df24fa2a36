"""The log of a run as it is written: read in a thread of its own, over as many connections as it takes.

    log = LiveLog(service, run, report)
    log.start(); log.pause(5); log.end(); log.text

The service cuts a stream that was quiet for minutes, and on the next connection it plays the log from its first record
again, maybe in other pieces. What was given is not given twice. It is a convenience: the status of the run decides, and
its whole log comes at the end.
"""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass

from local.core.events import LogLost, LogWritten
from local.kaggle_api.client import Service
from local.runs.journal import Run
from shared.core.errors import KernelError
from shared.core.events import Report, silent

KEPT = 100_000  # pieces that are kept, the last ones: a run may print for ever, and its end tells most
HEAD = 1000  # characters by which a log that begins again is known
SHORT = 10.0  # seconds; a connection that ended sooner, and brought nothing new, was for nothing
VAIN = 3  # such connections in a row, after which it is said that the log is not to be had
SOONEST, LATEST = 1.0, 30.0  # seconds between two connections

logger = logging.getLogger(__name__)


@dataclass
class Unseen:
    """What is new in a log that may begin again, told by its characters: the pieces may be others than before."""

    head: str = ""
    seen: int = 0
    at: int = 0

    def begin(self) -> None:
        """Another connection: the log is expected from its first character again."""
        self.at = 0

    def of(self, piece: str) -> str:
        """The part of this piece that was not there before."""
        if self.head[self.at : self.at + len(piece)] != piece[: max(0, len(self.head) - self.at)]:
            self.at = self.seen  # it does not begin again: it goes on, or it is another log
        new = piece[max(0, self.seen - self.at) :]
        self.at += len(piece)
        self.seen = max(self.seen, self.at)
        self.head = (self.head + new)[:HEAD]
        return new


class LiveLog(threading.Thread):
    """Reads the log beside the questions after the status. Reports LogWritten, and LogLost once a gap."""

    def __init__(self, service: Service, run: Run, report: Report = silent) -> None:
        super().__init__(daemon=True)
        self.service, self.watched, self.report = service, run, report
        self.pieces: deque[str] = deque(maxlen=KEPT)
        self.unseen = Unseen()
        self.ended = threading.Event()  # the log has come to its end
        self.closing = threading.Event()  # the run has ended: one more connection brings all there is
        self.over = threading.Event()  # nobody wants more of it

    def run(self) -> None:
        """Until the log ends, or nobody wants more of it."""
        vain, last = 0, False
        while not last:
            last = self.closing.is_set()
            began, before = time.monotonic(), self.unseen.seen
            trouble = self._connection()
            if not trouble:
                self.ended.set()
                return
            logger.info("the live log broke off: %s", trouble)
            fruitful = self.unseen.seen > before or (self.opened and time.monotonic() - began > SHORT)
            vain = 0 if fruitful else vain + 1
            if vain == VAIN:
                self.report(LogLost(trouble))
            self.closing.wait(min(SOONEST * 2**vain, LATEST))

    def _connection(self) -> str:
        """Reads until the log ends, and gives "", or until the connection does, and gives why."""
        self.unseen.begin()
        self.opened = False
        try:
            for piece in self.service.follow_log(self.watched.slug, self.watched.version):
                self.opened = True
                if new := self.unseen.of(piece):
                    self.pieces.append(new)
                    self.report(LogWritten(new))
                if self.over.is_set():
                    break
        except KernelError as error:
            return str(error)
        return ""

    @property
    def text(self) -> str:
        """What has come of it; of a very long one, the end."""
        return "".join(self.pieces)

    def pause(self, seconds: float) -> None:
        """Waits, but not beyond the end of the log: the run has most likely ended with it."""
        if self.ended.wait(seconds):
            self.ended.clear()

    def end(self, patience: float = 2.0) -> None:
        """The run has ended: what is left of its log may still come for `patience` seconds."""
        self.closing.set()
        if self.ident:
            self.join(timeout=patience)
        self.over.set()
