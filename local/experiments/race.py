"""Time to an accuracy on this machine: whole trainings held against each other, each in a process of its own.

    contestants = [Contestant.parse("4xsprint:tuned"), Contestant.parse("compact:plain")]
    finishes = list(race(contestants, Rules(target=0.99, dataset="mnist"), seeds=5))
    table = rows(contestants, finishes, Rules(...))

One rule for all, as in MLPerf's time to train: a training is over after the first epoch at whose end the accuracy on
the validation images is at least the target. Its time runs from the images in memory to the end of that epoch, without
the checks. Then, once, the test images are read: by them nothing is stopped or chosen. Where a training is ended before
its time, they are read by the weights that any interrupted training keeps, those of its lowest validation loss: nearly
always the last. A recipe whose learning rate is constant may take as many epochs as are allowed; one with a schedule
has the length that its recipe or its contestant names, because the schedule must know it beforehand. A training that
ends below the target has not reached it: it counts in every mean of accuracies, and in a median of times as longer than
any that did. The first of many checks to be good enough is a lucky one: how many are at the target on the test images
too is told beside it.

Each training has a fresh process, so that none finds warm what another left behind. There the packages are imported and
the data read, and `local.experiments.time_to_target` makes two steps of warm-up: none of it is in the time of the
training, and all of it in `process_seconds`. Trainings take turns, seed by seed, so that what else happens on the
machine falls on all alike; how much that was is measured. Nothing is written, and no model kept.
"""

import json
import math
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from local.core import workspace
from shared.core.errors import ConfigError, UserError
from shared.training.config import TrainConfig, known

QUIET = 0.1  # processors that others may keep busy on a quiet machine
FRESH = "import sys; sys.path.insert(0, sys.argv[1]); from local.experiments.time_to_target import answer; answer()"
_CONTESTANT = re.compile(r"(?:([1-9]\d?)x)?([^:]+)(?::([^:]+))?(?::(\d+))?")


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A network and its recipe; it runs `times` seeds where another runs one. `epochs`: at most so many."""

    architecture: str
    recipe: str = "tuned"
    epochs: int | None = None
    times: int = 1

    @classmethod
    def parse(cls, text: str) -> "Contestant":
        """From `[TIMESx]ARCHITECTURE[:RECIPE[:EPOCHS]]`. ConfigError for another form, or what does not exist."""
        found = _CONTESTANT.fullmatch(text)
        if not found:
            raise ConfigError(
                f"contestant {text!r}: write ARCHITECTURE[:RECIPE[:EPOCHS]], such as compact:plain, "
                "and 4x before it for four seeds to each one of the others."
            )
        times, architecture, recipe, epochs = found.groups()
        one = cls(
            architecture=architecture,
            recipe=recipe or cls.recipe,
            epochs=known("epochs").parse(epochs) if epochs else None,
            times=int(times or 1),
        )
        TrainConfig.create(architecture=one.architecture, recipe=one.recipe, epochs=one.epochs)
        return one

    @property
    def name(self) -> str:
        return ":".join(str(part) for part in (self.architecture, self.recipe, self.epochs) if part)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What holds for all: the validation accuracy to be reached (0..1), on which data set, by what, in which bounds.

    `threads` of None leaves their number to the framework.
    """

    target: float = 0.99
    dataset: str = "mnist"
    data_dir: Path | None = None
    framework: str = "torch"
    threads: int | None = None
    max_epochs: int = 20

    def config(self, contestant: Contestant, seed: int) -> TrainConfig:
        """The training of a contestant with a seed."""
        config = TrainConfig.create(
            architecture=contestant.architecture,
            recipe=contestant.recipe,
            epochs=contestant.epochs,
            dataset=self.dataset,
            seed=seed,
        )
        if config.schedule == "constant" and contestant.epochs is None:
            return replace(config, epochs=self.max_epochs)
        return config

    def order(self, contestant: Contestant, seed: int) -> dict[str, Any]:
        """The same for `local.experiments.time_to_target.answer`, in plain values."""
        return {
            "target": self.target,
            "config": self.config(contestant, seed).as_dict(),
            "framework": self.framework,
            "threads": self.threads,
            "data_dir": self.data_dir and str(self.data_dir),
        }


