"""The journal: found again, one command at a time, and a damaged file named."""

import dataclasses
import json
import os

import pytest

from local.runs import journal
from local.runs.journal import Run
from shared.core.errors import DiskFullError, KernelError

pytestmark = pytest.mark.usefixtures("home")


def test_two_commands_for_one_model_do_not_race(home):
    with journal.lock("mine"), pytest.raises(KernelError, match="another command of k2l"):
        journal.lock("mine")
    with journal.lock("mine"):
        pass


def test_runs_are_found_by_the_beginning_of_their_id():
    with pytest.raises(KernelError, match="there is no run '2'"):
        journal.get("2")
    one = Run(
        run_id="20260101-1", remote="kaggle", owner="me", slug="k2l-mine", name="mine", framework="torch",
        dataset="digits", bundle_sha256="b", source_commit="", parameters={},
    )  # fmt: skip
    journal.intend(one, "{}")
    journal.intend(dataclasses.replace(one, run_id="20260101-2"), "{}")
    assert journal.get("20260101-1").notebook.read_text() == "{}"
    with pytest.raises(KernelError, match="2 runs begin with '2026'"):
        journal.get("2026")
    with pytest.raises(KernelError, match="no run is complete"):
        journal.latest("complete")
    assert (
        journal.unfinished(remote="kaggle", owner="me", slug="k2l-mine", name="mine", bundle_sha256="b").run_id[-1]
        == "2"
    )
    assert journal.unfinished(remote="emulator", owner="me", slug="k2l-mine", name="mine", bundle_sha256="b") is None


PLACE = {"remote": "kaggle", "owner": "me", "slug": "k2l-mine", "name": "mine", "bundle_sha256": "b" * 64}
ONE = Run(run_id="r1", framework="torch", dataset="digits", source_commit="", parameters={}, **PLACE)


def test_the_journal_keeps_every_step():
    one = journal.intend(ONE, "{}").record(state="pushed", version=3)
    steps = [json.loads(line) for line in (one.folder / journal.STEPS).read_text().split("\n") if line]
    assert [(step["state"], step["version"]) for step in steps] == [("intended", 0), ("pushed", 3)]
    assert journal.every() == [one]


def test_a_journal_cut_anywhere_is_as_it_was_a_step_before():
    """Cut at every byte, and written on behind the cut: never more is lost than the step that was cut."""
    intended = journal.intend(ONE, "{}")
    pushed = intended.record(state="pushed", version=3)
    path = pushed.folder / journal.STEPS
    whole = path.read_bytes()
    second = whole.rindex(b"\n")
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        expected = [pushed] if end == len(whole) else [intended] if end >= second else []
        assert journal.every() == expected
        assert (journal.damaged() == []) == bool(expected)
        done = pushed.record(state="done")
        assert journal.get("r1") == done


def test_a_run_that_cannot_be_read_is_named_and_hides_no_other(home):
    kept = journal.intend(dataclasses.replace(ONE, run_id="r2"), "{}")
    for damage in ('{"run_id": ', "[]", "null", "1", '{"run_id": "r1"}', '{"state": 5, "run_id": "r1"}', "[" * 100_000):
        (journal.folder() / "r1").mkdir(exist_ok=True)
        (journal.folder() / "r1" / journal.STEPS).write_text(damage)
        assert (journal.every(), journal.damaged()) == ([kept], [journal.folder() / "r1"])
        with pytest.raises(KernelError, match=r"no run 'r1'.*\n.*r1/run\.jsonl is damaged"):
            journal.get("r1")


def test_what_may_have_been_pushed_already_is_not_pushed_again():
    journal.intend(ONE, f'{{"bundle_sha256": "{"b" * 64}"}}')
    (ONE.folder / journal.STEPS).write_text("?")
    with pytest.raises(KernelError, match=r"r1/run\.jsonl is damaged.*may have been pushed already"):
        journal.unfinished(**PLACE)
    assert journal.unfinished(**PLACE | {"bundle_sha256": "c" * 64}) is None


def test_where_nothing_can_be_written_nothing_is_pushed(home):
    home.mkdir()
    (home / ".k2l").write_text("a file, where the journal's folder is due")
    with pytest.raises(KernelError, match=r"journal cannot be written .*Nothing was pushed"):
        journal.intend(ONE, "{}")


def test_each_step_is_on_the_disk_before_the_command_does_anything_else(monkeypatch):
    one = journal.intend(ONE, "{}")
    steps, synced, sync = one.folder / journal.STEPS, [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(os.fstat(file)), sync(file)))
    for state in ("pushed", "complete"):
        one = one.record(state=state)
        assert (synced[-1].st_ino, synced[-1].st_size) == (steps.stat().st_ino, steps.stat().st_size)


def test_a_journal_that_cannot_be_begun_leaves_nothing_and_nothing_is_pushed(limited_files):
    with limited_files(1), pytest.raises(DiskFullError, match=r"disk full: .*Nothing was pushed\."):
        journal.intend(ONE, "{}")
    assert not ONE.folder.exists() and journal.unwritten(-1) == []


def test_a_journal_is_not_written_through_a_link(tmp_path):
    one = journal.intend(ONE, "{}")
    steps = one.folder / journal.STEPS
    steps.rename(tmp_path / "victim")
    before = (tmp_path / "victim").read_bytes()
    steps.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        one.record(state="pushed")
    assert (tmp_path / "victim").read_bytes() == before


def test_a_full_disk_leaves_the_step_before(limited_files):
    """No file may grow beyond so many bytes: what a write meets on a full disk, but for the error's number."""
    one = journal.intend(ONE, "{}")
    size = (one.folder / journal.STEPS).stat().st_size
    with limited_files(size + 100), pytest.raises(DiskFullError, match=r"disk full: .*r1/run\.jsonl"):
        one.record(state="pushed", version=3)
    assert journal.every() == [one]
    assert journal.every() != [one.record(state="pushed", version=3)] != []
    assert journal.get("r1").version == 3
