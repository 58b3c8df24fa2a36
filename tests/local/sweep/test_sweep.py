"""The search itself, with a crew that trains nothing: what a trial gives follows from its learning rate."""

import math
import os
import signal
import time
from datetime import timedelta

import pytest

from local.sweep import owner as sweep_owner
from local.sweep import plots as sweep_charts
from local.sweep import search as sweep
from local.sweep import study as sweep_study
from local.sweep.space import space
from local.sweep.task import Task
from local.sweep.workers import Done, Epoch, Failed, Stopped
from shared.core.errors import ConfigError, UserError
from shared.training.config import TrainConfig

EPOCHS = 4
RATE = 0.02


def task(*texts, **changes):
    given = {"architecture": "lite", "dataset": "digits", "epochs": EPOCHS, "learning_rate": RATE, "batch_size": 64}
    texts = texts or ("learning_rate=1e-3:1e-1:log", "batch_size=32,64")
    return Task(config=TrainConfig.create(**given), framework="torch", space=space(texts), **changes)


class Crew:
    """Trains by a formula: best at the recipe's learning rate; `slots` trials at once, each an epoch a turn."""

    outlive = False

    def __init__(self, slots=1, *, happens=None):
        self.slots, self.happens = slots, happens or {}
        self.under_way, self.epochs, self.most = {}, [], 0

    def start(self, trial, configs):
        self.under_way[trial] = [configs, 0]
        self.most = max(self.most, len(self.under_way))

    def wait(self, seconds):
        return [self.turn(trial) for trial in list(self.under_way)]

    def turn(self, trial):
        configs, step = self.under_way[trial]
        if trial in self.happens:
            event = self.happens[trial]
            if isinstance(event, BaseException):
                raise event
            del self.under_way[trial]
            return event
        good = 0.99 - 0.05 * abs(math.log10(configs[0].learning_rate / RATE))
        if step == EPOCHS * len(configs):
            del self.under_way[trial]
            return Done(trial=trial, parts=[part(config.seed, good + config.seed / 1000) for config in configs])
        self.under_way[trial][1] += 1
        self.epochs.append((trial, step + 1))
        return Epoch(trial=trial, step=step + 1, value=good - 0.1 / (step + 1))

    def answer(self, trial, *, go_on):
        if not go_on:
            self.happens[trial] = Stopped(trial=trial)


def part(seed, accuracy):
    return {"seed": seed, "accuracy": accuracy, "loss": 1 - accuracy, "seconds": 2.0, "cpu_seconds": 3.0}


@pytest.fixture
def url(tmp_path, monkeypatch):
    """Optuna's journal in a file, which takes a fifth of a database's time."""
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    return str(tmp_path / "study.log")


@pytest.fixture
def database(url):
    """The usual storage."""
    return f"sqlite:///{url}.db"


def opened(url, one=None, **options):
    return sweep_study.opened("s", one or task(), url=url, **options)


def states(study):
    return [row["state"] for row in sorted(study.rows(), key=lambda row: row["trial"])]


def test_a_search_goes_on_to_the_total_and_no_further(database):
    told, shares = [], []
    with opened(database) as study:
        sweep.search(study, Crew(), total=4, on_trial=told.append, on_share=shares.append)
        assert states(study) == ["complete"] * 4 and [row["trial"] for row in told] == [0, 1, 2, 3]
        assert shares == sorted(shares) and shares[-1] == 1
        assert told[0]["params"] == {"learning_rate": RATE, "batch_size": 64}  # the recipe itself comes first
    with opened(database) as study:
        crew = Crew(slots=3)
        sweep.search(study, crew, total=7)
        sweep.search(study, crew, total=7)
        assert states(study) == ["complete"] * 7 and crew.most == 3
        best = study.rows()[0]
        assert (best["trial"], best["best"], best["accuracy"]) == (0, True, best["value"])
        assert best["command"].endswith("--batch-size 64 --learning-rate 0.02 --name s-0")
        assert [row["best"] for row in study.rows()].count(True) == 1


def test_a_trial_of_several_seeds_counts_by_their_mean(url):
    with opened(url, task(seeds=3)) as study:
        sweep.search(study, Crew(), total=2)
        row = study.row(study.trial(0))
        assert [one["seed"] for one in row["seeds"]] == [0, 1, 2]
        assert row["value"] == pytest.approx(0.991) and row["seconds"] == 6


def test_lower_is_better_for_a_loss(url):
    with opened(url, task(objective="loss")) as study:
        for loss in (0.3, 0.1, 0.2):
            study.tell(study.ask(3), [part(0, 1 - loss)])
        assert [round(row["value"], 1) for row in study.rows()] == [0.1, 0.2, 0.3] and study.best().number == 1


@pytest.mark.parametrize("prune", [True, False])
def test_trials_that_half_of_the_others_were_ahead_of_end_early(url, prune):
    with opened(url, prune=prune) as study:
        crew = Crew()
        sweep.search(study, crew, total=16)
        ended = [row["trial"] for row in study.rows() if row["state"] == "pruned"]
        assert bool(ended) == prune
        for trial in ended:
            last = max(step for number, step in crew.epochs if number == trial)
            assert EPOCHS // 2 <= last < EPOCHS  # never in the first half, never when it is trained anyway


