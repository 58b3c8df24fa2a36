"""What work reports on its way: events, one type for everything, given to one call, `report`.

    def show(event: Event) -> None:
        if isinstance(event, EpochEnded):
            print(event.row)

    train(config, data, report=show)

Each kind is a small class of plain values. Here are the kinds that a training and a long computation have; those that
only this machine has are in `local.core.events`. Nothing is printed here: `scripts.steps.progress` has the words.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")


class Event:
    """Something that happened. Each kind is a subclass."""


Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """The report of a caller who wants none."""


@dataclass(frozen=True)
class Progress(Event):
    """The share of the work that is done, 0 to 1."""

    share: float


@dataclass(kw_only=True)
class StepEnded(Event):
    """A step of a training has ended. One object, changed in place, so that a step costs next to nothing.

    `images` are those of this epoch so far. `running` gives their mean loss and the accuracy on them: a GPU has to be
    waited for to know that, so ask a few times a second, not each step.
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
    """An epoch of a training has ended: its row of the history, and how many epochs there are to be.

    `snapshot` gives a `shared.training.loop.Snapshot`, all it takes to resume here. It copies the weights, and is for
    use while this event is reported: the next step changes them.
    """

    row: dict[str, Any]
    epochs: int
    snapshot: Callable[[], Any]


def within(report: Report, begin: float, end: float) -> Report:
    """The report for a part of the work: what is 0 to 1 there is `begin` to `end` of the whole."""

    def part(event: Event) -> None:
        report(Progress(begin + (end - begin) * event.share) if isinstance(event, Progress) else event)

    return part


def each(items: Sequence[Item], report: Report) -> Iterator[Item]:
    """The items, one after another; when the work on one is done, the share of all is reported."""
    for number, item in enumerate(items, start=1):
        yield item
        report(Progress(number / len(items)))
