"""Trials of a sweep trained on this machine: processes that each train one after another, with a share of the threads.

    with Workers(task, count=2) as workers:
        parts = workers.train(trial, task.configs(trial.params), on_epoch)     # in a thread for each trial at once

A worker reads the data set once and throws its test half away before anything is trained: no trial can see it. It
sends each epoch and waits for a word. It does not hear Ctrl-C, and ends when the process that started it does.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.core.interruption import end_with_parent
from local.experiments.train import trainer_of
from local.sweep.task import OBJECTIVES, OnEpoch, Part, Task, TrialError
from shared.core.errors import UserError
from shared.core.events import EpochEnded, Event
from shared.frameworks.device import processors
from shared.training.config import TrainConfig

if TYPE_CHECKING:
    from optuna import Trial

LIFE = 20  # trials of a process: each training leaves something in memory, 25 MB in Keras
# What OpenMP (PyTorch) and TensorFlow ask for when they are loaded.
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class Workers:
    """Processes that train trials. `slots`: how many trials at once. They end with the block."""

    def __init__(self, task: Task, *, count: int = 1, data_dir: Path | None = None) -> None:
        self.slots = count
        threads = max(1, processors() // count) if count > 1 else None
        self._setup = (task.framework, task.config.dataset, data_dir, task.objective, threads)
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        for worker in (*self._idle, *self._busy):
            worker.end()

    def stop(self) -> None:
        """Ends the processes that train, and with them the trials."""
        with self._lock:
            self._stopped = True
            for worker in self._busy:
                worker.process.kill()

    def train(self, trial: "Trial", configs: Sequence[TrainConfig], on_epoch: OnEpoch) -> list[Part]:
        """The results of one training a config. Raises what `on_epoch` raises, and what the training raised."""
        worker = self._take()
        try:
            return worker.train(configs, on_epoch)
        finally:
            self._release(worker)

    def _take(self) -> "_Worker":
        with self._lock:
            if self._stopped:
                raise TrialError("interrupted")
            worker = self._idle.pop() if self._idle else _Worker(self._setup)
            self._busy.add(worker)
        return worker

    def _release(self, worker: "_Worker") -> None:
        worker.trials += 1
        with self._lock:
            self._busy.remove(worker)
            if worker.trials < LIFE and worker.process.is_alive():
                self._idle.append(worker)
                return
        worker.end()


class _Worker:
    """One process, and the pipe to it."""

    trials = 0

    def __init__(self, setup: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would take threads and open databases with it
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, *setup), daemon=True)
        with _interrupts_blocked():
            self.process.start()
        theirs.close()

    def train(self, configs: Sequence[TrainConfig], on_epoch: OnEpoch) -> list[Part]:
        """Sends a trial, and answers each of its epochs: whether it is to be trained further."""
        self._send([config.as_dict() for config in configs])
        while isinstance(answer := self._receive(), tuple):
            further = False
            try:
                on_epoch(*answer)
                further = True
            finally:
                self._send(further)
        if isinstance(answer, Exception):
            raise answer
        parts: list[Part] = answer
        return parts

    def _send(self, message: Any) -> None:
        with suppress(OSError):  # of a process that has ended: the next `_receive` says so
            self.pipe.send(message)

    def _receive(self) -> Any:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            raise TrialError(f"its process ended (exit code {self.end(5)})", lost=True) from None

    def end(self, patience: float = 0) -> int | None:
        """Ends the process, unless it ends itself in so many seconds; its exit code, negative for a signal's number."""
        self.process.join(patience)
        self.process.kill()
        self.process.join()
        self.pipe.close()
        return self.process.exitcode


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process started in here never hears the Ctrl-C of its terminal: whoever started it ends it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # what `start` does first, and unblocks SIGINT at its end
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # a new process has its thread's mask
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def work(
    pipe: "Connection[Any, Any]",
    framework: str,
    dataset: str,
    data_dir: Path | None,
    objective: str,
    threads: int | None,
) -> None:
    """What a worker's process does: trains what it is sent, until the pipe closes. `threads`: None is the usual."""
    end_with_parent()
    for name in THREADS if threads else ():
        os.environ.setdefault(name, str(threads))
    with suppress(EOFError, BrokenPipeError):
        try:
            trainer, data = _prepare(framework, dataset, data_dir)
        except UserError as error:
            pipe.send(error)
            return
        while True:
            with suppress(_Stopped):
                pipe.send(_train(trainer, data, [TrainConfig(**one) for one in pipe.recv()], objective, pipe))


def _prepare(framework: str, dataset: str, data_dir: Path | None) -> tuple[Any, Any]:
    """The training loop, and the data set without its test half."""
    from shared.data.datasets import load

    trainer = trainer_of(framework)
    data = load(dataset, data_dir=data_dir)
    return trainer, replace(data, test_images=data.test_images[:0], test_labels=data.test_labels[:0])


class _Stopped(Exception):
    """A trial is not to be trained further."""


def _train(
    trainer: Any, data: Any, configs: Sequence[TrainConfig], objective: str, pipe: "Connection[Any, Any]"
) -> list[Part] | Exception:
    """The results of one trial, or what its training raised; each epoch is sent as (step, value) and answered."""
    parts: list[Part] = []

    def report(event: Event) -> None:
        if not isinstance(event, EpochEnded):
            return
        pipe.send((len(parts) * configs[0].epochs + event.row["epoch"], event.row[f"validation_{objective}"]))
        if not pipe.recv():
            raise _Stopped

    try:
        for config in configs:
            parts.append(_part(config.seed, trainer.train(config, data, report)))
    except (_Stopped, EOFError, BrokenPipeError):
        raise
    except UserError as error:
        return error
    except Exception as error:  # noqa: BLE001 - it is sent whole to the one who started this process
        return TrialError(f"{type(error).__name__}: {error}", traceback.format_exc())
    return parts


def _part(seed: int, trained: Any) -> Part:
    scores = {name: getattr(trained.validation, name) for name in OBJECTIVES}
    return {"seed": seed, **scores, "seconds": trained.seconds, "cpu_seconds": trained.cpu_seconds}