def test_a_training_that_diverges_counts_as_a_bad_trial(url):
    with opened(url) as study:
        crew = Crew(happens={1: Stopped(trial=1, diverged="the training diverged in epoch 1")})
        sweep.search(study, crew, total=3)
        assert states(study) == ["complete", "diverged", "complete"]
        assert study.row(study.trial(1))["message"] == "the training diverged in epoch 1"


def test_a_trial_that_fails_does_not_count_and_three_in_a_row_end_the_search(url, tmp_path):
    with opened(url) as study:
        sweep.search(study, Crew(happens={1: Failed(trial=1, message="no memory")}), total=3)
        assert states(study) == ["complete", "failed", "complete", "complete"]
    with opened(url) as study:
        crew = Crew(happens={n: Failed(trial=n, message="no memory", detail="Traceback …") for n in range(4, 9)})
        with pytest.raises(UserError, match="3 trials in a row failed; the last: no memory") as error:
            sweep.search(study, crew, total=9)
        (log,) = tmp_path.rglob("trial-6.log")
        assert log.read_text() == "Traceback …" and str(log) in str(error.value)


def test_after_the_timeout_no_trial_is_begun(url):
    with opened(url) as study:
        sweep.search(study, Crew(), total=5, timeout=0)
        assert study.rows() == [] and study.best() is None


def test_interrupted_trials_are_given_back_and_come_first_when_it_goes_on(url):
    with opened(url, prune=False) as study:
        crew = Crew(slots=2, happens={3: KeyboardInterrupt()})
        with pytest.raises(KeyboardInterrupt):
            sweep.search(study, crew, total=6)
        assert set(states(study)) == {"complete"} and not study.held
        lost = [trial.params for trial in study.optuna.trials if trial.number in crew.under_way]
    with opened(url, prune=False) as study:
        sweep.search(study, Crew(slots=2), total=6)
        assert states(study) == ["complete"] * 6
        again = [trial.params for trial in study.optuna.trials if trial.state.name == "COMPLETE"]
        assert all(params in again for params in lost) and len(lost) == 2


def test_ctrl_c_waits_until_the_storage_has_what_was_being_written(url):
    class Struck(Crew):
        def start(self, trial, configs):
            if not self.under_way:  # a second one is not waited for
                os.kill(os.getpid(), signal.SIGINT)
            super().start(trial, configs)

    with opened(url) as study:
        crew = Struck(slots=2)
        with pytest.raises(KeyboardInterrupt):
            sweep.search(study, crew, total=3)
        assert len(crew.under_way) == 2 and not study.held  # both were begun in peace, and given back
        assert [trial.state.name for trial in study.optuna.trials] == ["FAIL", "FAIL", "WAITING", "WAITING"]


def killed(study, total=9, **owner):
    """A trial of a process that is gone."""
    trial = study.ask(total)
    study.held.clear()
    trial.set_user_attr("owner", sweep_owner.me() | {"pid": 2**22 + 1, **owner})
    return trial


def test_the_trial_of_a_killed_process_is_found_and_tried_again(url):
    with opened(url) as study:
        lost = killed(study)
        sweep.search(study, Crew(), total=3)
        assert states(study) == ["complete"] * 3
        assert lost.params in [study.trial(row["trial"]).params for row in study.rows()]
        for _ in range(9):  # what costs one process after the other is not tried for ever
            lost = killed(study)
            study.reclaim()
        assert len([trial for trial in study.optuna.trials if trial.params == lost.params]) <= sweep_study.TRIES


def test_what_a_killed_process_had_written_down_is_taken(url):
    with opened(url) as study:
        killed(study).set_user_attr("parts", [part(0, 0.97)])
        assert study.reclaim() == []
        assert states(study) == ["complete"] and study.rows()[0]["value"] == 0.97


def test_a_trial_that_has_not_said_whose_it_is_yet_is_waited_for(url, monkeypatch):
    with opened(url) as study:
        study.optuna.ask({one.name: one.distribution() for one in study.task.space})
        assert study.reclaim() == [] and study.settling() and states(study) == ["running"]
        monkeypatch.setattr(sweep_study, "SETTLE", timedelta(seconds=0.5))
        sweep.search(study, Crew(), total=1)  # it was lost: another one took its place
        assert states(study) == ["complete"] and not study.settling()


def test_a_trial_that_was_taken_away_while_it_was_drawn_is_drawn_again(url, monkeypatch):
    with opened(url) as study:
        hold = study.hold

        def slow(trial):
            monkeypatch.setattr(study, "hold", hold)
            study.optuna.tell(trial, state=study.state.FAIL)
            hold(trial)

        monkeypatch.setattr(study, "hold", slow)
        assert study.ask(3).number == 1


