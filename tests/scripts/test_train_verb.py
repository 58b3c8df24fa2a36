"""`k2l train` in processes of its own: on a terminal, interrupted, killed, and gone on with."""

import functools
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from local.core import workspace
from local.experiments.train import Interrupted
from scripts.terminal.recovery import tell_backup
from scripts.train import interrupted
from shared.core import manifest
from tests.local import trips

TRAIN = ("train", "--architecture", "sprint", "--dataset", "digits", "--name", "small")
# Each epoch is written down, however short.
CODE = (
    "import sys; sys.argv[0] = 'k2l'; from local.models import checkpoints\n"
    "checkpoints.EVERY = 0; checkpoints.COST = 1e9\n"
    "from scripts.__main__ import main; main()"
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def start(home, launch):
    """Starts the verb."""
    return functools.partial(launch, "-c", CODE)


def wait_for(text, process):
    """Reads the process's stderr until this is in a line; all of it that was read."""
    seen = ""
    for line in process.stderr:
        seen += line
        if text in line:
            return seen
    raise AssertionError(seen)


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_epoch_and_the_command_it_names_goes_on(home, start, k2l):
    first = start(*TRAIN, "--epochs", "500")
    wait_for("epoch   2/500", first)
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=120)
    assert (first.returncode, out) == (130, "")
    stated = manifest.verify(home / "models" / "small")
    epoch = stated.interrupted["epoch"]
    assert stated.interrupted["of"] == 500 and 2 <= epoch < 500
    assert f"interrupted after epoch {epoch} of 500: {home / 'models' / 'small'} has the best one" in err
    go_on = "k2l train --architecture sprint --dataset digits --name small --epochs 500 --resume"
    assert err.splitlines()[-1] == f"Resume with: {go_on}"

    second = start(*go_on.split()[1:])
    seen = wait_for(f"epoch {epoch + 1:>3}/500", second)
    assert seen.startswith(f"resuming after epoch {epoch} of 500\n") and seen.count("epoch ") == 2
    second.kill()
    second.wait()
    code, _, err = k2l(*TRAIN, "--epochs", "2", "--resume")
    assert code == 1 and "epochs was 500 and is 2" in err and len(err.splitlines()) == 2

    code, _, err = k2l(*TRAIN, "--epochs", "1")
    assert code == 0 and re.match(
        r"NOTE: a training that was interrupted after epoch \d+ of 500 is replaced by this one", err
    )
    code, _, err = k2l(*TRAIN, "--epochs", "1", "--resume")
    assert (code, err.count("\n")) == (1, 1) and "no interrupted training of 'small'" in err


@pytest.mark.slow
def test_killed_at_any_moment_it_is_resumed_to_the_very_same_network(home, start, k2l):
    first = start(*TRAIN, "--epochs", "6")
    wait_for("epoch 3/6", first)
    first.kill()
    first.wait()
    assert not (home / "models").exists()
    code, _, err = k2l(*TRAIN, "--epochs", "6", "--resume")
    assert code == 0 and re.match(r"resuming after epoch [34] of 6\n", err)
    resumed = manifest.verify(home / "models" / "small")
    code, _, err = k2l(*TRAIN, "--epochs", "6")
    assert code == 0 and "NOTE" not in err
    whole = manifest.verify(home / "models" / "small")
    assert resumed.files["model.pth"] == whole.files["model.pth"] and not resumed.interrupted


def visible(screen):
    """What a terminal was sent, without its control sequences."""
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", screen.decode(errors="ignore"))


