"""The search itself, with a crew that trains nothing: what a trial gives follows from its learning rate."""

import math
import os
import signal
import threading
import time

import pytest

from local.sweep import plots as sweep_charts
from local.sweep import search as sweep
from local.sweep import study as sweep_study
from local.sweep.space import space
from local.sweep.task import Task, TrialError
from shared.core.errors import ConfigError, DivergedError, UserError
from shared.training.config import TrainConfig
from tests.heard import Heard

EPOCHS = 4
RATE = 0.02


def task(*texts, **changes):
    given = {"architecture": "lite", "dataset": "digits", "epochs": EPOCHS, "learning_rate": RATE, "batch_size": 64}
    texts = texts or ("learning_rate=1e-3:1e-1:log", "batch_size=32,64")
    return Task(config=TrainConfig.create(**given), framework="torch", space=space(texts), **changes)


class Trainer:
    """Trains by a formula: best at the recipe's learning rate. `errors` are raised by the trials of these numbers."""

    def __init__(self, slots=1, *, errors=None, seconds=0.0):
        self.slots, self.errors, self.seconds = slots, errors or {}, seconds
        self.under_way, self.epochs, self.most, self.stopped = set(), [], 0, False

    def train(self, trial, configs, on_epoch):
        self.under_way.add(trial.number)
        self.most = max(self.most, len(self.under_way))
        if error := self.errors.get(trial.number):
            raise error
        good = 0.99 - 0.05 * abs(math.log10(configs[0].learning_rate / RATE))
        for step in range(1, EPOCHS * len(configs) + 1):
            time.sleep(self.seconds)
            if self.stopped:
                raise TrialError("its process ended", lost=True)
            self.epochs.append((trial.number, step))
            on_epoch(step, good - 0.1 / step)
        self.under_way.remove(trial.number)
        return [part(config.seed, good + config.seed / 1000) for config in configs]

    def stop(self):
        self.stopped = True


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
    heard = Heard()
    with opened(database) as study:
        sweep.search(study, Trainer(), total=4, report=heard)
        rows, shares = heard.all("row"), heard.all("share")
        assert states(study) == ["complete"] * 4 and [row["trial"] for row in rows] == [0, 1, 2, 3]
        assert shares == sorted(shares) and shares[-1] == 1
        assert rows[0]["params"] == {"learning_rate": RATE, "batch_size": 64}  # the recipe itself comes first
    with opened(database) as study:
        trainer = Trainer(slots=3, seconds=0.01)
        sweep.search(study, trainer, total=7)
        sweep.search(study, trainer, total=7)
        assert states(study) == ["complete"] * 7 and trainer.most == 3
        best = study.rows()[0]
        assert (best["trial"], best["best"], best["accuracy"]) == (0, True, best["value"])
        assert best["command"].endswith("--batch-size 64 --learning-rate 0.02 --name s-0")
        assert [row["best"] for row in study.rows()].count(True) == 1


def test_a_trial_of_several_seeds_counts_by_their_mean(url):
    with opened(url, task(seeds=3)) as study:
        sweep.search(study, Trainer(), total=2)
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
        trainer = Trainer()
        sweep.search(study, trainer, total=16)
        ended = [row["trial"] for row in study.rows() if row["state"] == "pruned"]
        assert bool(ended) == prune
        for trial in ended:
            last = max(step for number, step in trainer.epochs if number == trial)
            assert EPOCHS // 2 <= last < EPOCHS  # never in the first half, never when it is trained anyway


def test_a_training_that_diverges_counts_as_a_bad_trial(url):
    with opened(url) as study:
        trainer = Trainer(errors={1: DivergedError("the training diverged in epoch 1")})
        sweep.search(study, trainer, total=3)
        assert states(study) == ["complete", "diverged", "complete"]
        assert study.row(study.trial(1))["message"] == "the training diverged in epoch 1"