def test_values_that_cost_a_process_each_time_do_not_end_the_search(url):
    lost = {number: Failed(trial=number, message="no memory", lost=True) for number in range(sweep_study.TRIES)}
    with opened(url) as study:
        sweep.search(study, Crew(happens=lost), total=2)
        assert [row["state"] for row in study.rows()].count("complete") == 2


def test_where_every_process_is_lost_the_search_ends(url):
    lost = {number: Failed(trial=number, message="no torch", lost=True) for number in range(99)}
    with opened(url) as study, pytest.raises(UserError, match="3 trials in a row failed; the last: no torch"):
        sweep.search(study, Crew(happens=lost), total=2)


def test_living_processes_here_and_elsewhere_are_left_alone(url):
    with opened(url) as study, opened(url) as other:
        mine = other.ask(9)
        killed(study, machine="another", heard=time.time())
        silent = killed(study, machine="another", heard=time.time() - 2 * sweep_owner.SILENCE)
        assert study.reclaim() == [] and states(study) == ["running", "running"]
        assert study.trial(silent.number).state.name == "FAIL"
        assert other.tell(mine, [part(0, 0.9)])


def test_a_trial_that_somebody_else_ended_is_not_counted_twice(url):
    with opened(url) as sleeper, opened(url) as other:
        trial = sleeper.ask(9)
        trial.set_user_attr("owner", sweep_owner.me() | {"pid": 2**22 + 1})
        other.reclaim()
        assert not sleeper.report(trial, 1, 0.9)
        assert not sleeper.tell(trial, [part(0, 0.9)])
        assert states(other) == [] and other.ask(9).params == trial.params


def test_two_commands_at_once_do_not_train_more_than_the_total(url, monkeypatch):
    with opened(url) as study, opened(url) as other:
        counted = study._counted
        monkeypatch.setattr(study, "_counted", lambda: counted()[:-1] if not study.held else counted())
        assert other.ask(1) and study.ask(1) is None  # it saw room when it asked, and not after
        assert states(study) == ["running"]


def test_a_study_of_another_sweep_is_refused_with_what_differs(url):
    with opened(url):
        pass
    with (
        pytest.raises(ConfigError, match="--search batch_size 32,64 there, 32,128 here") as error,
        opened(url, task("learning_rate=1e-3:1e-1:log", "batch_size=32,128")),
    ):
        pass
    assert "--study" in str(error.value)
    with pytest.raises(ConfigError, match="objective accuracy there, loss here"), opened(url, task(objective="loss")):
        pass


def test_a_study_that_is_not_ours_is_refused(database):
    import optuna

    study = optuna.create_study(storage=database, study_name="s")
    study.tell(study.ask(), 1.0)
    study._storage._backend.engine.dispose()
    with pytest.raises(ConfigError, match="is none of k2l sweep"), opened(database):
        pass


def test_a_database_finds_the_trial_of_a_killed_process_too(database):
    with opened(database) as study:
        lost = killed(study)
        sweep.search(study, Crew(), total=2)
        assert states(study) == ["complete"] * 2 and study.trial(lost.number).state.name == "FAIL"


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("sqlite:////nowhere/at/all.db", "unable to open"),
        ("/nowhere/at/all.log", "no folder /nowhere/at"),
        ("postgresql+nodriver://me:hunter2@localhost/x", "cannot be opened"),
        ("nonsense://me:hunter2@x", "cannot be opened"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_a_line_without_its_password(url, storage, said):
    with pytest.raises(ConfigError, match=said) as error, opened(storage):
        pass
    assert "hunter2" not in str(error.value) and "\n" not in str(error.value)


def test_a_storage_that_fails_on_the_way_is_a_line(database, tmp_path):
    with pytest.raises(UserError, match="the same command goes on") as error, opened(database) as study:
        (tmp_path / "study.log.db").write_bytes(b"no database at all, for longer than its header" * 100)
        sweep.search(study, Crew(), total=3)
    assert "failed" in str(error.value)


def test_importances_and_pictures_tell_what_matters(url, tmp_path):
    with opened(url, prune=False) as study:
        sweep.search(study, Crew(), total=9)
        assert sweep.importances(study) == {}  # too few to tell
        crew = Crew(happens={11: Stopped(trial=11, diverged="it diverged")})
        sweep.search(study, crew, total=24)
        shares = sweep.importances(study)
        assert sum(shares.values()) == pytest.approx(1) and shares["learning_rate"] > 0.8
        pictures = sweep_charts.draw(study.task, study.rows(), shares, tmp_path / "out")
    assert [path.name for path in pictures] == ["history.png", "slices.png", "importances.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_a_picture_of_a_single_trial_and_of_equal_ones(url, tmp_path):
    with opened(url, task("batch_size=32,64", objective="loss")) as study:
        for _ in range(2):
            study.tell(study.ask(3), [part(0, 0.5)])
            assert len(sweep_charts.draw(study.task, study.rows(), {}, tmp_path)) == 2
            figure = sweep_charts.history(study.task, study.rows())
            assert all(float(tick).is_integer() for tick in figure.axes[0].get_xticks())
