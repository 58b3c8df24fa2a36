import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from local.core import workspace
from local.sweep import workers as sweep_workers
from local.sweep.space import space
from local.sweep.task import Task
from local.sweep.workers import Done, Epoch, Failed, Stopped, Workers
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


def trial(pipe, *configs, go_on=True):
    """What a worker tells of a trial, from the first epoch to the end."""
    pipe.send([config.as_dict() for config in configs])
    told = [pipe.recv()]
    while told[-1][0] is Epoch:
        pipe.send(go_on)
        told.append(pipe.recv())
    return told


def test_no_trial_sees_the_test_set(pipe, trainer):
    kind, _ = trial(pipe, CONFIG)[-1]
    (_, data) = trainer.given[0]
    assert kind is Done and len(data.train_images) == 1437
    assert len(data.test_images) == len(data.test_labels) == 0


def test_a_worker_tells_each_epoch_and_what_was_left(pipe):
    other = TrainConfig(**CONFIG.as_dict() | {"seed": 1})
    *epochs, (kind, facts) = trial(pipe, CONFIG, other)
    assert [facts for _, facts in epochs] == [
        {"step": 1, "value": 0.1}, {"step": 2, "value": 0.2}, {"step": 3, "value": 0.1}, {"step": 4, "value": 0.2},
    ]  # fmt: skip
    figures = {"accuracy": 0.9, "loss": 0.3, "seconds": 1.0, "cpu_seconds": 2.0}
    assert (kind, facts) == (Done, {"parts": [{"seed": 0, **figures}, {"seed": 1, **figures}]})


def test_a_worker_ends_a_trial_when_told_and_takes_the_next(pipe, trainer):
    assert trial(pipe, CONFIG, go_on=False)[-1] == (Stopped, {})
    trainer.trouble = DivergedError("the training diverged in epoch 1")
    assert trial(pipe, CONFIG)[-1] == (Stopped, {"diverged": "the training diverged in epoch 1"})
    trainer.trouble = RuntimeError("no memory")
    kind, facts = trial(pipe, CONFIG)[-1]
    assert (kind, facts["message"]) == (Failed, "RuntimeError: no memory") and "Traceback" in facts["detail"]
    trainer.trouble = None
    assert trial(pipe, CONFIG)[-1][0] is Done


def test_what_no_trial_could_get_past_is_no_trials_fault(pipe):
    (kind, error) = trial(pipe, TrainConfig(**CONFIG.as_dict() | {"device": "cuda"}))[-1]
    assert kind == "unable" and "cuda" in str(error)


@pytest.mark.slow
def test_processes_train_beside_each_other_and_end_with_the_block(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(sweep_workers, "LIFE", 1)
    with Workers(TASK, count=2) as workers:
        for number in range(2):
            workers.start(number, [CONFIG])
        done = []
        while len(done) < 2:
            for event in workers.wait(60):
                if isinstance(event, Epoch):
                    workers.answer(event.trial, go_on=True)
                else:
                    done.append(event)
        assert done[0].parts[0]["accuracy"] == done[1].parts[0]["accuracy"] > 0  # the same training
        assert not workers._idle  # a process lives for so many trials
        # A worker that is killed is a trial lost, and another takes its place.
        workers.start(2, [CONFIG])
        os.kill(workers._busy[2].process.pid, signal.SIGKILL)
        (event,) = workers.wait(60)
        assert event == Failed(trial=2, message="its process ended (exit code -9)", lost=True)
        for number in (3, 4):
            workers.start(number, [CONFIG])
        processes = [workers._busy[number].process for number in (3, 4)]
    assert [process.exitcode for process in processes] == [-9, -9]


@pytest.mark.slow
def test_a_worker_whose_parent_is_killed_ends(tmp_path):
    code = (
        "from tests.local.sweep.test_workers import *\n"
        "if __name__ == '__main__':\n"
        "    workers = Workers(TASK)\n"
        "    workers.start(0, [CONFIG])\n"
        "    print(workers._busy[0].process.pid, flush=True)\n"
        "    workers.wait(60)\n"
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
    with Workers(task, data_dir=tmp_path) as workers:
        workers.start(0, [task.config])
        with pytest.raises(Exception, match="holds no kmnist"):
            workers.wait(60)
