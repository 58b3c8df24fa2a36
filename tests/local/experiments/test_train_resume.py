"""A training on this machine, interrupted and gone on with."""

import json
import signal
import subprocess
import sys

import pytest

from local.core import shared_code, workspace
from local.core.events import Stopping
from local.experiments.train import Interrupted, train, waiting
from local.models import checkpoints
from shared.core import manifest
from shared.core.errors import ConfigError
from shared.core.events import EpochEnded, StepEnded
from shared.training.config import TrainConfig
from tests.heard import Heard


@pytest.fixture(autouse=True)
def each_epoch(home, monkeypatch):
    """Each epoch is written down, however short; no pictures are drawn, which would take most of the time."""
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    monkeypatch.setattr(checkpoints, "COST", float("inf"))
    monkeypatch.setattr("shared.training.results.draw", lambda **_: {})


def config(**given):
    return TrainConfig.create(
        **{"architecture": "sprint", "dataset": "digits", "epochs": 4, "batch_size": 256, **given}
    )


def run(wanted=None, framework="torch", **options):
    return train(wanted or config(), framework=framework, name="small", **options)


def ctrl_c(epoch, number=signal.SIGINT):
    """A report that sends a signal to this process in the middle of an epoch."""

    def report(event):
        if isinstance(event, StepEnded) and event.epoch == epoch and event.share < 1:
            signal.raise_signal(number)

    return report


def folders(place):
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


@pytest.mark.parametrize(("framework", "number"), [("torch", signal.SIGINT), ("keras", signal.SIGTERM)])
def test_it_leaves_the_best_so_far_whole_and_goes_on_to_the_same_network(framework, number):
    heard, interrupt = Heard(), ctrl_c(3, number)

    def report(event):
        heard(event)
        interrupt(event)

    with pytest.raises(Interrupted) as ended:
        run(framework=framework, report=report)
    stated = manifest.verify(workspace.models() / "small")
    assert stated == ended.value.manifest and stated.interrupted == {"epoch": 2, "of": 4}
    losses = [float(line.split(",")[3]) for line in (workspace.models() / "small/history.csv").read_text().split()[1:]]
    assert stated.metrics["validation"]["loss"] == min(losses) and len(losses) == 2
    assert heard.count(Stopping()) == 1 and waiting(config(), framework=framework, name="small").epoch == 2

    heard.clear()
    resumed = run(framework=framework, resume=True, report=heard)
    assert [row["epoch"] for row in heard.all("row")] == [3, 4] and not resumed.interrupted
    assert resumed.training["seconds"] > stated.training["seconds"] / 2
    assert folders(workspace.state() / "checkpoints") == [] and folders(workspace.state() / "trained") == []
    assert run(framework=framework).metrics == resumed.metrics


def test_before_the_first_epoch_has_ended_nothing_is_left_and_nothing_replaced():
    run(config(epochs=1))
    before = manifest.verify(workspace.models() / "small")
    with pytest.raises(Interrupted) as ended:
        run(report=ctrl_c(1))
    assert (ended.value.epoch, ended.value.manifest) == (0, None)
    assert manifest.verify(workspace.models() / "small") == before
    assert folders(workspace.state() / "replaced") == folders(workspace.state() / "checkpoints") == []


def test_interrupted_again_before_a_further_epoch_it_leaves_everything_as_it_was():
    with pytest.raises(Interrupted):
        run(report=ctrl_c(2))
    before = manifest.verify(workspace.models() / "small")
    with pytest.raises(Interrupted) as ended:
        run(resume=True, report=ctrl_c(2))
    assert (ended.value.epoch, ended.value.manifest) == (1, None)
    assert manifest.verify(workspace.models() / "small") == before