@pytest.mark.slow
def test_on_a_terminal_it_can_be_watched_and_ctrl_c_is_the_keys_own(home, start):
    termios = pytest.importorskip("termios")
    ours, theirs = os.openpty()
    termios.tcsetwinsize(ours, (24, 60))
    # A session of its own that opens the terminal is ended by its ^C.
    around = ("sh", "-c", 'exec "$@" <"$0" 2>"$0"', os.ttyname(theirs))
    environment = {**os.environ, "TERM": "xterm"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    process = start(
        *TRAIN, "--epochs", "400", around=around, start_new_session=True, stderr=subprocess.DEVNULL, env=environment
    )
    screen = bytearray()

    def read():
        while True:
            try:
                screen.extend(os.read(ours, 65536))
            except OSError:  # nobody has it open any more
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        for wanted in ("starting", "2/400  loss", r"\d/400 ━+╸?━* loss [\d.]+ +[\d.]+% +[\d,]+/s +\d:\d\d:\d\d"):
            until = time.monotonic() + 100
            while not re.search(wanted, visible(screen)):
                assert time.monotonic() < until and process.poll() is None, visible(screen)
                time.sleep(0.05)
        os.write(ours, b"\x03")
        assert process.wait(timeout=100) == 130
    finally:
        os.close(theirs)
    reader.join(timeout=10)
    os.close(ours)
    text = visible(screen)
    assert "stopping" in text and "interrupted after epoch" in text
    live = [line for line in re.split(r"[\r\n]+", text) if "━" in line]
    assert live and all(len(line) <= 60 for line in live)
    assert screen.decode().count("\x1b[?25l") == screen.decode().count("\x1b[?25h")  # the cursor is back


def test_several_seeds_are_told_with_their_mean_and_trained_once(home, k2l):
    command = (*TRAIN, "--epochs", "1", "--seeds", "2")
    code, out, err = k2l(*command)
    assert code == 0 and len(re.findall(r"^epoch 1/1", err, re.M)) == 2
    assert "of 2 seeds" in err and str(home / "models" / "small") in out
    assert [row["seed"] for row in manifest.verify(home / "models" / "small").seeds] == [0, 1]
    code, _, err = k2l(*command)
    assert code == 0 and "epoch" not in err


def test_its_end_says_what_was_reached_what_is_next_and_where_the_older_one_is_kept(home, k2l):
    code, out, err = k2l(*TRAIN, "--epochs", "1")
    assert code == 0 and re.fullmatch(
        r"test accuracy [\d.]+% of digits \(360 images\); everything is in .*small\n", out
    )
    assert "next: k2l predict PICTURE --model small" in err and "photographs" in err and "kept" not in err
    code, _, err = k2l(*TRAIN, "--epochs", "1")
    kept = home / ".k2l" / "replaced" / "small"
    assert code == 0 and re.search(rf"^the small that was there \([\d.]+% of digits\) is kept in {kept}$", err, re.M)
    assert manifest.verify(kept)


@pytest.mark.parametrize("tracked", [True, False])
def test_where_a_model_of_the_zoo_was_replaced_its_way_back_is_named(home, tmp_path, monkeypatch, capsys, tracked):
    checkout = tmp_path / "checkout"
    aside = checkout / "models" / "small"
    aside.mkdir(parents=True)
    facts = trips.stated(name="small", metrics={"test": {"accuracy": 0.9}})
    monkeypatch.setattr("shared.core.manifest.read", lambda folder: facts)
    (aside / "manifest.json").write_text("{}")
    monkeypatch.setattr(workspace, "CHECKOUT", checkout)
    monkeypatch.setenv("K2L_HOME", str(checkout))
    for words in (["init", "-q"], ["add", "models"] if tracked else ["status"]):
        subprocess.run(["git", *words], cwd=checkout, check=True, capture_output=True)
    tell_backup(aside)
    assert ("; `git checkout models/small` brings the zoo's back\n" in capsys.readouterr().err) is tracked
    monkeypatch.setenv("K2L_HOME", str(home))
    tell_backup(aside)
    assert "git checkout" not in capsys.readouterr().err


def test_interrupted_before_an_epoch_has_ended_it_says_that_nothing_can_be_resumed(tmp_path):
    end = Interrupted(0, 5, None)
    assert interrupted(end, tmp_path, replaced=False).endswith("Nothing to resume: run the same command again.")
