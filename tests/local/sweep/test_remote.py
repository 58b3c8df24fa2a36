"""Trials of a sweep as runs on the emulator, with a notebook that trains nothing: it answers with its learning rate."""

import contextlib
import time

import pytest

from local.core import workspace
from local.emulator import push_method
from local.jobs import pull, push
from local.jobs.capacity import SESSIONS
from local.runs import journal
from local.runs.journal import Run
from local.sweep import search as sweep
from local.sweep import study as sweep_study
from local.sweep.remote import RemoteTrainer, sweep_kernel
from local.sweep.space import space
from local.sweep.task import Task, TrialError
from scripts import sweep as verb
from shared.core.errors import RefusedError, UserError
from shared.training.config import TrainConfig
from tests.local import trips
from tests.local.trip_fixtures import *  # noqa: F403

pytestmark = pytest.mark.usefixtures("home", "plain_sessions")

SCORED = trips.LEAVES_A_MODEL.replace(
    "files = {",
    """facts["metrics"] |= {"validation": {"accuracy": 1 - learning_rate, "loss": learning_rate}}
facts["training"] = {"seconds": 2.0, "cpu_seconds": 3.0 + seed}
files = {""",
)


def task(**changes):
    config = TrainConfig.create(dataset="digits", epochs=1)
    return Task(config=config, framework="torch", space=space(["learning_rate=0.001:0.03"]), **changes)


@pytest.fixture
def opened(tmp_path):
    """`with opened(task()) as study`: the same study each time."""
    return lambda one: sweep_study.opened("s", one, url=str(tmp_path / "study.log"))


def versions(emulator):
    return len(list(emulator.state.glob("kernels/*/k2l-mine-sweep/*/source.ipynb")))


def trainer(service, kernel, study, code=SCORED):
    return RemoteTrainer(service, sweep_kernel(kernel(code)), study)


@pytest.fixture
def killed(monkeypatch):
    """`with killed(): search(…)`: what ends the search by KeyboardInterrupt leaves the study as `kill -9` does."""

    @contextlib.contextmanager
    def until_killed():
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(sweep_study.Study, "requeue", lambda *_: None)
            yield

    monkeypatch.setattr(sweep_study, "SILENCE", 0.2)
    return until_killed


def test_trials_become_runs_and_nothing_is_left_in_models(emulator, service, kernel, opened):
    with opened(task(seeds=2)) as study:
        sweep.search(study, trainer(service, kernel, study), total=1)
        rows = study.rows()
    assert versions(emulator) == 2 and trips.nothing_installed()
    for row in rows:
        assert row["value"] == row["accuracy"] == pytest.approx(1 - row["params"]["learning_rate"])
        assert (row["seconds"], [part["cpu_seconds"] for part in row["seeds"]]) == (4, [3, 4])
        assert [journal.get(run).state for run in row["runs"]] == ["swept", "swept"]
        assert "test" not in str(row["seeds"])  # what the notebook says of the test images is not even written down
    assert not [path for path in workspace.state().rglob("*.pth") if "emulator" not in path.parts]


def test_a_sweep_has_a_kernel_of_its_own(kernel):
    usual = kernel("1")
    assert (sweep_kernel(usual).slug, sweep_kernel(usual).title) == ("k2l-mine-sweep", "k2l mine sweep")
    assert sweep_kernel(usual, slug="an-other").slug == "an-other"
    assert push_method.CAPACITY == SESSIONS


def test_after_a_kill_the_runs_are_found_again_and_not_pushed_twice(emulator, service, kernel, opened, killed):
    def kill(seconds):
        if versions(emulator) == 2:
            raise KeyboardInterrupt
        time.sleep(0.1)

    with opened(task()) as study:
        there = trainer(service, kernel, study)
        there.slots, there._pause = 2, kill
        with killed():
            sweep.search(study, there, total=3)
        begun = [trial.user_attrs["runs"][0] for trial in study.optuna.trials]
    assert versions(emulator) == 2 and len(begun) == 2
    # The code has changed since: what was pushed before is this trial's run all the same.
    changed = SCORED + "\nprint('changed')"
    with opened(task()) as study:
        sweep.search(study, trainer(service, kernel, study, changed), total=3)
        found = [row["runs"] for row in study.rows()]
    assert versions(emulator) == 3 and all([run] in found for run in begun)
    assert [row["state"] for row in study.rows()] == ["complete"] * 3


