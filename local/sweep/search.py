"""A search for a training's parameters: trials are drawn, trained by a crew, pruned, and written down in a study.

    with opened(name, task, url=url) as study, Workers(task, count=2) as crew:
        search(study, crew, total=30, on_trial=…)
        study.best(); study.rows(); importances(study)

The crew is `workers.Workers`, processes of this machine, or `remote.Runs`, runs on a service. Only validation images
are ever looked at: no trial evaluates the test set. The study goes on where it was left: ended at any moment, the same
search trains what is missing to `total`.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from local.core.interruption import noticed
from local.sweep.storage import folder, quiet
from local.sweep.study import Study
from local.sweep.workers import Done, Epoch, Event, Failed, Stopped
from shared.core import files
from shared.core.errors import UserError
from shared.training.config import TrainConfig

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

LISTEN = 0.5  # seconds until Ctrl-C is heard, at most
FAILURES = 3  # in a row, after which something else than a trial's values is at fault
SMALLEST = 1e-5  # error or loss, before its logarithm is taken
ENOUGH = 10  # complete trials, to say what the parameters matter


class Crew(Protocol):
    """Who trains trials. `outlive`: whether they go on when this process ends, and are found again."""

    slots: int
    outlive: bool

    def start(self, trial: int, configs: Sequence[TrainConfig]) -> None:
        """Has a trial trained."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """What happened since."""

    def answer(self, trial: int, *, go_on: bool) -> None:
        """The word that a trial waits for after an Epoch."""


class Search:
    """One search under way; `search` runs it."""

    def __init__(
        self,
        study: Study,
        crew: Crew,
        *,
        total: int,
        timeout: float | None,
        on_trial: Callable[[dict[str, Any]], None],
        on_share: Callable[[float], None],
    ) -> None:
        self.study, self.crew, self.total = study, crew, total
        self.on_trial, self.on_share = on_trial, on_share
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.steps: dict[int, int] = {}  # epochs of the trials under way
        self.failures = 0

    def run(self) -> None:
        """Until `total` trials are finished, here or elsewhere.

        Ctrl-C waits for the storage: in the middle of a transaction it would leave the database locked.
        """
        with noticed() as asked:
            try:
                self._fill()
                while self.study.held or self.study.settling():
                    events = self.crew.wait(LISTEN)
                    for event in events:
                        self._take(event)
                    if asked():
                        raise KeyboardInterrupt
                    if self.study.beat() or events or not self.study.held:
                        self._fill()
            except BaseException:
                self._give_back()
                raise

    def _give_back(self) -> None:
        """What was under way comes first when the search goes on; what outlives this process goes on by itself."""
        for trial in list(self.study.held.values()) if not self.crew.outlive else ():
            self.study.give_back(trial, "interrupted")

    def _fill(self) -> None:
        """Starts trials as long as there is room and time: first those that go on."""
        if len(self.study.held) < self.crew.slots:
            for trial in self.study.reclaim():
                self._start(trial)
        while len(self.study.held) < self.crew.slots and (new := self._next()):
            self._start(new)

    def _next(self) -> "Trial | None":
        over = self.deadline is not None and time.monotonic() >= self.deadline
        return None if over else self.study.ask(self.total)

    def _start(self, trial: "Trial") -> None:
        self.steps[trial.number] = 0
        self.crew.start(trial.number, self.study.task.configs(trial.params))

    def _take(self, event: Event) -> None:
        trial = self.study.held[event.trial]
        match event:
            case Epoch(step=step, value=value):
                self._judge(trial, step, value)
                return
            case Done(parts=parts):
                self.failures = 0
                counted = self.study.tell(trial, parts)
            case Stopped(diverged=reason):
                self.failures = 0
                counted = self.study.prune(trial, diverged=reason)
            case Failed():
                counted = self._failed(trial, event)
        del self.steps[event.trial]
        if counted:
            self.on_trial(self.study.row(self.study.trial(event.trial)))
            self._tell_share()
        if self.failures >= FAILURES and isinstance(event, Failed):
            raise UserError(f"{FAILURES} trials in a row failed; the last: {event.message}{self._kept(event)}")

    def _judge(self, trial: "Trial", step: int, value: float) -> None:
        """Notes an epoch, and says whether the trial is worth its next one. After the last there is nothing to save."""
        self.steps[trial.number] = step
        self._tell_share()
        go_on = self.study.report(trial, step, value) or step >= self.study.task.steps
        self.crew.answer(trial.number, go_on=go_on)

    def _failed(self, trial: "Trial", event: Failed) -> bool:
        """A trial that is tried again has not failed yet."""
        if event.lost:
            self.failures += self.study.last_try(trial)
            return self.study.give_back(trial, event.message, blame=True)
        self.failures += 1
        return self.study.fail(trial, event.message)

    def _kept(self, event: Failed) -> str:
        """Keeps the traceback of what looks like a bug, and says where."""
        if not event.detail:
            return ""
        path = folder(self.study.name) / f"trial-{event.trial}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, event.detail.encode())
        return f"\nThe whole of it: {path}"

    def _tell_share(self) -> None:
        begun = sum(self.steps.values()) / self.study.task.steps
        self.on_share(min(1.0, (self.study.finished() + begun) / self.total))


def search(
    study: Study,
    crew: Crew,
    *,
    total: int,
    timeout: float | None = None,
    on_trial: Callable[[dict[str, Any]], None] = lambda row: None,
    on_share: Callable[[float], None] = lambda done: None,
) -> None:
    """Has trials trained until `total` of the study are finished, counting those of before and of other machines.

    After `timeout` seconds none is begun any more; those under way come to their end. `on_trial` is told each trial
    that ended, `on_share` the share done. Raises UserError where one trial after the other fails. Ended by an error or
    by Ctrl-C, it gives the trials under way back: their values come first when the search goes on.
    """
    Search(study, crew, total=total, timeout=timeout, on_trial=on_trial, on_share=on_share).run()


def importances(study: Study) -> dict[str, float]:
    """How much of the objective each parameter decides, most first, adding up to 1; {} if too few trials tell.

    fANOVA (Hutter et al. 2014), Optuna's own, on the logarithm of the error or the loss: among trials of 99 %, one of
    20 % would else be all that counts. Rough, the fewer the trials the more.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    finished = study.trials(study.state.COMPLETE)
    if len(finished) < ENOUGH or len({trial.value for trial in finished}) < 2:
        return {}

    def target(trial: "FrozenTrial") -> float:
        value = float(trial.value or 0.0)
        return math.log(max(1 - value if study.task.higher_is_better else value, SMALLEST))

    with quiet():
        found = get_param_importances(study.optuna, evaluator=FanovaImportanceEvaluator(seed=0), target=target)
    return {name: float(share) for name, share in found.items()}
