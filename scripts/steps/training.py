"""A training to be watched: a live line on a terminal, a plain line an epoch elsewhere.

    with followed(config.epochs) as told:
        train(config, …, **told)

The live line is drawn when a step has ended, a few times a second, by no thread of its own: that would take turns with
the training's.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scripts.terminal.output import live, say
from scripts.terminal.recovery import kept

if TYPE_CHECKING:
    from shared.training.loop import Progress, Row

EVERY = 0.25  # seconds between two looks at a training: each takes 2 ms to draw, and a GPU has to be waited for
BAR = 5  # columns for the bar, at least
ECHO = 3  # columns left free for the ^C that a terminal writes behind the line: on the next one it would stay
STOPPING = "stopping; Ctrl-C once more ends at once"
# What stands before the bar, and after it. The first that leaves room enough is taken: widest first.
FORMS = (
    ("epoch {epoch}/{epochs}", "loss {loss:.4f}   accuracy {accuracy:6.2%}   {speed:>7} images/s   {left} left"),
    ("epoch {epoch}/{epochs}", "loss {loss:.4f}  accuracy {accuracy:6.2%}  {speed:>7}/s  {left} left"),
    ("{epoch}/{epochs}", "loss {loss:.3f}  {accuracy:6.2%}  {speed:>6}/s  {left}"),
    ("{epoch}/{epochs}", "{loss:.3f} {accuracy:4.0%} {left}"),
)


@contextmanager
def followed(epochs: int) -> Iterator[dict[str, Any]]:
    """Gives the callbacks of a training: a line an epoch on stderr and, on a terminal, a live one below."""
    from shared.training.results import epoch_line

    if not sys.stderr.isatty():
        plainly = {"on_epoch": lambda row: say(epoch_line(row, epochs)), "on_stop": lambda: say(STOPPING)}
        yield plainly | {"on_kept": kept}
        return
    line = _Line(epochs)
    with line.shown:
        yield {"on_epoch": line.epoch, "on_step": line.step, "on_stop": line.stop, "on_kept": kept}


class _Line:
    """The live line."""

    def __init__(self, epochs: int) -> None:
        from rich.progress import BarColumn, TextColumn

        self.epochs, self.pace, self.bar = epochs, _Pace(), BarColumn(bar_width=BAR)
        before, after = (TextColumn(f"{{task.fields[{part}]}}", markup=False) for part in ("before", "after"))
        self.shown = live(before, self.bar, after, auto_refresh=False)
        self.task = self.shown.add_task("", total=1.0)
        self._draw(0.0, "starting")

    def step(self, progress: "Progress") -> None:
        """A step has ended: draws the line, unless that was done just now."""
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
            if self._room(before, after) >= BAR:
                break
        self._draw(progress.share, before, after)

    def epoch(self, row: "Row") -> None:
        """An epoch has ended: its line stays, above the live one."""
        from shared.training.results import epoch_line

        say(epoch_line(row, self.epochs))
        if row["epoch"] == self.epochs:  # seconds still, for the test images and the pictures
            self._draw(1.0, "finishing")

    def stop(self) -> None:
        """It was interrupted."""
        say(STOPPING)
        self._draw(self.shown.tasks[0].completed, "stopping")

    def _room(self, before: str, after: str) -> int:
        """Columns that these leave for the bar, between two blanks."""
        return self.shown.console.width - ECHO - len(before) - len(after) - 2

    def _draw(self, share: float, before: str, after: str = "") -> None:
        self.bar.bar_width = max(1, self._room(before, after))
        self.shown.update(self.task, completed=share, before=before, after=after, refresh=self.shown.live.is_started)


class _Pace:
    """How fast a training is, from a look at it now and then: `speed` in images a second, `left` in seconds.

    The speed is that of the epoch so far, and the one before it where this has only begun: checks are not in it. The
    time left is taken from all that was seen; both are None before there is anything to tell them from.
    """

    def __init__(self) -> None:
        self.seen = self.began = self.epoch_began = 0.0
        self.first_share, self.epoch, self.first_images = 0.0, 0, 0
        self.speed: float | None = None
        self.left: float | None = None

    def step(self, progress: "Progress") -> None:
        """A step has ended: an epoch's first is its beginning here, because an epoch may lie between two looks."""
        if progress.epoch != self.epoch:
            self.epoch, self.epoch_began, self.first_images = progress.epoch, time.monotonic(), progress.images

    def look(self, progress: "Progress") -> None:
        """Takes in where the training is now."""
        self.seen = time.monotonic()
        if not self.began:
            self.began, self.first_share = self.seen, progress.share
        elif progress.share > self.first_share:
            self.left = (self.seen - self.began) * (1 - progress.share) / (progress.share - self.first_share)
        if progress.images > self.first_images:
            self.speed = (progress.images - self.first_images) / (self.seen - self.epoch_began)
