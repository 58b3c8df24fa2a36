"""What a person sees: help with an example, one-line errors, exit codes, JSON alone on stdout."""

import json
import os
import signal
import subprocess
import sys

import pytest

from local.core import workspace
from local.emulator import daemon
from local.runs.journal import Run
from scripts.terminal.verbs import GROUPS, VERBS, pasteable


@pytest.fixture(autouse=True)
def home(stranger):
    return stranger


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(k2l, verb):
    code, out, _ = k2l(verb, "--help")
    assert code == 0
    assert f"Example: k2l {verb}" in " ".join(out.split())


def test_the_list_of_verbs_is_shown_without_one(k2l):
    _, out, err = k2l()
    assert all(f"  {verb} " in out + err for verb in VERBS)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("push --epochs 3", "no Kaggle credentials"),
        ("quota", "no Kaggle credentials"),
        ("loop", "no Kaggle credentials"),
        ("push --architecture vgg", "there are: compact, baseline"),
        ("push --set colour=red", "parameter 'colour' does not exist"),
        ("push --set epochs", "--set epochs=VALUE"),
        ("push --set batch_size=many", "batch_size must be a whole number"),
        ("push --remote moon", "there are: kaggle, emulator"),
        ("push --framework jax", "there are: "),
        ("push --name ../evil", "cannot be a folder's"),
        ("push --slug abc", "5 to 50"),
        ("train --framework jax", "there are: torch"),
        ("watch nothing", "there is no run 'nothing'"),
        ("watch", "no run is pushed or complete"),
        ("pull", "no run is pushed or complete"),
        ("cancel", "no run is pushed"),
        ("evaluate nothing", "nothing"),
        ("predict nothing.png", "cannot be read"),
    ],
)
def test_wrong_input_ends_in_a_line_or_two_and_exit_1(k2l, command, said):
    code, out, err = k2l(*command.split())
    assert (code, out) == (1, "")
    assert said in err and "Traceback" not in err
    assert 1 <= len(err.strip().splitlines()) <= 2


def test_wrong_usage_is_exit_2(k2l):
    assert k2l("push", "--nonsense")[0] == 2
    assert k2l("fly")[0] == 2


def test_a_place_that_cannot_be_written_is_named(k2l, home):
    (home / "file").write_text("")
    code, _, err = k2l("bundle", "--out", str(home / "file" / "x.ipynb"))
    assert (code, err.count("\n")) == (1, 1) and str(home / "file") in err


def test_a_run_that_failed_is_told_as_such_by_watch_and_pull(k2l, home):
    one = Run(
        run_id="r1", remote="emulator", owner="emulator", slug="k2l-torch", name="mine", framework="torch",
        dataset="digits", bundle_sha256="b", source_commit="", parameters={}, state="failed", message="no ink",
    )  # fmt: skip
    one.record(created_at="2026-01-01T00:00:00+00:00").save_log("no ink")
    try:
        for verb in ("watch", "pull"):
            code, _, err = k2l(verb, "r1")
            assert code == 1 and "failed: no ink" in err and str(one.log) in err
        assert k2l("runs")[0] == 0
        code, _, err = k2l("cancel", "r1", "--yes")
        assert code == 1 and "nothing to stop" in err
    finally:
        daemon.stop(home / "k2l" / ".k2l" / "emulator")


def test_ctrl_c_is_a_word_and_130(home, launch):
    process = launch("-m", "scripts", "emulator", "--port", "0", "--json")
    process.stdout.readline()
    other = launch("-m", "scripts", "train", "--dataset", "digits", "--epochs", "1000")
    assert "epoch" in other.stderr.readline()
    for one in (process, other):
        one.send_signal(signal.SIGINT)
    _, err = other.communicate(timeout=30)
    process.communicate(timeout=30)
    assert other.returncode == 130
    said, go_on = err.strip().splitlines()[-2:]
    assert said.startswith("interrupted after epoch") and go_on.endswith("--resume") and "Traceback" not in err


def test_a_damaged_kaggle_json_is_named_and_not_quoted(k2l, home):
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text('{"username": "me", "key": "topsecret"')
    code, _, err = k2l("quota")
    assert (code, "kaggle.json" in err, "topsecret" in err) == (1, True, False)


def test_nothing_is_written_by_a_push_that_cannot_be(k2l, home):
    k2l("push", "--epochs", "3")
    assert not list((home / "k2l").rglob("run.jsonl"))


def test_json_is_alone_on_stdout(k2l, home):
    code, out, _ = k2l("bundle", "--json", "--out", str(home / "x.ipynb"))
    (row,) = map(json.loads, out.splitlines())
    assert code == 0 and row["bytes"] == (home / "x.ipynb").stat().st_size < 320_000


def test_the_same_bundle_has_the_same_bytes(k2l, home):
    for name in ("a", "b"):
        assert k2l("bundle", "--out", str(home / name))[0] == 0
    assert (home / "a").read_bytes() == (home / "b").read_bytes()


