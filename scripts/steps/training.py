"""Progress of a training: a live line on a terminal, elsewhere a plain line for each epoch.

    with followed() as report:
        train(config, …, report=report)

The live line is drawn after a step, a few times a second, without its own thread, which would slow the training.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from local.core.events import Stopping
from scripts.steps.progress import tell
from scripts.terminal.output import live
from shared.core.events import EpochEnded, Event, Report, StepEnded

EVERY = 0.25  # seconds between two updates: each takes 2 ms to draw, and must wait for a GPU
BAR = 5  # columns for the bar, at least
ECHO = 3  # free columns for the ^C that a terminal writes after the line
# The text before the bar, and after it: the first form, from the widest on, that leaves enough space.
FORMS = (
    ("epoch {epoch}/{epochs}", "loss {loss:.4f}   accuracy {accuracy:6.2%}   {speed:>7} images/s   {left} left"),
    ("epoch {epoch}/{epochs}", "loss {loss:.4f}  accuracy {accuracy:6.2%}  {speed:>7}/s  {left} left"),
    ("{epoch}/{epochs}", "loss {loss:.3f}  {accuracy:6.2%}  {speed:>6}/s  {left}"),
    ("{epoch}/{epochs}", "{loss:.3f} {accuracy:4.0%} {left}"),
)


@contextmanager
def followed() -> Iterator[Report]:
    """Yields the report of a training: a line for each epoch on stderr and, on a terminal, a live one below."""
    if not sys.stderr.isatty():
        yield tell
        return
    line = _Line()
    with line.shown:
        yield line.report


class _Line:
    """The live line."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, TextColumn

        self.pace, self.bar = _Pace(), BarColumn(bar_width=BAR)
        before, after = (TextColumn(f"{{task.fields[{part}]}}", markup=False) for part in ("before", "after"))
        self.shown = live(before, self.bar, after, auto_refresh=False)
        self.task = self.shown.add_task("", total=1.0)
        self._draw(0.0, "starting")

    def report(self, event: Event) -> None:
        """Draws the line after a step; other messages stay above it."""
        match event:
            case StepEnded():
                return self._step(event)
            case EpochEnded(row=row, epochs=epochs) if row["epoch"] == epochs:
                self._draw(1.0, "finishing")  # some seconds remain, for the test images and the pictures
            case Stopping():
                self._draw(self.shown.tasks[0].completed, "stopping")
        return tell(event)

    def _step(self, progress: StepEnded) -> None:
        """Draws the line, unless it was drawn just now."""
        self.pace.step(progress)
        if time.monotonic() < self.pace.seen + EVERY:
            return
        self.pace.look(progress)
        loss, accuracy = progress.running()
        values = {
            "epoch": f"{progress.epoch:>{len(str(progress.epochs))}}",
            "epochs": progress.epochs,
            "loss": loss,
            "accuracy": accuracy,
            "speed": "–" if self.pace.speed is None else f"{self.pace.speed:,.0f}",
            "left": "–:––:––" if self.pace.left is None else timedelta(seconds=round(self.pace.left)),
        }
        for form in FORMS:
            before, after = (text.format(**values) for text in form)
            if self._bar_width(before, after) >= BAR:
                break
        self._draw(progress.share, before, after)

    def _bar_width(self, before: str, after: str) -> int:
        """Columns that remain for the bar, between two spaces."""
        return self.shown.console.width - ECHO - len(before) - len(after) - 2

    def _draw(self, share: float, before: str, after: str = "") -> None:
        self.bar.bar_width = max(1, self._bar_width(before, after))
        self.shown.update(self.task, completed=share, before=before, after=after, refresh=self.shown.live.is_started)


class _Pace:
    """How fast a training is, from occasional updates: `speed` in images a second, `left` in seconds.

    The speed is that of the epoch so far, or of the one before if it has just begun, without the checks. The time left
    follows from the complete training so far; both are None before the first measurement.
    """

    def __init__(self) -> None:
        self.seen = self.began = self.epoch_began = 0.0
        self.first_share, self.epoch, self.first_images = 0.0, 0, 0
        self.speed: float | None = None
        self.left: float | None = None

    def step(self, progress: StepEnded) -> None:
        """A step has ended: the first of an epoch is its start here, because an epoch may pass between two updates."""
        if progress.epoch != self.epoch:
            self.epoch, self.epoch_began, self.first_images = progress.epoch, time.monotonic(), progress.images

    def look(self, progress: StepEnded) -> None:
        """Records the progress of the training."""
        self.seen = time.monotonic()
        if not self.began:
            self.began, self.first_share = self.seen, progress.share
        elif progress.share > self.first_share:
            self.left = (self.seen - self.began) * (1 - progress.share) / (progress.share - self.first_share)
        if progress.images > self.first_images:
            self.speed = (progress.images - self.first_images) / (self.seen - self.epoch_began)
