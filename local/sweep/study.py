"""The study of a sweep: its trials in Optuna's storage, each counted once, whichever process is killed.

    with opened("lite-torch-mnist-3", task, url=url) as study:
        while trial := study.ask(30):             # None once 30 are finished or under way, here or elsewhere
            study.tell(trial, [{"seed": 0, "accuracy": 0.993, "loss": 0.03, "seconds": 12.0}])
        study.rows()

Storage, sampler, pruner, queue and importances are Optuna's. Two things are ours, since Optuna (5.0) cannot do them:

- Heartbeats. Optuna's are recorded by `Study.optimize` alone, in databases alone (no journal in a file or in Redis),
  and a process killed between `ask` and the first of them leaves a trial that is running for ever. Here each trial
  under way holds the time at which its process was last heard of. After SILENCE it is marked as failed, and its values
  are queued again.
- The total. `MaxTrialsCallback` looks at it when a trial has ended: three processes that share 10 trials train 12.
  Here a trial is counted when it is drawn.

complete, pruned and diverged trials count; failed ones do not. Knows no framework and trains nothing.
"""

import math
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from local.sweep import storage as sweep_storage
from local.sweep.storage import quiet
from local.sweep.task import OBJECTIVES, Part, Task, differences
from shared.core.errors import ConfigError

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna import Trial
    from optuna.trial import FrozenTrial, TrialState

HEARTBEAT = 5.0  # seconds between two signs of life
SILENCE = 20.0  # seconds after which a process is taken to have ended; the machines' clocks must agree to a few seconds
TRIES = 2  # processes that a trial's values may cost
FACTS, HEARD, PARTS, MESSAGE = "k2l", "heard", "parts", "message"
REPLACED, TRIED, DIVERGED, RUNS, FIRST = "again", "tried", "diverged", "runs", "first"


