"""The doctor's verb, `--version`, completion, and colours: what a person sees, on a terminal and without one."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.core import installation, workspace
from local.core.checks import BAD, GOOD, WARN, Result
from local.doctor import examine
from scripts.__main__ import EXIT_CODES, VERBS
from tests.documents import PAGES

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOURS = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:[34]\d|9\d|10\d)(?:;[0-9;]*)?m")
RESULTS = (
    Result(check="Python", verdict=GOOD, found="3.11"),
    Result(check="camera", verdict=WARN, found="none [red]is[/red] listed", fix="k2l camera --source FILE"),
    Result(check="PyTorch", verdict=BAD, found="torch 1.0", fix='pip install "torch>=2.15"'),
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nothing in HOME, no credentials."""
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "k2l"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("KAGGLE")] + ["NO_COLOR", "FORCE_COLOR", "COLUMNS"]:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def terminal(*command, columns=80, **environment):
    """What a command writes to a terminal of that width."""
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(
        [sys.executable, *command], cwd=workspace.CHECKOUT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    out = b""
    try:
        while piece := os.read(ours, 1 << 16):
            out += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)
    process.wait()
    return out.decode()


def test_verdicts_stand_in_words_with_the_fix_below(k2l, monkeypatch):
    monkeypatch.setattr(examine, "examine", lambda: list(RESULTS))
    code, out, err = k2l("doctor")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "camera WARN none [red]is[/red] listed" in lines and "fix: k2l camera --source FILE" in lines
    assert code == 1 and err == "error: to fix: PyTorch.\n" and not ESCAPES.search(out + err)


def test_warnings_alone_are_exit_0(k2l, monkeypatch):
    monkeypatch.setattr(examine, "examine", lambda: list(RESULTS[:2]))
    code, _, err = k2l("doctor")
    assert (code, err) == (0, "nothing is broken; worth knowing: camera\n")
    monkeypatch.setattr(examine, "examine", lambda: list(RESULTS[:1]))
    assert k2l("doctor")[2] == "nothing is missing\n"


def test_json_is_an_object_a_check_alone_on_stdout(k2l, monkeypatch):
    monkeypatch.setattr(examine, "examine", lambda: list(RESULTS))
    code, out, _ = k2l("doctor", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1 and [row["verdict"] for row in rows] == ["good", "warn", "bad"]
    assert all(set(row) == {"check", "verdict", "found", "fix"} for row in rows)


def test_this_machine_has_nothing_that_is_bad(k2l):
    code, out, err = k2l("doctor")
    assert code == 0, out
    assert "Traceback" not in out + err


@pytest.mark.parametrize("there", ["typer", "typer rich", "typer rich packaging"])
def test_a_machine_that_lacks_nearly_everything_is_told_so(home, there):
    """Python without its site-packages, but for the few that the command line itself needs."""
    modules = home / "modules"
    modules.mkdir()
    for name in (*there.split(), "annotated_doc", "shellingham", "pygments", "markdown_it", "mdurl", "click"):
        if spec := importlib.util.find_spec(name):
            (modules / name).symlink_to(Path(spec.origin).parent)
    environment = {**os.environ, "PYTHONPATH": str(modules), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", "-m", "scripts", "doctor"]
    done = subprocess.run(command, cwd=workspace.CHECKOUT, env=environment, capture_output=True, text=True)
    assert done.returncode == int("packaging" in there), done.stderr  # without it no range can be read
    assert "Traceback" not in done.stderr and "WARN" in done.stdout and "pip install" in done.stdout


def test_the_version_is_told_in_a_line(k2l):
    code, out, err = k2l("--version")
    commit = installation.commit()
    assert (code, out, err) == (0, f"k2l {installation.version()} (commit {commit})\n", "")


def test_exit_codes_are_told_by_help_as_in_docs(k2l):
    assert EXIT_CODES in PAGES["docs/settings.md"] and EXIT_CODES in " ".join(k2l("--help")[1].split())


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("",), set(VERBS)),
        (("pu",), {"publish", "pull", "push"}),
        (("push", "--ep"), {"--epochs"}),
        (("doctor", "--"), {"--json", "--help", "--verbose", "--workspace"}),
        (("--vers",), {"--version"}),
    ],
)
def test_a_shell_is_told_verbs_and_options(k2l, monkeypatch, typed, offered):
    monkeypatch.setenv("_K2L_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(("k2l", *typed)))
    monkeypatch.setenv("COMP_CWORD", str(len(typed)))
    code, out, _ = k2l()
    assert code == 0 and set(out.split()) == offered


def test_a_shell_that_asks_gets_no_menu():
    out = terminal("-m", "scripts", _K2L_COMPLETE="complete_bash", COMP_WORDS="k2l qu", COMP_CWORD="1")
    assert out.split() == ["quota", "quantize"]


def test_completion_loads_nothing_heavy():
    environment = {**os.environ, "_K2L_COMPLETE": "complete_bash", "COMP_WORDS": "k2l ", "COMP_CWORD": "1"}
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr))\n"
        "from scripts.__main__ import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=workspace.CHECKOUT, env=environment, capture_output=True)
    assert b"push" in done.stdout
    assert not {b"numpy", b"torch", b"kagglesdk", b"cv2"} & set(done.stderr.split())


def test_the_lines_for_a_shell_are_shown_and_installed(home):
    for shell, file in (("bash", ".bashrc"), ("zsh", ".zshrc")):
        command = [sys.executable, "-m", "scripts"]
        told = {"cwd": workspace.CHECKOUT, "capture_output": True, "text": True}
        environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
        shown = subprocess.run([*command, "--show-completion", shell], env=environment, **told)
        assert "_K2L_COMPLETE" in shown.stdout
        subprocess.run([*command, "--install-completion", shell], env=environment, check=True, **told)
        assert (home / file).is_file()


@pytest.mark.parametrize("no_color", [True, False])
def test_colours_are_for_terminals_that_want_them(no_color):
    """Every part of the edge that draws with rich."""
    code = (
        "from scripts.terminal import output, tables\n"
        "from shared.core.events import Progress\n"
        "tables.table(['check', 'verdict'], [['a', 'GOOD'], ['b', 'WARN'], ['c', 'BAD']])\n"
        "with output.bar('reading') as report: report(Progress(.5)); output.say('beside'); report(Progress(1))"
    )
    out = terminal("-c", code, **({"NO_COLOR": "1"} if no_color else {}))
    assert "GOOD" in out and "reading" in out
    assert bool(COLOURS.search(out)) != no_color


@pytest.mark.parametrize("command", [("doctor",), ("--help",), ("push", "--nonsense")], ids=" ".join)
def test_no_verb_colours_against_the_users_will(command):
    out = terminal("-m", "scripts", *command, NO_COLOR="1")
    assert out.strip() and not COLOURS.search(out)


def test_it_fits_a_terminal_of_80_columns():
    lines = ESCAPES.sub("", terminal("-m", "scripts", "doctor")).splitlines()
    assert len(lines) > len(examine.CHECKS) and max(map(len, lines)) <= 80
    assert any(line.split()[:2] == ["Python", "GOOD"] for line in lines)


def test_rich_is_used_at_the_edge_alone():
    """Where `NO_COLOR` is seen to: a new user of it belongs into the test above."""
    users = set()
    for path in (workspace.CHECKOUT / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("rich"):
                users.add(path.stem)
    assert users == {"output", "tables", "training"}
