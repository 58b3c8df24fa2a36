"""`--workspace`, before the verb and after it."""

import json
import subprocess
import sys

import pytest

from local.core import workspace
from scripts.terminal.verbs import VERBS, pasteable, workspace_of


@pytest.fixture(autouse=True)
def home(stranger, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(stranger)
    return stranger


@pytest.mark.parametrize("words", [("--workspace", "here", "bundle"), ("bundle", "--workspace=here")])
def test_it_is_taken_before_the_verb_and_after_it(k2l, home, words):
    code, out, _ = k2l(*words, "--json")
    assert code == 0 and json.loads(out)["file"] == str(home / "here" / "build" / "compact-torch.ipynb")
    assert sorted(path.name for path in home.iterdir()) == ["here"]


@pytest.mark.parametrize("words", [("--workspace", "here", "push"), ("push", "--workspace", "here")])
def test_its_k2l_toml_is_the_one_that_is_read(k2l, home, words):
    (home / "here").mkdir()
    (home / "here" / "k2l.toml").write_text('remote = "nowhere"\n', encoding="utf-8")
    code, _, err = k2l(*words)
    assert code == 1 and "'nowhere'" in err


def test_a_verbs_own_file_takes_it_too(home):
    words = [sys.executable, "-m", "scripts.bundle", "--workspace", str(home / "here"), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=workspace.CHECKOUT, check=True)
    assert json.loads(done.stdout)["file"].startswith(str(home / "here"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_it(k2l, verb):
    assert "--workspace FOLDER" in k2l(verb, "--help")[1]


def test_what_cannot_be_a_workspace_is_refused_with_what_to_do(k2l, home):
    (home / "file").write_text("", encoding="utf-8")
    code, _, err = k2l("--workspace", "file", "models")
    assert code == 1 and err == "error: --workspace file: this is a file. Name a folder, there or to be made.\n"
    code, _, err = k2l("bundle", "--workspace", "file/below")
    assert code == 1 and err.startswith(f"error: The workspace {home}/file/below cannot be used: {home}/file/below")
    assert err.endswith("Name another workspace with --workspace FOLDER, or set K2L_HOME.\n")


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["push"], ""),
        (["--workspace", "a", "push"], "a"),
        (["push", "--workspace=a b"], "a b"),
        (["run", "x.py", "--", "--workspace", "a"], ""),
        (["push", "--workspace"], ""),
    ],
)
def test_which_folder_a_command_line_names(words, folder):
    assert workspace_of(words) == folder


def test_commands_that_are_shown_keep_to_the_workspace(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["k2l", "push", "--workspace", "my work"])
    monkeypatch.setattr("scripts.terminal.verbs.program", lambda: "k2l")
    assert pasteable("next: k2l watch r1") == "next: k2l --workspace 'my work' watch r1"
    same = "run it again: k2l push --workspace 'my work' --resume"
    assert pasteable(same) == same
