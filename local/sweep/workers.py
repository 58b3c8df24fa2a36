"""Trials of a sweep trained on this machine: processes that each train one after another, with a share of the threads.

    with Workers(task, count=2) as workers:
        workers.start(7, task.configs(values))
        for event in workers.wait(30):
            workers.answer(event.trial, go_on=True)     # after each Epoch: shall it go on?

A worker reads the data set once and throws its test half away before anything is trained: no trial can see it. It tells
each epoch and waits for a word; it does not hear Ctrl-C, and ends when the process that started it does.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from local.core.interruption import end_with_parent
from local.experiments.train import trainer_of
from local.sweep.task import OBJECTIVES, Part, Task
from shared.core import events
from shared.core.errors import DivergedError, UserError
from shared.frameworks.device import processors
from shared.training.config import TrainConfig

LIFE = 20  # trials of a process: each training leaves something in memory, 25 MB in Keras
# What OpenMP (PyTorch) and TensorFlow ask for when they are loaded.
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """A trial's epoch: `step` counts over all of its seeds, from 1; its worker waits for an answer."""

    trial: int
    step: int
    value: float


@dataclass(frozen=True, kw_only=True)
class Done:
    """A trial was trained to its end."""

    trial: int
    parts: list[Part]


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A trial was ended as it was told to (""), or its training diverged, with the reason."""

    trial: int
    diverged: str = ""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A trial could not be trained; `lost`: its process ended, and the trial itself may be sound."""

    trial: int
    message: str
    detail: str = ""
    lost: bool = False


Event = Epoch | Done | Stopped | Failed


class Workers:
    """Processes that train trials. `slots`: how many trials at once. They end with the block."""

    outlive = False  # trials end with this process

    def __init__(self, task: Task, *, count: int = 1, data_dir: Path | None = None) -> None:
        self.slots = count
        threads = max(1, processors() // count) if count > 1 else None
        self._setup = (task.framework, task.config.dataset, data_dir, task.objective, threads)
        self._idle: list[_Worker] = []
        self._busy: dict[int, _Worker] = {}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        for worker in (*self._idle, *self._busy.values()):
            worker.end()

    def start(self, trial: int, configs: Sequence[TrainConfig]) -> None:
        """Has a trial trained: one training a config."""
        worker = self._idle.pop() if self._idle else _Worker(self._setup)
        self._busy[trial] = worker
        worker.say([config.as_dict() for config in configs])

    def wait(self, seconds: float) -> list[Event]:
        """What happened, within so many seconds at most. Raises the UserError that no trial could get past."""
        pipes = {worker.pipe: trial for trial, worker in self._busy.items()}
        ready = wait(list(pipes), timeout=seconds)
        return [self._event(trial) for pipe, trial in pipes.items() if pipe in ready]

    def answer(self, trial: int, *, go_on: bool) -> None:
        """Lets a trial that told an epoch go on, or ends it."""
        self._busy[trial].say(go_on)

    def _event(self, trial: int) -> Event:
        worker = self._busy[trial]
        try:
            kind, facts = worker.pipe.recv()
        except (EOFError, OSError):
            del self._busy[trial]
            return Failed(trial=trial, message=f"its process ended (exit code {worker.end(5)})", lost=True)
        if kind == "unable":
            raise facts
        if kind is not Epoch:
            self._release(self._busy.pop(trial))
        event: Event = kind(trial=trial, **facts)
        return event

    def _release(self, worker: "_Worker") -> None:
        worker.trials += 1
        if worker.trials < LIFE:
            self._idle.append(worker)
        else:
            worker.end()


class _Worker:
    """One process, and the pipe to it."""

    trials = 0

    def __init__(self, setup: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would take threads and open databases with it
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, *setup), daemon=True)
        with _deaf_to_interrupts():
            self.process.start()
        theirs.close()

    def say(self, word: object) -> None:
        """A word to the process; where it has ended, its pipe tells so when it is next listened to."""
        try:
            self.pipe.send(word)
        except OSError:
            return

    def end(self, patience: float = 0) -> int | None:
        """Ends the process, unless it ends itself in so many seconds; its exit code, negative for a signal's number."""
        self.process.join(patience)
        code = self.process.exitcode
        self.process.kill()
        self.process.join()
        self.pipe.close()
        return code


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A process started in here never hears the Ctrl-C of its terminal: who started it ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
    try:
        trainer, data = _prepare(framework, dataset, data_dir)
        while True:
            pipe.send(_train(trainer, data, [TrainConfig(**one) for one in pipe.recv()], objective, pipe))
    except EOFError:
        return
    except UserError as error:
        pipe.send(("unable", error))


def _prepare(framework: str, dataset: str, data_dir: Path | None) -> tuple[Any, Any]:
    """The training loop, and the data set without its test half."""
    from shared.data.datasets import load

    trainer = trainer_of(framework)
    data = load(dataset, data_dir=data_dir)
    return trainer, replace(data, test_images=data.test_images[:0], test_labels=data.test_labels[:0])


class _End(Exception):
    """A trial was told not to go on."""


def _train(
    trainer: Any, data: Any, configs: Sequence[TrainConfig], objective: str, pipe: "Connection[Any, Any]"
) -> tuple[Any, dict[str, Any]]:
    """One trial: what is told of it. Raises the UserError that has nothing to do with its values."""
    parts: list[Part] = []

    def report(event: events.Event) -> None:
        if not isinstance(event, events.EpochEnded):
            return
        step = len(parts) * configs[0].epochs + event.row["epoch"]
        pipe.send((Epoch, {"step": step, "value": event.row[f"validation_{objective}"]}))
        if not pipe.recv():
            raise _End

    try:
        for config in configs:
            trained = trainer.train(config, data, report)
            scores = {name: getattr(trained.validation, name) for name in OBJECTIVES}
            spent = {"seconds": trained.seconds, "cpu_seconds": trained.cpu_seconds}
            parts.append({"seed": config.seed, **scores, **spent})
    except _End:
        return Stopped, {}
    except DivergedError as error:
        return Stopped, {"diverged": str(error)}
    except UserError:
        raise
    except (EOFError, BrokenPipeError):
        raise EOFError from None
    except Exception as error:  # noqa: BLE001 - it is told whole to the one who started this process
        return Failed, {"message": f"{type(error).__name__}: {error}", "detail": traceback.format_exc()}
    return Done, {"parts": parts}
