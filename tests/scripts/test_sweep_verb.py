"""`k2l sweep` by command: what it refuses, and real searches on small data, killed and continued, here and remote."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from local.emulator import daemon


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")  # nothing listens there
    for name in ("K2L_DATA", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    daemon.stop(tmp_path / ".k2l" / "emulator")


SPACE = ("--search", "learning_rate=3e-3:3e-2:log", "--search", "width=0.5:1.5", "--study", "s")
SMALL = ("sweep", "--architecture", "lite", "--dataset", "digits", *SPACE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--search lerning_rate=1:2", "did you mean 'learning_rate'"),
        ("--search learning_rate=0.1", "a single value is given by its own option"),
        ("--search learning_rate=1e-9:1", "out of range"),
        ("--search rotation=0:9 --rotation 3", "given as an option and by --search"),
        ("--search rotation=0:9 --set rotation=3", "given as an option and by --search"),
        ("--objective f1", "there are: accuracy, loss"),
        ("--framework jax", "there are: torch, keras"),
        ("--architecture vgg", "there are: compact"),
        ("--remote moon", "there are: kaggle, emulator"),
        ("--remote kaggle", "no Kaggle credentials"),
        ("--remote emulator --workers 2", "leave them out with --remote"),
        ("--study ../evil", "cannot be a folder's"),
        ("--study " + 50 * "x", "45 characters"),
        ("--storage sqlite:////nowhere/at/all.db", "cannot be opened: unable to open database file"),
        ("--storage postgresql+no://me:hunter2@x/y", "me:***@x/y cannot be opened"),
        ("--timeout 0", "no trial of the study compact-torch-digits-40 is complete yet"),
    ],
)
def test_what_cannot_be_searched_is_a_line_or_two(k2l, home, options, said):
    code, out, err = k2l("sweep", "--dataset", "digits", *options.split())
    assert (code, out) == (1, "") and said in err
    assert "Traceback" not in err and "hunter2" not in err
    error = err[err.index("error: ") :]
    assert len(error.strip().splitlines()) <= 2


def test_without_optuna_the_line_says_what_to_install(k2l, home, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = k2l(*SMALL)
    assert code == 1 and 'needs optuna: pip install "optuna<6,>=4.4" (in the extra sweep)' in err


def test_help_starts_without_anything_heavy():
    code = (
        "import sys; sys.argv = ['k2l', 'sweep', '--help']\n"
        "from scripts.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'optuna', 'numpy', 'torch', 'tensorflow', 'keras', 'sqlalchemy', 'matplotlib', 'kagglesdk'}\n"
        "assert not heavy & {name.partition('.')[0] for name in sys.modules}, heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def start(launch):
    """Starts `k2l`, as the first of a group of processes."""
    return functools.partial(launch, "-m", "scripts", start_new_session=True)


def until(process, word):
    """Reads what the process says until a line holds `word`."""
    said = []
    for line in process.stderr:
        said.append(line)
        if word in line:
            return
    process.communicate()
    raise AssertionError("".join(said))


def finish(process):
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()], err


@pytest.mark.slow
def test_a_search_that_was_killed_and_interrupted_goes_on(k2l, home, start):
    command = (*SMALL, "--epochs", "2", "--trials", "60", "--json")
    first = start(*command)
    until(first, "trial ")
    family = psutil.Process(first.pid).children()
    first.kill()
    first.communicate()
    assert not psutil.wait_procs(family, timeout=20)[1]  # its workers end with it

    second = start(*command)
    until(second, "trial ")
    family = psutil.Process(second.pid).children()
    os.killpg(second.pid, signal.SIGINT)  # as a terminal does it: to the workers too
    out, err = second.communicate(timeout=60)
    assert (second.returncode, out) == (130, "") and "Traceback" not in err
    finished = int(re.search(r"interrupted: (\d+) of 60 trials are finished, and saved in the study s", err)[1])
    assert err.splitlines()[-1] == "Resume with: k2l " + " ".join(command)
    assert not psutil.wait_procs(family, timeout=20)[1]

    total = finished + 2
    rows, err = finish(start(*SMALL, "--epochs", "2", "--trials", str(total), "--json"))
    assert "resumes after" in err and "Warning" not in err
    assert len(rows) == len({row["trial"] for row in rows}) == total
    assert {row["state"] for row in rows} <= {"complete", "pruned"}
    assert [row["best"] for row in rows] == [True] + [False] * (total - 1)
    assert max(row["value"] for row in rows if row["state"] == "complete") == rows[0]["value"]
    assert {path.name for path in (home / ".k2l" / "sweeps" / "s").iterdir()} == {
        "study.db", "history.png", "slices.png",
    }  # fmt: skip
    assert not (home / "models").exists()
    code, _, err = k2l(*SMALL, "--epochs", "3")
    assert code == 1 and "epochs 2 there, 3 here" in err


@pytest.mark.slow
def test_people_get_a_table_and_the_command_for_the_best(home, start):
    process = start(*SMALL, "--epochs", "1", "--trials", "2", "--out", str(home / "out"))
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    command = out.strip().splitlines()[-1]
    assert command.startswith("k2l train --framework torch --architecture lite") and " *" in out
    trained = start(*command.split()[1:], "--json")
    stated = json.loads(trained.communicate(timeout=240)[0])["metrics"]["validation"]["accuracy"]
    assert f"{100 * stated:.2f} *" in out  # in one process with all threads, it is the very same training
    assert "The test set was not looked at" in out
    assert {path.name for path in (home / "out").iterdir()} == {"history.png", "slices.png"}


@pytest.mark.slow
def test_trials_on_the_emulator_survive_a_kill_without_a_second_push(home, start):
    command = (*SMALL, "--epochs", "1", "--trials", "2", "--remote", "emulator", "--json")
    first = start(*command)
    until(first, "at most 2 runs at once")
    deadline = time.monotonic() + 120
    while len(list(home.glob(".k2l/emulator/kernels/*/*/*/source.ipynb"))) < 2:
        assert time.monotonic() < deadline and first.poll() is None, first.communicate()
        time.sleep(0.05)
    first.kill()
    first.communicate()
    rows, err = finish(start(*command))
    assert [row["state"] for row in rows] == ["complete"] * 2 and "Warning" not in err
    assert "2 trials of other commands; those of a killed one are tried again within 20 s" in err
    assert len(list(home.glob(".k2l/emulator/kernels/*/*/*/source.ipynb"))) == 2
    assert len({run for row in rows for run in row["runs"]}) == 2
    assert not (home / "models").exists()
