"""The log of a run as it is written: read in its own thread, over as many connections as necessary.

    log = LiveLog(service, run, report)
    log.start(); log.pause(5); log.end(); log.text

The service cuts a stream that was quiet for minutes. On the next connection it sends the log from its first record
again, maybe in other pieces. Nothing is reported twice. It is a convenience: the status of the run decides, and its
complete log comes at the end.
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

MOST_PIECES = 100_000  # the last pieces, which are saved: a run may print for ever, and its end says most
HEAD = 1000  # characters that identify a log that starts again
SHORT = 10.0  # seconds; a shorter connection without new text has failed
MOST_FAILED = 3  # failed connections in a row before LogLost is reported
SOONEST, LATEST = 1.0, 30.0  # seconds between two connections

logger = logging.getLogger(__name__)


@dataclass
class NewText:
    """What is new in a log that may start again, found by its characters: the pieces may differ from before."""

    head: str = ""
    seen: int = 0
    at: int = 0

    def begin(self) -> None:
        """A new connection: the log is expected from its first character again."""
        self.at = 0

    def of(self, piece: str) -> str:
        """The part of this piece that is new."""
        if self.head[self.at : self.at + len(piece)] != piece[: max(0, len(self.head) - self.at)]:
            self.at = self.seen  # it does not start again: it continues, or it is another log
        new = piece[max(0, self.seen - self.at) :]
        self.at += len(piece)
        self.seen = max(self.seen, self.at)
        self.head = (self.head + new)[:HEAD]
        return new


class LiveLog(threading.Thread):
    """Reads the log while the status is checked. Reports LogWritten, and LogLost once for each gap."""

    def __init__(self, service: Service, run: Run, report: Report = silent) -> None:
        super().__init__(daemon=True)
        self.service, self.watched, self.report = service, run, report
        self.pieces: deque[str] = deque(maxlen=MOST_PIECES)
        self.unseen = NewText()
        self.ended = threading.Event()  # the log has ended
        self.closing = threading.Event()  # the run has ended: one more connection gives the rest
        self.over = threading.Event()  # no more is needed

    def run(self) -> None:
        """Until the log ends, or no more is needed."""
        failed, last = 0, False
        while not last:
            last = self.closing.is_set()
            began, before = time.monotonic(), self.unseen.seen
            trouble = self._connection()
            if not trouble:
                self.ended.set()
                return
            logger.info("the live log was cut off: %s", trouble)
            useful = self.unseen.seen > before or (self.opened and time.monotonic() - began > SHORT)
            failed = 0 if useful else failed + 1
            if failed == MOST_FAILED:
                self.report(LogLost(trouble))
            self.closing.wait(min(SOONEST * 2**failed, LATEST))

    def _connection(self) -> str:
        """Reads to the end of the log and returns "", or to the end of the connection and returns the reason."""
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
        """What has arrived; of a very long log, the end."""
        return "".join(self.pieces)

    def pause(self, seconds: float) -> None:
        """Waits, but not beyond the end of the log: the run has probably ended too."""
        if self.ended.wait(seconds):
            self.ended.clear()

    def end(self, patience: float = 2.0) -> None:
        """The run has ended: the rest of its log may still arrive for `patience` seconds."""
        self.closing.set()
        if self.ident:
            self.join(timeout=patience)
        self.over.set()
