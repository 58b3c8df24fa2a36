import json
import os
import signal

import pytest

from local.experiments import race, time_to_target
from local.experiments.race import Contestant, Finish, Rules
from scripts.race import show_all
from shared.core.errors import ConfigError, UserError
from shared.core.events import EpochEnded, StepEnded
from shared.training.config import TrainConfig
from shared.training.loop import StopTraining

SPRINT, COMPACT = Contestant(architecture="sprint"), Contestant(architecture="compact", recipe="plain")
ROW = [
    "contestant", "architecture", "recipe", "framework", "dataset", "accelerator", "target", "trainings", "reached",
    "max_epochs", "epochs", "seconds", "cpu_seconds", "test_accuracy", "test_accuracy_sd", "over_target", "others",
    "process_seconds", "ratio", "cpu_ratio", "seeds",
]  # fmt: skip


def finish(contestant, seed, seconds, *, reached=True, test=0.991):
    return Finish(
        contestant=contestant, seed=seed, reached=reached, epochs=int(seconds), seconds=seconds,
        cpu_seconds=2 * seconds, validation_accuracy=0.99 if reached else 0.98, test_accuracy=test, others=0.5,
        process_seconds=seconds + 5, accelerator="CPU, 2 threads",
    )  # fmt: skip


def test_a_contestant_is_written_as_a_word():
    assert Contestant.parse("sprint") == SPRINT and SPRINT.name == "sprint:tuned"
    assert Contestant.parse("compact:plain") == COMPACT
    one = Contestant.parse("12xlite@1.5:plain:7")
    assert (one.times, one.architecture, one.recipe, one.epochs) == (12, "lite@1.5", "plain", 7)
    assert one.name == "lite@1.5:plain:7"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ARCHITECTURE"),
        ("sprint:tuned:many", "ARCHITECTURE"),
        ("sprint:tuned:1:1", "ARCHITECTURE"),
        ("vgg", "architecture 'vgg' does not exist"),
        ("sprint:fast", "recipe 'fast' does not exist"),
        ("sprint:tuned:0", "epochs=0 is out of range"),
    ],
)
def test_a_contestant_that_cannot_run_is_refused(text, said):
    with pytest.raises(ConfigError, match=said):
        Contestant.parse(text)


def test_a_constant_rate_may_take_long_and_a_schedule_has_its_length():
    rules = Rules(max_epochs=17)
    recipe = TrainConfig.create(architecture="sprint", dataset="mnist")
    assert rules.config(COMPACT, 3).epochs == 17 and rules.config(COMPACT, 3).seed == 3
    assert rules.config(SPRINT, 0) == recipe
    assert rules.config(Contestant.parse("compact:plain:4"), 0).epochs == 4


def test_all_take_turns_and_another_one_is_first_in_each_round():
    often = Contestant.parse("2xsprint")
    other = Contestant(architecture="baseline", recipe="plain")
    turns = race.turns([often, COMPACT, other], seeds=2)
    assert [one.architecture for one, _ in turns] == [
        "sprint", "compact", "baseline", "sprint",
        "compact", "baseline", "sprint", "sprint",
    ]  # fmt: skip
    assert [seed for one, seed in turns if one is often] == [0, 1, 2, 3]
    assert [seed for one, seed in turns if one is COMPACT] == [0, 1]


def test_a_row_has_medians_of_times_and_means_of_accuracies():
    finishes = [finish(SPRINT, seed, 1.0 + seed / 10, test=0.99 + seed / 1000) for seed in range(3)]
    finishes += [finish(COMPACT, seed, 40.0, test=0.989) for seed in range(2)]
    first, second = race.rows([SPRINT, COMPACT], finishes, Rules())
    assert list(first) == ROW and json.loads(json.dumps(first)) == first
    assert (first["seconds"], first["cpu_seconds"], first["ratio"]) == (1.1, 2.2, 1.0)
    assert first["test_accuracy"] == pytest.approx(0.991) and first["test_accuracy_sd"] == pytest.approx(0.001)
    assert (first["over_target"], second["over_target"]) == (1.0, 0.0)
    assert second["ratio"] == second["cpu_ratio"] == pytest.approx(40 / 1.1)
    assert [seed["seed"] for seed in first["seeds"]] == [0, 1, 2]


def test_a_training_that_did_not_reach_the_target_took_longer_than_any_that_did():
    quick = finish(SPRINT, 2, 0.5, reached=False)
    (row,) = race.rows([SPRINT], [finish(SPRINT, 0, 1.0), finish(SPRINT, 1, 1.2), quick], Rules())
    assert (row["seconds"], row["reached"], row["trainings"]) == (1.2, 2, 3)
    rows = race.rows([SPRINT, COMPACT], [finish(SPRINT, 0, 1.0), quick, finish(COMPACT, 0, 40.0)], Rules())
    assert rows[0]["seconds"] is None and rows[1]["ratio"] is None and len(rows[0]["seeds"]) == 2


def test_who_has_not_finished_yet_has_no_row():
    (row,) = race.rows([SPRINT, COMPACT], [finish(COMPACT, 0, 40.0)], Rules())
    assert row["contestant"] == "compact:plain" and row["ratio"] is None


