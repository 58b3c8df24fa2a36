"""`runs`, `log`, `models` as a person and a script meet them: newest first, as wide as the terminal, plain on pipes."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from local.core import workspace
from local.models import checkpoints
from local.runs import journal
from local.runs.journal import Run
from scripts.terminal import tables
from shared.core import manifest

FACTS = {
    "framework": "torch", "architecture": "lite", "trainable_parameters": 1, "dataset": "digits", "parameters": {},
    "source_commit": "", "bundle_sha256": "b", "environment": {}, "metrics": {"test": {"accuracy": 0.9876}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def terminal(monkeypatch):
    """`terminal(columns)`: stdout is one from now on."""

    def wide(columns):
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))

    return wide


def begun(number, *, state="done", **changes):
    when = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number)
    one = Run(
        run_id=f"{when:%Y%m%d-%H%M%S}-0000000{number % 10}", remote="emulator", owner="emulator", slug="k2l-torch",
        name=f"model-{number}", framework="torch", dataset="digits", bundle_sha256="b", source_commit="",
        parameters={}, state=state, version=number, created_at=when.isoformat(), **changes,
    )  # fmt: skip
    return one.record()


def leave(folder, **changes):
    folder.mkdir(parents=True)
    (folder / "model.pth").write_bytes(b"weights")
    manifest.write(folder, manifest.TrainingManifest(**FACTS | {"run_id": "r", "name": folder.name} | changes))


def test_on_a_pipe_runs_are_lines_with_tabs_newest_first(k2l):
    first, second = begun(1), begun(2, state="pushed")
    leave(workspace.models() / "model-1", run_id=first.run_id)
    code, out, err = k2l("runs", "--offline")
    heading, *rows = (line.split("\t") for line in out.splitlines())
    assert (code, err) == (0, "")
    assert heading == ["run", "model", "remote", "kernel", "test %", "data set", "age", "state", "next"]
    assert [row[0] for row in rows] == [second.run_id, first.run_id]
    assert (
        [row[4] for row in rows] == ["", "98.76"]
        and rows[0][5] == "digits"
        and rows[0][-1] == f"k2l watch {second.run_id}"
    )


def test_the_accuracy_of_a_model_that_was_replaced_is_known():
    one = begun(1)
    leave(begun(2).folder / "replaced", run_id=one.run_id)
    assert journal.accuracies() == {one.run_id: 0.9876}


def test_a_limit_says_how_many_more_there_are(k2l):
    for number in range(3):
        begun(number)
    _, out, err = k2l("runs", "--limit", "1", "--json")
    (row,) = map(json.loads, out.splitlines())
    assert (row["name"], row["test_accuracy"], row["there"]) == ("model-2", None, "")
    assert err == "2 older: k2l runs --limit 3\n"


@pytest.mark.parametrize(("columns", "has"), [(200, "k2l-torch version"), (80, "test %")])
def test_on_a_terminal_twenty_are_shown_in_the_columns_that_fit(k2l, terminal, columns, has):
    for number in range(23):
        begun(number)
    running = begun(23, state="failed", message="no ink")
    running.log.write_text("no ink")
    terminal(columns)
    _, out, err = k2l("runs", "--offline")
    out = re.sub(r"\x1b\[\d*m", "", out)  # the heading is bold
    lines = [line for line in out.splitlines() if "model-" in line]
    assert len(lines) == 20 and "4 older" in err and has in out
    assert ("k2l-torch" in out) == (columns == 200) and all(len(line) <= columns for line in out.splitlines())
    assert "20261101-230000 " in lines[0] and "k2l log 20261101-230000" in lines[0]


def test_two_runs_of_one_second_keep_their_whole_names(k2l, terminal):
    one = begun(1)
    Run(**{**vars(one), "run_id": one.run_id[:-1] + "9"}).record()
    terminal(200)
    assert one.run_id in k2l("runs", "--offline")[1]


def test_a_figure_that_is_no_number_is_null(k2l):
    """JSON has no NaN; Python reads and writes it, and so a journal may have one."""
    figures = {"rate": float("nan"), "rates": [float("-inf"), 0.5]}
    Run(**{**vars(begun(1)), "parameters": figures}).record()
    _, out, _ = k2l("runs", "--offline", "--json")
    assert json.loads(out, parse_constant=pytest.fail)["parameters"] == {"rate": None, "rates": [None, 0.5]}


def test_what_would_be_cleared_is_shown_and_kept(k2l):
    one = begun(1)
    code, out, err = k2l("runs", "--gc", "--older", "0", "--dry-run")
    assert code == 0 and str(one.folder) in out and "nothing was cleared" in err and one.folder.exists()
    code, out, err = k2l("runs", "--gc", "--older", "0")
    assert code == 0 and str(one.folder) in out and "cleared 1, " in err and not one.folder.exists()
    assert k2l("runs", "--dry-run")[0] == 2


@pytest.mark.parametrize("yes", [True, False])
def test_on_a_terminal_it_is_asked_first(k2l, yes, monkeypatch):
    one = begun(1)
    monkeypatch.setattr("scripts.terminal.ask.agreed", lambda question: yes)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert k2l("runs", "--gc", "--older", "0")[0] == 0
    assert one.folder.exists() is not yes


def test_a_log_is_printed_as_it_is_kept(k2l):
    assert "error: there is no run. Start one" in k2l("log")[2]
    one = begun(1, state="failed", message="no room")
    assert k2l("log")[2] == f"error: no log of {one.run_id} is kept: it is failed. no room\n"
    assert "is pushed. " in k2l("log", begun(0, state="pushed").run_id)[2]
    one.save_log("epoch 1\nno ink")
    assert k2l("log") == (0, "epoch 1\nno ink\n", "") == k2l("log", one.run_id[:12])


def test_a_log_is_found_by_its_model_and_printed_without_its_lists_of_files(k2l):
    begun(1, state="failed").save_log("another")
    begun(2, state="failed").save_log("an older one")
    one = begun(3, state="failed").record(name="model-2")
    one.save_log(
        "Writing /tmp/k2l/shared/data/idx.py\nepoch 1\n       8,123 bytes   0123456789ab   model.pth\nWriting home\n"
    )
    assert k2l("log", "model-2") == (0, "epoch 1\nWriting home\n", "")
    assert one.log.read_text().startswith("Writing /tmp")


def test_models_are_listed_newest_first_with_how_they_stand(k2l, home, monkeypatch):
    monkeypatch.setattr(workspace, "zoo", lambda: home / "zoo")
    leave(workspace.models() / "old", created_at="2026-01-01T00:00:00+00:00")
    leave(workspace.models() / "new")
    (workspace.models() / "old" / "model.pth").write_bytes(b"changed")
    leave(workspace.zoo() / "lite", published={"left_out": {}}, created_at="2025-01-01T00:00:00+00:00")
    begun = checkpoints.place("half")
    begun.mkdir(parents=True)
    training = {"framework": "torch", "parameters": {"architecture": "compact", "dataset": "digits", "epochs": 5}}
    (begun / checkpoints.NAME).write_text(json.dumps({"schema": 1, "history": [1, 2], "training": training}))
    code, out, _ = k2l("models", "--json")
    rows = {row["name"]: row for row in map(json.loads, out.splitlines())}
    assert code == 0 and list(rows) == ["half", "new", "old", "lite"]
    assert [row["stands"] for row in rows.values()] == ["interrupted", "verified", "damaged", "verified"]
    assert rows["half"]["why"] == "after epoch 2 of 5" and "model.pth" in rows["old"]["why"]
    assert rows["new"]["files"] == {"model.pth": 7} and rows["new"]["test_accuracy"] == 0.9876
    assert rows["lite"]["zoo"] and not rows["new"]["zoo"]
    _, out, err = k2l("models")
    assert out.splitlines()[2].split("\t")[:5] == ["new", "lite", "torch", "digits", "98.76"]
    assert "half is interrupted: after epoch 2 of 5\n" in err


def test_lesser_columns_go_one_after_the_other(terminal, capsys):
    columns = {letter: lambda row, letter=letter: 20 * letter for letter in "abc"}
    for wide, there in ((200, "abc"), (60, "ab"), (40, "a")):
        terminal(wide)
        tables.listing(columns, [0], lesser=("c", "b"))
        out = capsys.readouterr().out
        assert [letter for letter in "abc" if 20 * letter in out] == list(there)