@dataclass(frozen=True, kw_only=True)
class Finish:
    """One training: whether it reached the target, after how many epochs and seconds, and its accuracies (0..1).

    `others` is how many processors other programs kept busy meanwhile, `process_seconds` the wall time of the whole
    process: start, imports, data, warm-up, training, checks and test.
    """

    contestant: Contestant
    seed: int
    reached: bool
    epochs: int
    seconds: float
    cpu_seconds: float
    validation_accuracy: float
    test_accuracy: float
    others: float
    process_seconds: float
    accelerator: str

    def figures(self) -> dict[str, Any]:
        """Those of this one seed, as `rows` lists them."""
        figures = asdict(self)
        return {name: value for name, value in figures.items() if name not in ("contestant", "accelerator")}


def race(contestants: Sequence[Contestant], rules: Rules, *, seeds: int) -> Iterator[Finish]:
    """Trains them in turns and gives each finish as it comes.

    Raises UserError with the words of what went wrong there. However this process ends, a training that runs does too.
    """
    for contestant, seed in turns(contestants, seeds):
        yield _run(contestant, seed, rules)


def turns(contestants: Sequence[Contestant], seeds: int) -> list[tuple[Contestant, int]]:
    """Who runs with which seed, one after another: round by round, and in each round another one comes first.

    A contestant that runs several times a round is spread over it.
    """
    taken = Counter[Contestant]()
    found = []
    for turn in range(seeds):
        entries = [((at + 0.5) / one.times, one) for one in contestants for at in range(one.times)]
        line = [one for _, one in sorted(entries, key=itemgetter(0))]
        first = turn % len(line)
        for one in line[first:] + line[:first]:
            found.append((one, taken[one]))
            taken[one] += 1
    return found


def rows(contestants: Sequence[Contestant], finishes: Sequence[Finish], rules: Rules) -> list[dict[str, Any]]:
    """What `k2l race --json` prints: an object for each contestant that has finished at least once.

    `seconds`, `cpu_seconds` and `epochs` are medians over the seeds, and None where at least half did not reach the
    target. `test_accuracy` is the mean of all seeds, `test_accuracy_sd` their standard deviation, `over_target` the
    share of them whose test accuracy is at least the target. `ratio` and `cpu_ratio` are to the first contestant.
    """
    of = {one: [finish for finish in finishes if finish.contestant == one] for one in contestants}
    table = [_row(one, of[one], rules) for one in contestants if of[one]]
    for row in table:
        for ratio, value in (("ratio", "seconds"), ("cpu_ratio", "cpu_seconds")):
            mine, first = row[value], table[0][value] if of[contestants[0]] else None
            row[ratio] = mine / first if mine is not None and first is not None else None
    return table


def _row(contestant: Contestant, finishes: Sequence[Finish], rules: Rules) -> dict[str, Any]:
    accuracies = [finish.test_accuracy for finish in finishes]
    return {
        "contestant": contestant.name,
        "architecture": contestant.architecture,
        "recipe": contestant.recipe,
        "framework": rules.framework,
        "dataset": rules.dataset,
        "accelerator": finishes[0].accelerator,
        "target": rules.target,
        "trainings": len(finishes),
        "reached": sum(finish.reached for finish in finishes),
        "max_epochs": rules.config(contestant, 0).epochs,
        **{name: _median(finishes, name) for name in ("epochs", "seconds", "cpu_seconds")},
        "test_accuracy": statistics.mean(accuracies),
        "test_accuracy_sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "over_target": sum(accuracy >= rules.target for accuracy in accuracies) / len(accuracies),
        "others": statistics.median(finish.others for finish in finishes),
        "process_seconds": statistics.median(finish.process_seconds for finish in finishes),
        "ratio": None,
        "cpu_ratio": None,
        "seeds": [finish.figures() for finish in finishes],
    }


def _median(finishes: Sequence[Finish], name: str) -> float | None:
    """Over all seeds; those that did not reach the target took longer than any that did."""
    middle = statistics.median(getattr(finish, name) if finish.reached else math.inf for finish in finishes)
    return middle if math.isfinite(middle) else None


def _run(contestant: Contestant, seed: int, rules: Rules) -> Finish:
    """One training in a fresh process. It does not hear a terminal's Ctrl-C: this process does, and ends it."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(workspace.CHECKOUT)],
        input=json.dumps(rules.order(contestant, seed)),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    process_seconds = time.perf_counter() - began
    if done.returncode:
        raise UserError(
            f"the training of {contestant.name} with seed {seed} died (exit code {done.returncode}): "
            "its last words are above; there are none where memory was short."
        )
    answer = json.loads(done.stdout.splitlines()[-1])
    if "error" in answer:
        raise UserError(answer["error"])
    return Finish(**answer, contestant=contestant, seed=seed, process_seconds=process_seconds)