def test_runs_and_quota_of_the_emulator(k2l, home):
    try:
        assert k2l("runs")[0] == 0
        code, out, _ = k2l("quota", "--remote", "emulator", "--json")
        assert code == 0 and json.loads(out)["total_hours"] == 30
    finally:
        daemon.stop(home / "k2l" / ".k2l" / "emulator")


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("trian", "Did you mean train?"),
        ("train compact", "Did you mean --architecture compact?"),
        ("push --epochs 3 keras", "Did you mean --framework keras?"),
        ("predict x.png --conf 95", "Write 95 % as 0.95."),
    ],
)
def test_wrong_usage_says_what_was_probably_meant(k2l, command, meant):
    code, out, err = k2l(*command.split())
    assert (code, out) == (2, "") and err.splitlines()[-1].endswith(meant)


@pytest.mark.parametrize(("short", "name"), [("lr", "learning_rate"), ("bs", "batch_size"), ("epoch", "epochs")])
def test_parameters_are_known_by_what_others_call_them(k2l, short, name):
    code, _, err = k2l("bundle", "--set", f"{short}=1")
    assert code == 1 and f"did you mean {name!r}?" in err


@pytest.mark.parametrize("command", [(), *((verb,) for verb in VERBS)])
def test_h_is_help(k2l, command):
    assert k2l(*command, "-h") == k2l(*command, "--help")


def test_the_list_of_verbs_is_in_groups_and_cuts_nothing(k2l, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = k2l("--help")
    lines = out[out.index(next(iter(GROUPS))) : out.index("Exit codes")].splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == [f"{title}:" for title in GROUPS]
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2:3].strip()] == list(VERBS)
    assert "..." not in "".join(lines)


WITHOUT = "import sys; sys.modules[{!r}] = None; sys.argv = {}; import scripts.__main__ as k; k.main()"


def process(code, **environment):
    """A fresh process that runs this."""
    words = [sys.executable, "-c", code]
    return subprocess.run(
        words, capture_output=True, text=True, cwd=workspace.CHECKOUT, env={**os.environ, **environment}
    )


@pytest.mark.parametrize(
    ("missing", "command", "extra"),
    [
        ("optuna", "sweep --dataset digits", "sweep"),
        ("filelock", "train --dataset digits", "emulator or keras or sweep or torch or trip"),
        ("jupytext", "bundle", "trip"),
        ("starlette", "emulator", "emulator or web"),
    ],
)
def test_a_package_that_is_missing_is_named_with_what_installs_it(missing, command, extra):
    done = process(WITHOUT.format(missing, ["k2l", *command.split()]))
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.endswith(f"(in the extra {extra})\n"), done.stderr
    assert missing in done.stderr and f': pip install "{missing}' in done.stderr


def test_the_list_of_data_sets_needs_no_scikit_learn():
    done = process(WITHOUT.format("sklearn", ["k2l", "data"]))
    assert done.returncode == 0 and "digits needs scikit-learn, which is not installed" in done.stdout, done.stderr


def test_a_module_of_ours_that_is_missing_is_a_fault_and_shows_itself():
    done = process(WITHOUT.format("local.core.workspace", ["k2l", "runs"]))
    assert "Traceback" in done.stderr


def test_without_what_the_command_line_needs_a_line_says_where_it_is():
    done = process("import runpy, sys; sys.modules['typer'] = None; runpy.run_module('scripts', run_name='__main__')")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1) and ".venv/bin/k2l" in done.stderr


def test_commands_that_are_shown_can_be_typed_where_k2l_is_not_on_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    text = "next: k2l watch r1. k2l web: http://… and k2l-torch are none"
    assert pasteable(text) == text.replace("k2l watch", f"{tmp_path}/bin/python -m scripts watch")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "k2l").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    assert pasteable(text) == text.replace("k2l watch", "bin/k2l watch")
    monkeypatch.setenv("PATH", "bin")
    assert pasteable(text) == text


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("train --architecture co", {"compact"}),
        ("train --framework ", {"torch", "keras"}),
        ("train --dataset k", {"kmnist"}),
        ("compare --recipe ", {"plain", "tuned"}),
        ("push --remote e", {"emulator"}),
        ("predict --model m", {"mine"}),
        ("evaluate mi", {"mine"}),
        ("export li", {"lite"}),
        ("watch ", {"r1", "r2"}),
    ],
)
def test_a_shell_is_told_values_and_nothing_heavy_is_loaded_for_them(home, typed, offered):
    for path in ("models/mine/manifest.json", ".k2l/runs/r1/run.jsonl", ".k2l/runs/r2/run.jsonl"):
        (home / "k2l" / path).parent.mkdir(parents=True)
        (home / "k2l" / path).write_text("")
    code = (
        "import contextlib, sys; sys.argv = ['k2l']; import scripts.__main__ as k\n"
        "with contextlib.suppress(SystemExit): k.main()\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    words = f"k2l {typed}"
    done = process(code, _K2L_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
    assert set(done.stdout.split()) == offered
    assert not set(done.stderr.split()) & {"numpy", "torch", "kagglesdk", "rich.table"}
