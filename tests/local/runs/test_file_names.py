"""Whatever a run names its files, a pull brings them: under a name that every system can hold, and both are told."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.core import workspace
from local.jobs import pull, watch
from local.runs.file_names import stored_names
from scripts.steps import trip as trip
from shared.core import manifest
from shared.core.errors import RunError
from shared.core.file_names import safe_name, stays_inside
from tests.heard import Heard
from tests.local import trips

CLOCK = "log-2026-11-28T15:00:00.txt"
# What Linux, and so a run, takes for a name.
ODD = [
    CLOCK, "a\\b", "C:\\evil", "C:/evil", "dots...", "spaces  ", "CON", "con.x.txt", "a\nb", "\x1b[2Jclear", "x\t.txt",
    "x" * 250, "ü" * 127, "👩\u200d🚀.png", "e\u0301.txt", "é.txt", "a?*<>|\".txt", "d:/e:/f", "run.log",
    "notebook.ipynb", "Manifest.json", "MODEL.pth", "~", "-", ":", "emoji 🎉.txt",
]  # fmt: skip
MOST_PIECES = {
    "model.pth",
    "e\u0301.txt",
    "~",
    "-",
    "emoji 🎉.txt",
}  # e with an accent comes before the letter that has it

pytestmark = pytest.mark.usefixtures("home", "no_waits")


def left(emulator, folder, names, *, state="complete"):
    """A run that left these files, each with its name for content, and the manifest that the real writer made."""
    folder.mkdir()
    files = {name: name.encode() for name in names}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    manifest.write(folder, trips.stated())
    one = trips.finished(emulator, files, state=state)
    text = (folder / manifest.NAME).read_bytes()
    (emulator.version(trips.SLUG).working / manifest.NAME).write_bytes(text)
    return one


def test_whatever_a_run_names_its_files_they_come_proven(emulator, service, tmp_path, capsys):
    one = left(emulator, tmp_path / "working", ["model.pth", *ODD])
    trip.pulled(service, one)
    home = workspace.models() / trips.NAME
    files = manifest.verify(home).files
    assert len(files) == len(ODD) + 2 and all(safe_name(name) for name in files)
    assert (home / "run.log").read_text() == "it ran\n"  # the run's own file of that name is stored beside it
    del files["run.log"]
    came = {file.name_in_run or name: (home / name).read_bytes() for name, file in files.items()}
    assert came == {name: name.encode() for name in ("model.pth", *ODD)}
    said = capsys.readouterr().err
    renamed = {file.name_in_run: name for name, file in files.items() if file.name_in_run}
    assert f"stored as {renamed[CLOCK]}: in the run its name is {CLOCK}\n" in said and "\x1b" not in said
    assert said.count("stored as ") == len(renamed) and not renamed.keys() & MOST_PIECES


def test_a_pull_that_was_interrupted_fetches_no_odd_file_twice(emulator, service, tmp_path, monkeypatch):
    one = left(emulator, tmp_path / "working", ["model.pth", CLOCK])
    with monkeypatch.context() as patch:
        patch.setattr(pull, "install", lambda *arguments, **options: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pull.pull(service, one)
    heard = Heard()
    pull.pull(service, one, report=heard)
    assert heard == [] and manifest.verify(workspace.models() / trips.NAME)


def test_what_nobody_can_prove_or_bring_is_left_out_and_said(emulator, service, tmp_path, capsys):
    """A link, a file without a reader, a name that is no text: the writer passes over them, and says so."""
    folder = tmp_path / "working"
    folder.mkdir()
    (folder / "link.pth").symlink_to("model.pth")
    (folder / os.fsdecode(b"\xff.txt")).write_bytes(b"")
    folder.rename(tmp_path / "tricks")
    one = left(emulator, folder, ["model.pth", CLOCK])
    for path in (tmp_path / "tricks").iterdir():
        path.rename(folder / path.name)
    text = manifest.write(folder, trips.stated())
    assert sorted(text.files) == [CLOCK, "model.pth"] and text.left_out == ("link.pth", "\udcff.txt")
    (emulator.version(trips.SLUG).working / manifest.NAME).write_bytes((folder / manifest.NAME).read_bytes())
    emulator.faults.add(fault="unlisted", names=[CLOCK], times=None)
    trip.pulled(service, one)
    said = capsys.readouterr().err
    assert "left out: link.pth (the run could not hash it" in said and r"left out: '\udcff.txt'" in said
    assert f"left out: {CLOCK} (the service does not list it)" in said
    here = manifest.verify(workspace.models() / trips.NAME)
    assert sorted(here.files) == ["model.pth", "run.log"] and set(here.left_out) == {*text.left_out, CLOCK}


def test_what_a_failed_run_left_comes_under_safe_names_too(emulator, service, tmp_path):
    one = left(emulator, tmp_path / "working", [CLOCK, "a\\b"], state="pushed")
    emulator.faults.add(fault="stuck", state="ERROR", times=None)
    with pytest.raises(RunError, match="not verified: 3 in"):
        watch.watch(service, one, sleep=lambda seconds: None)
    kept = {path.read_bytes() for path in one.partial.iterdir()}
    assert {CLOCK.encode(), b"a\\b"} <= kept and all(safe_name(path.name) for path in one.partial.iterdir())


def test_a_stored_name_is_never_anothers():
    names = ["a:b", "a_b", "A_B", "x/y", "X", "x:", "run.log/x", "run.log"]
    first = stored_names(names, taken=["run.log"])
    # Somebody who knows how names are made can make them too.
    both = stored_names([*names, *first.values()], taken=["run.log"])
    for stored in (first, both):
        folded = [name.casefold() for name in stored.values()]
        assert len(set(folded)) == len(folded) and "run.log" not in folded
        assert all(safe_name(name) for name in stored.values())
        assert stored["a_b"] == "a_b" or stored["A_B"] == "A_B"


def test_only_names_below_the_folder_are_a_runs():
    for name in (*ODD, "a" * 255, "/".join("ab" * 100)):
        assert stays_inside(name), name
    for name in ("", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0", "a" * 256, "\udcff", "a/" * 3000 + "b"):
        assert not stays_inside(name), name


def test_a_name_that_not_every_system_can_hold_is_refused_in_a_model_folder(tmp_path):
    """As it would come by another way than a pull: there `C:` is a folder, and on Windows a disk."""
    (tmp_path / "manifest.json").write_bytes(trips.manifest_text({"C:/evil": b"x"}))
    with pytest.raises(Exception, match="names 'C:/evil', which some systems cannot store"):
        manifest.read(tmp_path)


@given(st.lists(st.text("aA.:/\\~ e\u0301é_\n", min_size=1, max_size=8).filter(stays_inside), max_size=8))
def test_any_names_are_stored_beside_each_other(names):
    stored = list(stored_names(names, taken=pull.OURS).values())
    folded = [unicodedata.normalize("NFC", name).casefold() for name in stored]
    assert len(stored) == len(set(names)) == len(set(folded)) and all(map(safe_name, stored))
    assert not any(one.startswith(f"{other}/") for one in folded for other in [*folded, *pull.OURS])