def test_a_trial_that_fails_does_not_count_and_three_in_a_row_end_the_search(url, tmp_path):
    with opened(url) as study:
        sweep.search(study, Trainer(errors={1: TrialError("no memory")}), total=3)
        assert states(study) == ["complete", "failed", "complete", "complete"]
    with opened(url) as study:
        trainer = Trainer(errors={n: TrialError("no memory", "Traceback …") for n in range(4, 9)})
        with pytest.raises(UserError, match="3 trials in a row failed; the last: no memory") as error:
            sweep.search(study, trainer, total=9)
        (log,) = tmp_path.rglob("trial-6.log")
        assert log.read_text() == "Traceback …" and str(log) in str(error.value)


def test_after_the_timeout_no_trial_is_begun(url):
    with opened(url) as study:
        sweep.search(study, Trainer(), total=5, timeout=0)
        assert study.rows() == [] and study.best() is None


def test_interrupted_trials_are_queued_again_and_come_first_when_it_is_resumed(url):
    with opened(url, prune=False) as study:
        trainer = Trainer(slots=2, errors={3: KeyboardInterrupt()}, seconds=0.05)
        with pytest.raises(KeyboardInterrupt):
            sweep.search(study, trainer, total=6)
        assert set(states(study)) == {"complete"} and not study.running
        lost = [trial.params for trial in study.optuna.trials if trial.number in trainer.under_way]
    with opened(url, prune=False) as study:
        sweep.search(study, Trainer(slots=2), total=6)
        assert states(study) == ["complete"] * 6
        again = [trial.params for trial in study.optuna.trials if trial.state.name == "COMPLETE"]
        assert all(params in again for params in lost) and len(lost) == 2


def test_ctrl_c_waits_until_the_storage_has_what_was_being_written(database):
    class Interrupted(Trainer):
        def train(self, trial, configs, on_epoch):
            if not self.under_way:  # a second one is not waited for
                os.kill(os.getpid(), signal.SIGINT)
            return super().train(trial, configs, on_epoch)

    with opened(database) as study:
        trainer = Interrupted(slots=2, seconds=1)
        with pytest.raises(KeyboardInterrupt):
            sweep.search(study, trainer, total=3)
        assert len(trainer.under_way) == 2 and not study.running
        assert [trial.state.name for trial in study.optuna.trials] == ["FAIL", "FAIL", "WAITING", "WAITING"]


SILENT = 2 * sweep_study.SILENCE


def killed(study, total=9, silent=SILENT):
    """A trial of a process that was killed so many seconds ago."""
    trial = study.ask(total)
    study.running.clear()
    trial.set_user_attr("heard", time.time() - silent)
    return trial


def test_the_trial_of_a_killed_process_is_found_and_tried_again(url):
    with opened(url) as study:
        lost = killed(study)
        sweep.search(study, Trainer(), total=3)
        assert states(study) == ["complete"] * 3
        assert lost.params in [study.trial(row["trial"]).params for row in study.rows()]
        for _ in range(9):  # what costs one process after the other is not tried for ever
            lost = killed(study)
            study.requeue_lost()
        assert len([trial for trial in study.optuna.trials if trial.params == lost.params]) <= sweep_study.TRIES


def test_a_search_waits_for_the_last_trials_until_their_process_ends_them_or_is_silent(url, monkeypatch):
    monkeypatch.setattr(sweep_study, "SILENCE", 1)
    with opened(url) as study, opened(url) as other:
        lost, alive = killed(study, silent=0), other.ask(9)
        threading.Timer(0.5, other.tell, [alive, [part(0, 0.9)]]).start()
        sweep.search(study, Trainer(), total=2)
        assert states(study) == ["complete"] * 2 and study.trial(lost.number).state.name == "FAIL"


def test_what_a_killed_process_had_written_down_is_taken(url):
    with opened(url) as study:
        killed(study).set_user_attr("parts", [part(0, 0.97)])
        study.requeue_lost()
        assert states(study) == ["complete"] and study.rows()[0]["value"] == 0.97


def test_a_process_killed_before_the_first_heartbeat_leaves_no_trial_that_is_running_for_ever(url, monkeypatch):
    with opened(url) as study:
        study.optuna.ask({one.name: one.distribution() for one in study.task.space})
        study.requeue_lost()
        assert states(study) == ["running"]
        monkeypatch.setattr(sweep_study, "SILENCE", 0.5)
        sweep.search(study, Trainer(), total=1)
        assert states(study) == ["complete"]