def test_a_push_killed_before_its_receipt_is_found_again(emulator, service, kernel, opened, monkeypatch, killed):
    record = Run.record

    def kill(run, **changes):
        if changes.get("state") == "pushed":
            raise KeyboardInterrupt
        return record(run, **changes)

    with opened(task()) as study, monkeypatch.context() as patch:
        patch.setattr(Run, "record", kill)
        with killed():
            sweep.search(study, trainer(service, kernel, study), total=1)
    with opened(task()) as study:
        sweep.search(study, trainer(service, kernel, study), total=1)
        assert [row["state"] for row in study.rows()] == ["complete"]
    assert versions(emulator) == 1


def test_an_interrupted_sweep_leaves_its_runs_and_finds_them_at_once(emulator, service, kernel, opened):
    def interrupt(seconds):
        raise KeyboardInterrupt

    with opened(task()) as study:
        there = trainer(service, kernel, study)
        there._pause = interrupt
        with pytest.raises(KeyboardInterrupt):
            sweep.search(study, there, total=1)
        assert [trial.state.name for trial in study.optuna.trials] == ["FAIL", "WAITING"]
        sweep.search(study, trainer(service, kernel, study), total=1)
        assert [row["state"] for row in study.rows()] == ["complete"] and versions(emulator) == 1


def test_a_run_more_than_the_service_takes_waits_for_another_to_end(emulator, service, kernel, opened, monkeypatch):
    monkeypatch.setitem(push_method.CAPACITY, "CPU", 1)
    with opened(task()) as study:
        sweep.search(study, trainer(service, kernel, study), total=2)
        assert [row["state"] for row in study.rows()] == ["complete"] * 2
    assert versions(emulator) == 2
    assert len(journal.every()) <= 4  # each was refused once at most, not each time anybody looked


def test_a_service_that_takes_none_is_told_in_its_own_words(service, kernel, opened, monkeypatch):
    monkeypatch.setitem(push_method.CAPACITY, "CPU", 0)
    with opened(task()) as study, pytest.raises(RefusedError, match="session count of 0 reached"):
        sweep.search(study, trainer(service, kernel, study), total=3)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('no ink')", "ValueError: no ink"),
        (trips.LEAVES_A_MODEL, "no usable 'validation'"),
        ("1", "left no manifest.json"),
    ],
)
def test_runs_that_fail_end_the_sweep(service, kernel, opened, code, said, monkeypatch):
    monkeypatch.setattr(sweep, "FAILURES", 1)
    monkeypatch.setattr(pull, "LOOKS", ())  # a manifest that is not there is not waited for
    with opened(task()) as study:
        there = trainer(service, kernel, study, code)
        there.slots = 1
        with pytest.raises(UserError, match="in a row failed") as error:
            sweep.search(study, there, total=9)
        assert said in str(error.value) and "failed" in {row["state"] for row in study.rows()}


def test_a_run_that_failed_is_not_pushed_again_after_a_kill(emulator, service, kernel, opened):
    with opened(task()) as study:
        there, trial = trainer(service, kernel, study), study.ask(1)
        name = f"s-{study.token}-{trial.number}-seed0"
        one = push.push(service, push.prepare(there.kernel, name=name, config=study.task.configs(trial.params)[0]))
        one.record(state="failed", message="no ink")
        with pytest.raises(TrialError, match="no ink"):
            there.train(trial, study.task.configs(trial.params), lambda *step: None)
        assert versions(emulator) == 1


def test_a_trial_that_had_another_accelerator_than_was_asked_for_says_so(emulator, service, kernel, opened, capsys):
    scores = {part: {"accuracy": 0.5, "loss": 1.0} for part in ("validation", "test")}
    facts = {"metrics": scores, "training": {"seconds": 1.0, "cpu_seconds": 1.0}}
    one = trips.finished(emulator, {}, environment={"accelerator": "CPU, 2 threads"}, **facts)
    with opened(task()) as study:
        part = trainer(service, kernel, study)._part(0, one.record(accelerator="NvidiaTeslaT4"))
        row = {"trial": 0, "state": "complete", "value": None, "seconds": 1.0, "message": "", "seeds": [part, part]}
        verb._say_trial(study, row)
    warning = "WARNING: NvidiaTeslaT4 was requested, but the run had CPU, 2 threads\n"
    assert capsys.readouterr().err.count(warning) == 1
