"""Trials of a sweep trained on Kaggle or the emulator: each a run, pushed, watched, and read from its manifest.

    with Runs(service, sweep_kernel(spec.load("torch")), study) as runs:
        runs.start(7, task.configs(values))
        for event in runs.wait(30): …

A run is known by its name, which holds the study and the trial: whatever was killed on the way, the journal finds it,
and nothing is pushed twice. Of what a run leaves, only the validation scores in its manifest are read; its weights
stay on the service (`k2l pull --again RUN` fetches them). The notebook scores the test images at its end, as every run
does; nothing here looks at that.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from local.jobs import pull, push, watch
from local.jobs.capacity import SESSIONS
from local.kaggle_api.client import Service
from local.kaggle_api.kernel_spec import KernelSpec, other_accelerator, session_kind
from local.runs import journal
from local.runs.journal import Run
from local.sweep.study import Study
from local.sweep.task import OBJECTIVES, Part
from local.sweep.workers import Done, Event, Failed
from shared.core.errors import CredentialsError, KernelError, RefusedError, RunError, ServiceError
from shared.training.config import TrainConfig

PATIENCE = 60.0  # seconds until a push that was refused is tried again, where no run of ours ends before
ENDED = ("failed", "cancelled")


def sweep_kernel(kernel: KernelSpec, *, slug: str | None = None) -> KernelSpec:
    """The kernel that a sweep pushes to: one of its own, so that the usual one is not buried under its versions."""
    slug = slug or f"{kernel.slug}-sweep"
    return replace(kernel, slug=slug, title=slug.replace("-", " "))


@dataclass
class _Job:
    """A trial: its trainings that are left, and what came of the others."""

    trial: int
    configs: list[TrainConfig]
    parts: list[Part] = field(default_factory=list)


class Runs:
    """Trials as runs on a service. `slots`: how many it takes at once. The runs outlive the block."""

    outlive = True

    def __init__(self, service: Service, kernel: KernelSpec, study: Study) -> None:
        self.service, self.kernel, self.study = service, kernel, study
        study.remote = service.label
        self.slots = SESSIONS.get(session_kind(kernel.accelerator), 1)
        self._waiting: deque[_Job] = deque()
        self._following = 0
        self._patient_until = 0.0
        self._ended: queue.Queue[tuple[_Job, Part | Exception]] = queue.Queue()
        self._leaving = threading.Event()

    def __enter__(self) -> "Runs":
        return self

    def __exit__(self, *error: object) -> None:
        self._leaving.set()

    def start(self, trial: int, configs: Sequence[TrainConfig]) -> None:
        """Has a trial trained, one run a config after the other, as soon as the service has room."""
        self._waiting.append(_Job(trial, list(configs)))

    def answer(self, trial: int, *, go_on: bool) -> None:
        """Runs tell no epochs, and are not pruned."""

    def wait(self, seconds: float) -> list[Event]:
        """What happened, within so many seconds at most.

        Raises what the service says where it refuses a run while none is under way, or cannot be reached.
        """
        if time.monotonic() >= self._patient_until:
            self._push_waiting()
        try:
            job, came = self._ended.get(timeout=seconds)
        except queue.Empty:
            return []
        self._following -= 1
        self._patient_until = 0.0  # there is room again
        return self._event(job, came)

    def _event(self, job: _Job, came: Part | Exception) -> list[Event]:
        match came:
            case ServiceError() | CredentialsError():
                raise came
            case KernelError():
                return [Failed(trial=job.trial, message=str(came).partition("\n")[0])]
            case Exception():
                raise came
            case part:
                job.parts.append(part)
        del job.configs[0]
        if not job.configs:
            return [Done(trial=job.trial, parts=job.parts)]
        self._waiting.appendleft(job)
        return []

    def _push_waiting(self) -> None:
        """Pushes what waits; what is refused waits on, as long as a run of ours is under way that may be the reason."""
        while self._waiting:
            job = self._waiting[0]
            try:
                run = self._run_of(job)
            except RefusedError:
                if not self._following:
                    raise
                self._patient_until = time.monotonic() + PATIENCE
                return
            self._waiting.popleft()
            self.study.note_run(job.trial, run.run_id)
            self._following += 1
            threading.Thread(target=self._follow, args=(job, run), daemon=True).start()

    def _run_of(self, job: _Job) -> Run:
        """The run that trains the job's next config: the one that was pushed before, or a new one."""
        config = job.configs[0]
        name = f"{self.study.name}-{self.study.token}-{job.trial}-seed{config.seed}"
        before = [run for run in journal.every() if (run.name, run.remote) == (name, self.service.label)]
        if before and before[-1].state == "intended":
            before[-1] = push.reconcile(self.service, before[-1])
        if before and before[-1].version:
            return before[-1]
        return push.push(self.service, push.prepare(self.kernel, name=name, config=config, sweep=self.study.name))

    def _follow(self, job: _Job, run: Run) -> None:
        """Waits for a run's end, in a thread of its own."""
        try:
            came: Part | Exception = self._part(job.configs[0].seed, run)
        except Exception as error:  # noqa: BLE001 - raised or told by the thread that waits
            came = error
        if not self._leaving.is_set():
            self._ended.put((job, came))

    def _part(self, seed: int, run: Run) -> Part:
        if run.state == "pushed":
            run = watch.watch(self.service, run, sleep=self._pause)
        if run.state in ENDED:
            raise RunError(f"the run {run.run_id} ({run.title}) {run.state}: {run.message}")
        stated = pull.stated_by(self.service, run)
        run.record(state="swept")  # nothing is left to do
        other = other_accelerator(run.accelerator, str(stated["environment"].get("accelerator", "")))
        return _part_of(stated, seed) | {"run": run.run_id} | ({"warning": other} if other else {})

    def _pause(self, seconds: float) -> None:
        if self._leaving.wait(seconds):
            raise InterruptedError


def _part_of(stated: dict[str, Any], seed: int) -> Part:
    """A training as a trial keeps it, from the validation scores of its manifest alone."""
    try:
        scores = {name: float(stated["metrics"]["validation"][name]) for name in OBJECTIVES}
        spent = {name: float(stated["training"][name]) for name in ("seconds", "cpu_seconds")}
    except (KeyError, TypeError, ValueError) as error:
        raise KernelError(f"the manifest of run {stated['run_id']} has no usable {error}. Push it anew.") from None
    return {"seed": seed, **scores, **spent}
