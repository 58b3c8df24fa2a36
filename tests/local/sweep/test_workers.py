import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest

from local.core import workspace
from local.sweep import workers as sweep_workers
from local.sweep.space import space
from local.sweep.task import Task, TrialError
from local.sweep.workers import Workers
from shared.core.errors import ConfigError, DivergedError
from shared.core.events import EpochEnded
from shared.training.config import TrainConfig

CONFIG = TrainConfig.create(architecture="lite", dataset="digits", epochs=2)
TASK = Task(config=CONFIG, framework="torch", space=space(["learning_rate=1e-3:3e-2"]))


class Trainer:
    """Trains nothing, and remembers what it was given; `trouble` is raised in its place."""

    def __init__(self):
        self.given, self.trouble = [], None

    def train(self, config, data, report):
        if config.device == "cuda":
            raise ConfigError("device 'cuda' cannot be used")
        self.given.append((config, data))
        for epoch in range(1, config.epochs + 1):
            row = {"epoch": epoch, "validation_accuracy": epoch / 10, "validation_loss": 1 / epoch}
            report(EpochEnded(row=row, epochs=config.epochs, snapshot=pytest.fail))
            if self.trouble:
                raise self.trouble
        scores = SimpleNamespace(accuracy=0.9, loss=0.3)
        return SimpleNamespace(validation=scores, seconds=1.0, cpu_seconds=2.0)


@pytest.fixture
def trainer(monkeypatch):
    made = Trainer()
    monkeypatch.setitem(sys.modules, "shared.training.train_torch", made)
    return made


@pytest.fixture
def pipe(trainer, monkeypatch):
    """The other end of the pipe of a worker that runs in a thread here."""
    monkeypatch.setattr(sweep_workers, "end_with_parent", lambda: None)
    ours, theirs = multiprocessing.Pipe()
    thread = threading.Thread(target=sweep_workers.work, args=(theirs, "torch", "digits", None, "accuracy", None))
    thread.start()
    yield ours
    ours.close()
    thread.join(10)
    assert not thread.is_alive()


def trial(pipe, *configs, further=True):
    """What a worker sends of a trial, from the first epoch to the end."""
    pipe.send([config.as_dict() for config in configs])
    sent = [pipe.recv()]
    while isinstance(sent[-1], tuple):
        pipe.send(further)
        if not further:
            return sent
        sent.append(pipe.recv())
    return sent


def test_no_trial_sees_the_test_set(pipe, trainer):
    assert len(trial(pipe, CONFIG)[-1]) == 1
    (_, data) = trainer.given[0]
    assert len(data.train_images) == 1437
    assert len(data.test_images) == len(data.test_labels) == 0


def test_a_worker_sends_each_epoch_and_the_results(pipe):
    other = TrainConfig(**CONFIG.as_dict() | {"seed": 1})
    *epochs, parts = trial(pipe, CONFIG, other)
    assert epochs == [(1, 0.1), (2, 0.2), (3, 0.1), (4, 0.2)]
    figures = {"accuracy": 0.9, "loss": 0.3, "seconds": 1.0, "cpu_seconds": 2.0}
    assert parts == [{"seed": 0, **figures}, {"seed": 1, **figures}]


def test_a_worker_ends_a_trial_when_asked_to_and_takes_the_next(pipe, trainer):
    assert trial(pipe, CONFIG, further=False) == [(1, 0.1)]
    trainer.trouble = DivergedError("the training diverged in epoch 1")
    diverged = trial(pipe, CONFIG)[-1]
    assert isinstance(diverged, DivergedError) and str(diverged) == "the training diverged in epoch 1"
    trainer.trouble = RuntimeError("no memory")
    failed = trial(pipe, CONFIG)[-1]
    assert str(failed) == "RuntimeError: no memory" and "Traceback" in failed.detail and not failed.lost
    trainer.trouble = None
    assert isinstance(trial(pipe, CONFIG)[-1], list)


def test_what_no_trial_could_get_past_is_no_trials_fault(pipe):
    error = trial(pipe, TrainConfig(**CONFIG.as_dict() | {"device": "cuda"}))[-1]
    assert isinstance(error, ConfigError) and "cuda" in str(error)


@pytest.mark.slow
def test_processes_train_beside_each_other_and_end_with_the_block(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(sweep_workers, "LIFE", 1)
    steps = []
    with Workers(TASK, count=2) as workers, ThreadPoolExecutor(2) as threads:
        results = [threads.submit(workers.train, None, [CONFIG], lambda *step: steps.append(step)) for _ in range(2)]
        one, other = (result.result(60) for result in results)
        assert one[0]["accuracy"] == other[0]["accuracy"] > 0 and len(steps) == 4  # the same training
        assert not workers._idle  # a process lives for so many trials

        def killed(step, value):
            (worker,) = workers._busy
            os.kill(worker.process.pid, signal.SIGKILL)

        # A worker that is killed is a trial lost, and another takes its place.
        with pytest.raises(TrialError, match=r"its process ended \(exit code -9\)") as error:
            workers.train(None, [CONFIG], killed)
        assert error.value.lost and len(workers.train(None, [CONFIG], lambda *step: None)) == 1
        results = [threads.submit(workers.train, None, [CONFIG], lambda *step: time.sleep(1)) for _ in range(2)]
        while len(workers._busy) < 2:
            time.sleep(0.01)
        processes = [worker.process for worker in workers._busy]
        workers.stop()
        assert all(isinstance(result.exception(60), TrialError) for result in results)
        with pytest.raises(TrialError, match="interrupted"):
            workers.train(None, [CONFIG], lambda *step: None)
    assert [process.exitcode for process in processes] == [-9, -9]


@pytest.mark.slow
def test_a_worker_whose_parent_is_killed_ends(tmp_path):
    code = (
        "from tests.local.sweep.test_workers import *\n"
        "if __name__ == '__main__':\n"
        "    workers = Workers(TASK)\n"
        "    def wait(step, value):\n"
        "        print(*(one.process.pid for one in workers._busy), flush=True)\n"
        "        time.sleep(60)\n"
        "    workers.train(None, [CONFIG], wait)\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(workspace.CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    deadline = time.monotonic() + 30
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_data_set_that_is_not_there_ends_the_sweep(tmp_path):
    task = Task(config=TrainConfig.create(dataset="kmnist"), framework="torch", space=TASK.space)
    with Workers(task, data_dir=tmp_path) as workers, pytest.raises(Exception, match="holds no kmnist"):
        workers.train(None, [task.config], lambda *step: None)