def test_a_second_ctrl_c_ends_at_once_and_the_training_is_not_lost(monkeypatch):
    def impatient(**_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("shared.training.results.draw", impatient)
    with pytest.raises(KeyboardInterrupt) as ended:
        run(report=ctrl_c(3))
    assert not isinstance(ended.value, Interrupted)
    assert folders(workspace.models()) == folders(workspace.state() / "trained") == []
    assert waiting(config(), framework="torch", name="small").epoch == 2


def test_a_second_ctrl_c_in_the_midst_of_a_step_does_not_lose_the_epochs_before_it(monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY", 1e9)  # none was written yet
    once = ctrl_c(3)

    def twice(event):
        once(event)
        if isinstance(event, Stopping):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as ended:
        run(report=twice)
    assert not isinstance(ended.value, Interrupted)
    assert waiting(config(), framework="torch", name="small").epoch == 2


def test_an_error_after_the_last_epoch_does_not_lose_the_training(monkeypatch):
    def full(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(checkpoints, "EVERY", 1e9)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr("shared.training.results.write", full)
        run()
    finished = run(resume=True, report=pytest.fail)
    assert len((workspace.models() / "small" / "history.csv").read_text().split()) == 5
    assert not finished.interrupted


def test_ctrl_c_when_the_training_has_ended_lets_it_be_whole():
    def at_the_end(event):
        if isinstance(event, EpochEnded) and event.row["epoch"] == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted) as ended:
        run(report=at_the_end)
    assert ended.value.manifest == manifest.verify(workspace.models() / "small")
    assert not ended.value.manifest.interrupted and folders(workspace.state() / "checkpoints") == []


def test_only_the_same_training_is_resumed():
    with pytest.raises(ConfigError, match=r"no interrupted training of 'small'.*leave out --resume"):
        run(resume=True)
    with pytest.raises(Interrupted):
        run(report=ctrl_c(2))
    with pytest.raises(ConfigError, match=r"after epoch 1 of 4: epochs was 4 and is 5, batch_size was 256 and is 32\."):
        run(config(epochs=5, batch_size=32), resume=True)
    with pytest.raises(ConfigError, match="framework was torch and is keras"):
        train(config(), framework="keras", name="small", resume=True)

    file = checkpoints.place("small") / checkpoints.NAME
    facts = json.loads(file.read_text())
    facts["training"]["bundle_sha256"] = "other"
    file.write_text(json.dumps(facts))
    with pytest.raises(ConfigError, match="training code"):
        run(resume=True)


def test_a_changed_or_broken_notebook_is_no_other_training(home, monkeypatch):
    with pytest.raises(Interrupted):
        run(report=ctrl_c(2))
    (home / "torch").mkdir()
    (home / "torch" / "kernel.toml").write_text("no toml")
    (home / "torch" / "notebook.py").write_text("# %% a typo that was fixed")
    monkeypatch.setattr(workspace, "kernels", lambda: home)
    stated = run(resume=True)
    assert not stated.interrupted
    assert stated.bundle_sha256 == shared_code.training_sha256(config(), framework="torch")


@pytest.mark.slow
def test_a_training_here_needs_nothing_of_kaggle_and_no_notebook_tool(home):
    code = (
        "import sys\n"
        "from local.experiments.train import train\n"
        "from shared.training.config import TrainConfig\n"
        "config = TrainConfig.create(architecture='lite', dataset='digits', epochs=1)\n"
        "train(config, framework='torch', name='small')\n"
        "unwanted = ('local.kaggle_api', 'local.jobs', 'jupytext', 'nbformat', 'papermill', 'kaggle', 'tomllib')\n"
        "assert not [name for name in sys.modules if name.startswith(unwanted)]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=workspace.CHECKOUT, check=True)
    assert not manifest.verify(workspace.models() / "small").interrupted


def test_a_model_folder_elsewhere_has_a_checkpoint_of_its_own(home):
    elsewhere = home / "seed-0"
    with pytest.raises(Interrupted):
        run(folder=elsewhere, report=ctrl_c(2))
    assert manifest.verify(elsewhere).interrupted == {"epoch": 1, "of": 4}
    assert waiting(config(), framework="torch", name="small") is None and folders(workspace.models()) == []
    run(folder=elsewhere, resume=True)
    assert not manifest.verify(elsewhere).interrupted and folders(home) == [".k2l", "models", "seed-0"]
