"""Trials of a sweep trained on Kaggle or the emulator: each a run, pushed, watched, and read from its manifest.

    trainer = RemoteTrainer(service, sweep_kernel(spec.load("torch")), study)
    parts = trainer.train(trial, task.configs(trial.params), on_epoch)     # from as many threads as there are `slots`

A run's name holds the study and the number that the trial's values had first: after an interruption the journal finds
the run, and nothing is pushed twice. Of a run's outputs, only the validation scores in its manifest are read; its
weights stay on the service (`k2l pull --again RUN` fetches them). The notebook scores the test images at its end, as
every run does; nothing here looks at that.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from local.jobs import pull, push, watch
from local.jobs.capacity import SESSIONS
from local.kaggle_api.client import Service
from local.kaggle_api.kernel_spec import KernelSpec, other_accelerator, session_kind
from local.runs import journal
from local.runs.journal import Run
from local.sweep.study import Study, first_number
from local.sweep.task import OBJECTIVES, OnEpoch, Part, TrialError
from shared.core.errors import CredentialsError, KernelError, RefusedError, RunError, ServiceError
from shared.core.manifest import TrainingManifest
from shared.training.config import TrainConfig

if TYPE_CHECKING:
    from optuna import Trial

PATIENCE = 60.0  # seconds until a push that was refused is tried again, where no run of ours ends before
ENDED = ("failed", "cancelled")


def sweep_kernel(kernel: KernelSpec, *, slug: str | None = None) -> KernelSpec:
    """The kernel that a sweep pushes to: one of its own, so that the usual one is not buried under its versions."""
    slug = slug or f"{kernel.slug}-sweep"
    return replace(kernel, slug=slug, title=slug.replace("-", " "))


class RemoteTrainer:
    """Trials as runs on a service, `slots` of them at once. The runs go on when this process ends.

    Runs report no epochs, and are not pruned.
    """

    def __init__(self, service: Service, kernel: KernelSpec, study: Study) -> None:
        self.service, self.kernel, self.study = service, kernel, study
        self.slots = SESSIONS.get(session_kind(kernel.accelerator), 1)
        self._under_way = 0
        self._capacity = threading.Condition()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ends the waiting for runs; they themselves go on."""
        self._stopped.set()
        with self._capacity:
            self._capacity.notify_all()

    def train(self, trial: "Trial", configs: Sequence[TrainConfig], on_epoch: OnEpoch) -> list[Part]:
        """The results of one run a config. Raises what the service answers where it cannot be reached or refuses."""
        try:
            return [self._train(trial, config) for config in configs]
        except (ServiceError, CredentialsError, RefusedError):
            raise
        except KernelError as error:
            raise TrialError(str(error).partition("\n")[0]) from None

    def _train(self, trial: "Trial", config: TrainConfig) -> Part:
        name = f"{self.study.name}-{self.study.token}-{first_number(trial)}-seed{config.seed}"
        run = self._when_there_is_room(name, config)
        try:
            self.study.note_run(trial, run.run_id)
            return self._part(config.seed, run)
        finally:
            with self._capacity:
                self._under_way -= 1
                self._capacity.notify_all()

    def _when_there_is_room(self, name: str, config: TrainConfig) -> Run:
        """The run, pushed. One that is refused waits as long as a run of ours is under way that may be the reason."""
        with self._capacity:
            while not self._stopped.is_set():
                try:
                    run = self._run(name, config)
                    self._under_way += 1
                    return run
                except RefusedError:
                    if not self._under_way:
                        raise
                self._capacity.wait(PATIENCE)
        raise InterruptedError

    def _run(self, name: str, config: TrainConfig) -> Run:
        """The run of that name: the one that was pushed before, or a new one."""
        before = [run for run in journal.every() if (run.name, run.remote) == (name, self.service.label)]
        if before and before[-1].state == "intended":
            before[-1] = push.reconcile(self.service, before[-1])
        if before and before[-1].version:
            return before[-1]
        return push.push(self.service, push.prepare(self.kernel, name=name, config=config, sweep=self.study.name))

    def _part(self, seed: int, run: Run) -> Part:
        if run.state == "pushed":
            run = watch.watch(self.service, run, sleep=self._pause)
        if run.state in ENDED:
            raise RunError(f"the run {run.run_id} ({run.title}) {run.state}: {run.message}")
        stated = pull.manifest_of(self.service, run)
        run.record(state="swept")  # nothing is left to do
        other = other_accelerator(run.accelerator, str(stated.environment.get("accelerator", "")))
        return _part_of(stated, seed) | {"run": run.run_id} | ({"warning": other} if other else {})

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise InterruptedError


def _part_of(stated: TrainingManifest, seed: int) -> Part:
    """A training as a trial keeps it, from the validation scores of its manifest alone."""
    try:
        scores = {name: float(stated.metrics["validation"][name]) for name in OBJECTIVES}
        spent = {name: float(stated.training[name]) for name in ("seconds", "cpu_seconds")}
    except (KeyError, TypeError, ValueError) as error:
        raise KernelError(f"the manifest of run {stated.run_id} has no usable {error}. Push it anew.") from None
    return {"seed": seed, **scores, **spent}