def test_a_trial_that_was_taken_away_while_it_was_drawn_is_drawn_again(url, monkeypatch):
    from optuna import Trial

    with opened(url) as study:
        note = Trial.set_user_attr

        def slow(trial, *attribute):
            monkeypatch.setattr(Trial, "set_user_attr", note)
            study.optuna.tell(trial, state=study.state.FAIL)
            note(trial, *attribute)

        monkeypatch.setattr(Trial, "set_user_attr", slow)
        assert study.ask(3).number == 1


def test_values_that_cost_a_process_each_time_do_not_end_the_search(url):
    lost = {number: TrialError("no memory", lost=True) for number in range(sweep_study.TRIES)}
    with opened(url) as study:
        sweep.search(study, Trainer(errors=lost), total=2)
        assert [row["state"] for row in study.rows()].count("complete") == 2


def test_where_every_process_is_lost_the_search_ends(url):
    lost = {number: TrialError("no torch", lost=True) for number in range(99)}
    with opened(url) as study, pytest.raises(UserError, match="3 trials in a row failed; the last: no torch"):
        sweep.search(study, Trainer(errors=lost), total=2)


def test_the_trials_of_processes_that_are_heard_of_are_left_alone(url):
    with opened(url) as study, opened(url) as other:
        mine = other.ask(9)
        mine.set_user_attr("heard", time.time() - SILENT)
        other.beat()
        silent = killed(study)
        study.requeue_lost()
        assert states(study) == ["running"] and study.trial(silent.number).state.name == "FAIL"
        assert other.tell(mine, [part(0, 0.9)])


def test_a_trial_that_somebody_else_ended_is_not_counted_twice(url):
    with opened(url) as sleeper, opened(url) as other:
        trial = sleeper.ask(9)
        trial.set_user_attr("heard", time.time() - SILENT)
        other.requeue_lost()
        assert sleeper.should_prune(trial, 1, 0.9)
        assert not sleeper.tell(trial, [part(0, 0.9)])
        assert states(other) == [] and other.ask(9).params == trial.params


def test_two_processes_that_find_the_same_lost_trial_queue_its_values_once(url, monkeypatch):
    from optuna import Trial

    with opened(url) as study, opened(url) as other:
        lost = killed(study)
        note, same = study._note, Trial(other.optuna, lost._trial_id)

        def slow(trial, attributes):
            noted = note(trial, attributes)
            other.requeue(same, "its process ended")
            return noted

        monkeypatch.setattr(study, "_note", slow)
        study.requeue_lost()
        assert [trial.state.name for trial in study.optuna.trials if trial.number > lost.number] == ["WAITING"]


def test_a_result_that_is_no_number_fails_the_trial(url):
    with opened(url) as study:
        assert study.tell(study.ask(9), [part(0, math.nan)])
        assert states(study) == ["failed"] and study.rows()[0]["message"] == "its accuracy is nan"


def test_two_commands_at_once_do_not_train_more_than_the_total(url, monkeypatch):
    with opened(url) as study, opened(url) as other:
        counted = study._counted
        monkeypatch.setattr(study, "_counted", lambda: counted()[:-1] if not study.running else counted())
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
        sweep.search(study, Trainer(), total=2)
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
    with pytest.raises(UserError, match="the same command resumes it") as error, opened(database) as study:
        (tmp_path / "study.log.db").write_bytes(b"no database at all, for longer than its header" * 100)
        sweep.search(study, Trainer(), total=3)
    assert "failed" in str(error.value)


def test_importances_and_pictures_tell_what_matters(url, tmp_path):
    with opened(url, prune=False) as study:
        sweep.search(study, Trainer(), total=9)
        assert sweep.importances(study) == {}  # too few to tell
        trainer = Trainer(errors={11: DivergedError("it diverged")})
        sweep.search(study, trainer, total=24)
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