class Study:
    """An open study; `opened` makes it. `running` are the trials that this process has under way, by number."""

    def __init__(self, name: str, task: Task, study: "OptunaStudy", *, token: str) -> None:
        from optuna.trial import TrialState

        self.name, self.task, self.optuna, self.token = name, task, study, token
        self.state: type[TrialState] = TrialState
        self.running: dict[int, Trial] = {}

    def ask(self, total: int) -> "Trial | None":
        """The next trial, its parameters chosen; None where `total` trials are finished or under way already."""
        from optuna.exceptions import UpdateFinishedTrialError

        self.requeue_lost()
        if len(self._counted()) >= total:
            return None
        try:
            with quiet():
                trial = self.optuna.ask({one.name: one.distribution() for one in self.task.space})
            trial.set_user_attr(HEARD, time.time())
        except UpdateFinishedTrialError:  # so slow a storage, or a machine that slept, that another took it for lost
            return self.ask(total)
        self.running[trial.number] = trial
        if sum(one.number < trial.number for one in self._counted()) < total:
            return trial
        self._end(trial, self.state.FAIL, {REPLACED: True, MESSAGE: "another command was quicker"})
        return None

    def beat(self) -> None:
        """Records that this process is still there."""
        for trial in list(self.running.values()):
            self._note(trial, {HEARD: time.time()})

    def requeue_lost(self) -> None:
        """Ends the trials whose process has ended. What one had written down is taken; others are tried again."""
        from optuna import Trial

        for frozen in self.trials(self.state.RUNNING):
            if frozen.number in self.running or not _silent(frozen):
                continue
            with quiet():
                trial = Trial(self.optuna, frozen._trial_id)
            if PARTS in frozen.user_attrs:
                self.tell(trial, frozen.user_attrs[PARTS])
            else:  # a run on a service is found again, and costs nothing
                self.requeue(trial, "its process ended", blame=RUNS not in frozen.user_attrs)

    def close_thread(self) -> None:
        """Closes the storage's connection of the calling thread."""
        self.optuna._storage.remove_session()

    def should_prune(self, trial: "Trial", step: int, value: float) -> bool:
        """Records the objective of a trial after an epoch; True where the trial is not worth its next one."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            trial.report(value, step)
        except UpdateFinishedTrialError:
            return True
        return trial.should_prune()

    def tell(self, trial: "Trial", parts: list[Part]) -> bool:
        """Ends a trial with the results of its trainings; False where another process has ended it before."""
        value = self.task.objective_of(parts)
        if not math.isfinite(value):
            return self.fail(trial, f"its {self.task.objective} is {value}")
        return self._end(trial, self.state.COMPLETE, {PARTS: parts}, value)

    def prune(self, trial: "Trial", *, diverged: str = "") -> bool:
        """Ends a trial that is not worth its time, or whose training diverged: both count, as bad ones."""
        return self._end(trial, self.state.PRUNED, {MESSAGE: diverged, DIVERGED: bool(diverged)})

    def fail(self, trial: "Trial", message: str) -> bool:
        """Ends a trial that could not be trained; it does not count."""
        return self._end(trial, self.state.FAIL, {MESSAGE: message})

    def is_last_try(self, trial: "Trial") -> bool:
        """Whether its values are given up if this process is lost on them too."""
        return int(trial.user_attrs.get(TRIED, 0)) + 1 >= TRIES

    def requeue(self, trial: "Trial", message: str, *, blame: bool = False) -> bool:
        """Ends a trial that was interrupted; its values are tried again by the next. With `blame`, TRIES times only."""
        tried = trial.user_attrs.get(TRIED, 0) + blame
        again = tried < TRIES and set(trial.params) == {one.name for one in self.task.space}
        ended = self._end(trial, self.state.FAIL, {MESSAGE: message, REPLACED: again})
        if ended and again:
            with quiet():
                self.optuna.enqueue_trial(trial.params, user_attrs={TRIED: tried, FIRST: first_number(trial)})
        return ended

    def note_run(self, trial: "Trial", run_id: str) -> None:
        """Writes down which run on a service trains a trial."""
        known = trial.user_attrs.get(RUNS, [])
        if run_id not in known:
            self._note(trial, {RUNS: [*known, run_id]})

    def best(self) -> "FrozenTrial | None":
        """The best of the complete trials; the earlier of equal ones."""
        finished = self.trials(self.state.COMPLETE)
        sign = 1 if self.task.higher_is_better else -1
        return max(finished, key=lambda trial: (sign * _value(trial), -trial.number), default=None)

    def trial(self, number: int) -> "FrozenTrial":
        """The trial of that number."""
        return self.optuna.get_trials(deepcopy=False)[number]

    def finished(self) -> int:
        """How many trials count and have ended."""
        return len(self.trials(self.state.COMPLETE, self.state.PRUNED))

    def trials(self, *states: "TrialState") -> "list[FrozenTrial]":
        """The trials in these states, all if none is named, but for those that another one took the place of."""
        found = self.optuna.get_trials(deepcopy=False, states=states or None)
        return [one for one in found if one.state != self.state.WAITING and not one.user_attrs.get(REPLACED)]

    def rows(self) -> list[dict[str, Any]]:
        """Every trial, the best first: what `k2l sweep --json` prints. Shares are fractions of 1, times are seconds."""
        best = self.best()
        order = {self.state.COMPLETE: 0, self.state.PRUNED: 1, self.state.RUNNING: 2, self.state.FAIL: 3}
        sign = -1 if self.task.higher_is_better else 1

        def rank(trial: "FrozenTrial") -> tuple[int, bool, float, int]:
            none = trial.state == self.state.RUNNING or trial.value is None
            return order[trial.state], none, 0.0 if none else sign * _value(trial), trial.number

        return [
            self.row(trial, best=best is not None and trial.number == best.number)
            for trial in sorted(self.trials(), key=rank)
        ]

    def row(self, trial: "FrozenTrial", *, best: bool = False) -> dict[str, Any]:
        """One trial. `value` is that of the objective: of a pruned trial, the last it was known to have."""
        left = trial.user_attrs
        parts: list[Part] = left.get(PARTS, [])
        taken = [part["seconds"] for part in parts]
        spent = trial.duration.total_seconds() if trial.duration else None
        return {
            "study": self.name,
            "trial": trial.number,
            "state": "diverged" if left.get(DIVERGED) else _STATES[trial.state.name],
            "best": best,
            "objective": self.task.objective,
            "value": trial.value,
            "params": self.task.values(trial.params),
            **{name: _mean([part[name] for part in parts]) for name in OBJECTIVES},
            "seconds": sum(taken) if taken else spent,
            "seeds": parts,
            "runs": left.get(RUNS, []),
            "message": left.get(MESSAGE, ""),
            "command": self.command(trial),
        }

    def command(self, trial: "FrozenTrial") -> str:
        """The command line that trains the trial's network as a model."""
        return self.task.command(trial.params, name=f"{self.name}-{trial.number}") if trial.params else ""

    def _counted(self) -> "list[FrozenTrial]":
        return self.trials(self.state.COMPLETE, self.state.PRUNED, self.state.RUNNING)

    def _note(self, trial: "Trial", attributes: Mapping[str, Any]) -> bool:
        """Writes attributes of a trial; False where another process has ended it."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            for name, value in attributes.items():
                trial.set_user_attr(name, value)
        except UpdateFinishedTrialError:
            return False
        return True

    def _end(
        self, trial: "Trial", state: "TrialState", attributes: Mapping[str, Any], value: float | None = None
    ) -> bool:
        from optuna.exceptions import UpdateFinishedTrialError

        self.running.pop(trial.number, None)
        try:
            if not self._note(trial, attributes):
                return False
            self.optuna.tell(trial, value, state=state)
        except (UpdateFinishedTrialError, ValueError):  # a ValueError too says that the trial has ended
            return False
        return True


def first_number(trial: "Trial") -> int:
    """The number of the trial that had these values first: the runs of a trial that was queued again have it too."""
    return int(trial.user_attrs.get(FIRST, trial.number))


def _silent(trial: "FrozenTrial") -> bool:
    """Whether nothing was heard of its process for too long: since the trial began, where it never was."""
    heard = trial.user_attrs.get(HEARD) or (trial.datetime_start.timestamp() if trial.datetime_start else 0.0)
    return time.time() - float(heard) > SILENCE


_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "RUNNING": "running", "FAIL": "failed"}


@contextmanager
def opened(name: str, task: Task, *, url: str, prune: bool = True) -> Iterator[Study]:
    """The study of that name in a storage, made if it is not there; its first trial is then the recipe itself,
    where that lies in the space.

    Raises ConfigError where the storage cannot be opened, and where the study was made for another task.
    """
    with sweep_storage.opened(url) as storage:
        from optuna import create_study
        from optuna.pruners import NopPruner
        from optuna.samplers import TPESampler

        with quiet():
            study = create_study(
                storage=storage,
                study_name=name,
                load_if_exists=True,
                direction=OBJECTIVES[task.objective],
                # Correlated parameters are drawn together; those under way count as bad, so that workers spread out.
                sampler=TPESampler(multivariate=True, constant_liar=True),
                pruner=_pruner(task) if prune else NopPruner(),
            )
        yield Study(name, task, study, token=_checked(study, task, where=sweep_storage.shown(url)))


def _pruner(task: Task) -> Any:
    """The median rule, which suits short trainings: a trial ends where half of the others were better at its epoch.

    With the one-cycle schedule, a high learning rate looks bad until it falls: nothing is judged in the first half.
    """
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=5, n_warmup_steps=-(-task.config.epochs // 2), n_min_trials=5)


def _checked(study: "OptunaStudy", task: Task, *, where: str) -> str:
    """The token that tells this study from others of its name, once it is known to be of the same task."""
    known = study.user_attrs.get(FACTS)
    if known is None and study.get_trials(deepcopy=False):
        raise ConfigError(f"the study {study.study_name!r} in {where} is none of k2l sweep: give another --study NAME.")
    if known is None:
        known = {"token": secrets.token_hex(3), **task.facts()}
        study.set_user_attr(FACTS, known)
        if recipe := task.recipe():
            with quiet():
                study.enqueue_trial(recipe, skip_if_exists=True)
    token = str(known.pop("token"))
    if unlike := differences(known, task.facts()):
        raise ConfigError(
            f"the study {study.study_name!r} in {where} is of another sweep: {'; '.join(unlike)}.\n"
            "Give the same again to go on with it, or another --study NAME to begin anew."
        )
    return token


def _value(trial: "FrozenTrial") -> float:
    return float(trial.value)  # type: ignore[arg-type]


def _mean(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else None
