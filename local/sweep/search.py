"""A search for a training's parameters: trials are drawn, trained, pruned, and written down in a study.

    with opened(name, task, url=url) as study, Workers(task, count=2) as trainer:
        search(study, trainer, total=30, report=…)
        study.best(); study.rows(); importances(study)

The trainer is `workers.Workers`, processes of this machine, or `remote.RemoteTrainer`, runs on a service. Only
validation images are looked at: no trial evaluates the test set. The search resumes: ended at any moment, the same one
trains what is missing to `total`.

A thread for each trial at once draws a trial, has it trained and ends it. None of them is the main thread, so that
Ctrl-C never comes in the middle of a transaction, which would leave the database locked.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from local.core.events import TrialEnded
from local.sweep import study as sweep_study
from local.sweep.storage import folder, quiet
from local.sweep.study import Study
from local.sweep.task import OnEpoch, Part, TrialError
from shared.core import files
from shared.core.errors import DivergedError, UserError
from shared.core.events import Progress, Report, silent
from shared.training.config import TrainConfig

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

POLL = 0.5  # seconds between two looks at Ctrl-C, and at trials that are under way elsewhere
FAILURES = 3  # in a row, after which something else than a trial's values is at fault
SMALLEST = 1e-5  # error or loss, before its logarithm is taken
ENOUGH = 10  # complete trials, to say what the parameters matter


class Trainer(Protocol):
    """What trains trials, `slots` of them at once, each called from a thread of its own."""

    slots: int

    def train(self, trial: "Trial", configs: Sequence[TrainConfig], on_epoch: OnEpoch) -> list[Part]:
        """The results of one training a config. `on_epoch` gets each epoch, counted over all configs, and its value.

        Raises what `on_epoch` raises, DivergedError, TrialError, and what no trial could get past.
        """

    def stop(self) -> None:
        """Has all calls of `train` end soon, with an error."""


class _Pruned(Exception):
    """A trial is not worth its next epoch."""


@dataclass
class Search:
    """One search; `search` runs it."""

    study: Study
    trainer: Trainer
    total: int
    deadline: float  # by `time.monotonic`
    report: Report
    steps: dict[int, int] = field(default_factory=dict)  # epochs of the trials under way
    failures: int = 0  # in a row
    lock: threading.Lock = field(default_factory=threading.Lock)  # of the drawing and the counting
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until `total` trials are finished, here or elsewhere."""
        with ThreadPoolExecutor(self.trainer.slots + 1) as threads:
            try:
                heartbeat = threads.submit(self._thread, self._beat)
                slots = {threads.submit(self._thread, self._train_trials) for _ in range(self.trainer.slots)}
                while slots:
                    ended = wait({*slots, heartbeat}, POLL, FIRST_COMPLETED).done
                    for one in ended:
                        one.result()  # raises what ended it
                    slots -= ended
            except BaseException:
                self.over.set()
                self.trainer.stop()
                raise
            finally:
                self.over.set()

    def _thread(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self.study.close_thread()

    def _beat(self) -> None:
        while not self.over.wait(sweep_study.HEARTBEAT):
            self.study.beat()

    def _train_trials(self) -> None:
        """One trial after the other. Where the rest is under way elsewhere, it may have to be tried again here."""
        while not self._is_over():
            if trial := self._next():
                self._train(trial)
            else:
                self.over.wait(POLL)

    def _is_over(self) -> bool:
        return self.over.is_set() or time.monotonic() >= self.deadline or self.study.finished() >= self.total

    def _next(self) -> "Trial | None":
        with self.lock:
            return self.study.ask(self.total)

    def _train(self, trial: "Trial") -> None:
        """Trains a trial and ends it."""
        failure: TrialError | None = None
        try:
            parts = self.trainer.train(trial, self.study.task.configs(trial.params), self._watch(trial))
            counted = self.study.tell(trial, parts)
        except _Pruned:
            counted = self.study.prune(trial)
        except DivergedError as error:
            counted = self.study.prune(trial, diverged=str(error))
        except TrialError as error:
            failure, counted = error, self._failed(trial, error)
        except BaseException:
            self.study.requeue(trial, "interrupted")
            raise
        with self.lock:
            self._count(trial, failure, counted=counted)

    def _watch(self, trial: "Trial") -> OnEpoch:
        """Records each epoch of a trial, and ends one that is not worth the next. After the last nothing is saved."""

        def on_epoch(step: int, value: float) -> None:
            with self.lock:
                self.steps[trial.number] = step
                self._show_share()
            if self.study.should_prune(trial, step, value) and step < self.study.task.steps:
                raise _Pruned

        return on_epoch

    def _failed(self, trial: "Trial", error: TrialError) -> bool:
        if self.over.is_set():
            return self.study.requeue(trial, "interrupted")
        if error.lost:
            return self.study.requeue(trial, str(error), blame=True)
        return self.study.fail(trial, str(error))

    def _count(self, trial: "Trial", failure: TrialError | None, *, counted: bool) -> None:
        """A trial has ended. One that is tried again has not failed yet."""
        self.steps.pop(trial.number, None)
        if self.over.is_set():
            return
        if counted:
            self.report(TrialEnded(self.study.row(self.study.trial(trial.number))))
            self._show_share()
        if failure is None:
            self.failures = 0
            return
        self.failures += not failure.lost or self.study.is_last_try(trial)
        if self.failures >= FAILURES:
            raise UserError(f"{FAILURES} trials in a row failed; the last: {failure}{self._saved(trial, failure)}")

    def _saved(self, trial: "Trial", failure: TrialError) -> str:
        """Saves the traceback of what looks like a bug; a line that says where."""
        if not failure.detail:
            return ""
        path = folder(self.study.name) / f"trial-{trial.number}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, failure.detail.encode())
        return f"\nThe whole of it: {path}"

    def _show_share(self) -> None:
        begun = sum(self.steps.values()) / self.study.task.steps
        self.report(Progress(min(1.0, (self.study.finished() + begun) / self.total)))


def search(
    study: Study,
    trainer: Trainer,
    *,
    total: int,
    timeout: float | None = None,
    report: Report = silent,
) -> None:
    """Has trials trained until `total` of the study are finished, counting those of before and of other machines.

    After `timeout` seconds none is begun any more; those under way come to their end. Reports TrialEnded and
    Progress. Raises UserError where one trial after the other fails. Ended by an
    error or by Ctrl-C, it queues the trials under way again: their values come first when the search is resumed.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    Search(study, trainer, total, deadline, report).run()


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
