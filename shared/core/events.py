"""What work reports while it runs: events, one type for everything, passed to one callback, `report`.

    def show(event: Event) -> None:
        if isinstance(event, EpochEnded):
            print(event.row)

    train(config, data, report=show)

Each kind is a small class of plain values. The kinds of a training and of a long computation are here; those of this
machine alone are in `local.core.events`. Nothing is printed here: `scripts.steps.progress` has the messages.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")


class Event:
    """Something that happened. Each kind is a subclass."""


Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """A report that does nothing."""


@dataclass(frozen=True)
class Progress(Event):
    """The share of the work that is done, 0 to 1."""

    share: float


@dataclass(kw_only=True)
class StepEnded(Event):
    """A step of a training has ended. One object, changed in place, so that a step costs almost nothing.

    `images` are those of this epoch so far. `running` gives their mean loss and the accuracy on them: that must wait
    for the GPU, so ask a few times a second, not at each step.
    """

    epochs: int
    images_per_epoch: int
    epoch: int = 1
    images: int = 0
    running: Callable[[], tuple[float, float]] = lambda: (float("nan"), float("nan"))

    @property
    def share(self) -> float:
        """The share of the whole training that is done, 0 to 1."""
        return (self.epoch - 1 + self.images / self.images_per_epoch) / self.epochs


@dataclass(frozen=True, kw_only=True)
class EpochEnded(Event):
    """An epoch of a training has ended: its row of the history, and the number of epochs in all.

    `snapshot` gives a `shared.training.loop.Snapshot`, all that a resumed training needs. It copies the weights; call
    it during the report, since the next step changes them.
    """

    row: dict[str, Any]
    epochs: int
    snapshot: Callable[[], Any]


def within(report: Report, begin: float, end: float) -> Report:
    """The report for a part of the work: 0 to 1 in the part is `begin` to `end` of the whole."""

    def part(event: Event) -> None:
        report(Progress(begin + (end - begin) * event.share) if isinstance(event, Progress) else event)

    return part


def each(items: Sequence[Item], report: Report) -> Iterator[Item]:
    """The items, one after another; when the work on one is done, the share of all is reported."""
    for number, item in enumerate(items, start=1):
        yield item
        report(Progress(number / len(items)))