class Watch:
    """A clock that is set."""

    now = 0.0

    def read(self):
        return {"seconds": self.now, "cpu_seconds": 2 * self.now}


def epoch_ended(epoch, accuracy):
    return EpochEnded(row={"epoch": epoch, "validation_accuracy": accuracy}, epochs=9, snapshot=pytest.fail)


def test_the_checks_are_not_in_the_time():
    clock = time_to_target.Clock(0.99, 9, framework="torch")
    clock.watch = Watch()
    progress = StepEnded(epochs=9, images_per_epoch=100)
    for epoch, (half, end, checked) in enumerate([(1, 2, 5), (6, 8, 9)], start=1):
        for clock.watch.now, progress.images in ((half, 50), (end, 100)):
            clock.report(progress)
        clock.watch.now = checked
        if epoch == 1:
            clock.report(epoch_ended(epoch, 0.9899))
    assert not clock.reached and clock.spent == {"seconds": 5, "cpu_seconds": 10}
    with pytest.raises(StopTraining):
        clock.report(epoch_ended(2, 0.99))
    assert clock.reached and (clock.epochs_taken, clock.accuracy) == (2, 0.99)


def test_a_training_at_its_end_is_not_cut_short():
    clock = time_to_target.Clock(0.5, 1, framework="torch")
    clock.report(StepEnded(epochs=1, images_per_epoch=100, images=100))
    clock.report(epoch_ended(1, 0.6))
    assert clock.reached


@pytest.mark.parametrize("framework", ["torch", pytest.param("keras", marks=pytest.mark.slow)])
def test_a_training_ends_where_the_target_is_reached(framework):
    config = Rules(dataset="digits", max_epochs=20).config(COMPACT, 0)
    figures = time_to_target.train_to(0.8, config, framework=framework)
    assert figures["reached"] and 1 <= figures["epochs"] < 20 and figures["validation_accuracy"] >= 0.8
    assert 0 < figures["seconds"] < 60 and figures["cpu_seconds"] > 0 and figures["others"] >= 0
    assert figures["test_accuracy"] > 0.6 and figures["accelerator"]


def test_a_training_that_never_reaches_it_ends_with_its_epochs():
    config = Rules(dataset="digits", max_epochs=1).config(COMPACT, 0)
    short = time_to_target.train_to(1.0, config, framework="torch")
    assert (short["reached"], short["epochs"]) == (False, 1)


def test_what_can_be_mended_comes_out_of_the_fresh_process(tmp_path):
    with pytest.raises(UserError, match="holds no mnist"):
        list(race.race([SPRINT], Rules(data_dir=tmp_path), seeds=1))


def test_a_process_that_dies_is_told(monkeypatch):
    monkeypatch.setattr(race, "FRESH", "raise SystemExit(3)")
    with pytest.raises(UserError, match=r"sprint:tuned with seed 0 died \(exit code 3\)"):
        list(race.race([SPRINT], Rules(), seeds=1))


def test_the_table_says_who_missed_the_target_and_that_the_machine_was_busy(capsys):
    finishes = [finish(SPRINT, 0, 1.0), finish(SPRINT, 1, 1.2), finish(COMPACT, 0, 20.0, reached=False)]
    show_all(race.rows([SPRINT, COMPACT], finishes, Rules()), Rules())
    told = capsys.readouterr().out
    assert "1.10 (1.00 to 1.20)" in told and "not reached" in told
    assert "compact:plain: 1 of 1 did not reach 99 % in 20 epochs" in told
    assert "Not a quiet machine: other programs kept up to 0.5 of" in told


@pytest.mark.slow
def test_the_verb_prints_one_object_a_contestant(k2l):
    arguments = ("--contestants", "sprint", "--seeds", "1", "--dataset", "digits", "--target", "50")
    done = k2l("race", *arguments, "--json", "--threads", "1")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["contestant"], row["trainings"], len(row["seeds"])) for row in rows] == [("sprint:tuned", 1, 1)]
    assert all(list(row) == ROW and row["accelerator"] == "CPU, 1 thread" for row in rows)
    assert rows[0]["ratio"] == 1 and all(row["process_seconds"] > row["seconds"] for row in rows)
    assert "1 of 1: " in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_ctrl_c_tells_what_is_finished(home, launch):
    race = ("-m", "scripts", "race", "--contestants", "sprint,compact:plain", "--dataset", "digits")
    process = launch(*race, "--target", 100, "--max-epochs", 1000, "--threads", 1, "--json", start_new_session=True)
    assert "sprint:tuned, seed 0" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err
    assert [json.loads(line)["contestant"] for line in out.splitlines()] == ["sprint:tuned"]
    assert err.splitlines()[-1] == "interrupted after 1 of 10 trainings; a race cannot be resumed."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--contestants", "vgg"], "architecture 'vgg' does not exist"),
        (["--contestants", ","], "--contestants has no names"),
        (["--framework", "jax"], "framework 'jax' does not exist"),
        (["--dataset", "nonsense"], "nonsense"),
    ],
)
def test_the_verb_says_what_is_wrong_in_a_line(arguments, said, error_of):
    assert said in error_of("race", *arguments)
