"""A model comes to its place whole, killed at any moment and on any disk."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from local.core import workspace
from local.core.events import BackupMade
from local.models.install import install, recover
from shared.core import files, manifest
from shared.core.errors import DiskFullError
from tests.heard import Heard
from tests.local.model_folders import write_manifest

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def other_disk():
    """A folder on another file system, as everybody has one on Linux."""
    place = Path("/dev/shm")
    if not os.access(place, os.W_OK) or place.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


def model(folder, weights):
    """A whole model folder with these weights."""
    folder.mkdir(parents=True)
    (folder / "model.pth").write_bytes(weights)
    write_manifest(folder, "lite", run_id=weights.decode())
    return folder


def weights(folder):
    """The weights of a model folder, every file of which is checked."""
    manifest.verify(folder)
    return (folder / "model.pth").read_bytes()


def lies_on(place, disk):
    """Has `models/` or `.k2l/`, with nothing in it, lie on another disk."""
    disk.mkdir(exist_ok=True)
    place.parent.mkdir(exist_ok=True)
    if place.exists():
        place.rmdir()
    place.symlink_to(disk)


def stage():
    return model(workspace.state() / "runs" / "r" / "pull", b"new")


def aside():
    return workspace.state() / "runs" / "r" / "replaced"


def left():
    return sorted(path.name for path in workspace.models().iterdir())


def killed_before(event, work):
    """Whether `work`, in a child process, was killed before its event number `event`: a rename, or a folder's end."""
    child = os.fork()
    if not child:
        import sys

        count = 0

        def die(name, arguments):
            nonlocal count
            if name in ("os.rename", "shutil.rmtree"):
                if count == event:
                    os.kill(os.getpid(), signal.SIGKILL)
                count += 1

        sys.addaudithook(die)
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def at_every_moment(prepare, work):
    """Kills `work` before its first event, its second …, each time after `prepare`; after each gives the number."""
    for event in range(1000):
        prepare(event)
        if not killed_before(event, work):
            assert event > 4
            return
        yield event


@pytest.mark.parametrize("elsewhere", ["nothing", "models", "journal"])
def test_killed_at_any_rename_it_is_the_old_model_or_the_new_one_and_the_next_command_completes_it(
    tmp_path, monkeypatch, elsewhere, request
):
    def prepare(event):
        monkeypatch.setenv("K2L_HOME", str(tmp_path / str(event)))
        if moved := {"models": workspace.models(), "journal": workspace.state()}.get(elsewhere):
            lies_on(moved, request.getfixturevalue("other_disk") / str(event))
        model(workspace.models() / "lite", b"old")
        stage()

    for _ in at_every_moment(prepare, lambda: install(workspace.state() / "runs/r/pull", "lite", aside=aside())):
        place = workspace.models() / "lite"
        if place.exists():
            assert weights(place) in (b"old", b"new")
        else:  # between the two renames: both are whole, and the next command knows where
            (work,) = workspace.models().glob(".install-*")
            assert (weights(work / "old"), weights(work / "new")) == (b"old", b"new")
        told = recover(workspace.models())
        assert left() == ["lite"]
        if weights(place) == b"old":  # nothing was moved yet: the command begins this step anew
            assert not told and weights(workspace.state() / "runs/r/pull") == b"new"
            install(workspace.state() / "runs/r/pull", "lite", aside=aside())
        assert weights(place) == b"new" and weights(aside()) == b"old" and left() == ["lite"]
        assert all(one.folder == place for one in told) and recover(workspace.models()) == []


@pytest.mark.parametrize("elsewhere", ["models", "journal"])
def test_models_and_journal_may_lie_on_two_disks(other_disk, elsewhere):
    lies_on({"models": workspace.models(), "journal": workspace.state()}[elsewhere], other_disk)
    heard = Heard()
    for _ in range(2):
        install(stage(), "lite", aside=aside(), report=heard)
    assert weights(workspace.models() / "lite") == b"new" and left() == ["lite"]
    assert (
        heard == [BackupMade(aside())]
        and weights(aside()) == b"new"
        and not (workspace.state() / "runs/r/pull").exists()
    )


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_without_room_for_the_new_model_all_is_as_it_was(other_disk, monkeypatch):
    model(workspace.models() / "lite", b"old")
    lies_on(workspace.state(), other_disk)
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(DiskFullError, match=r"disk full: .*\.install-.*Free some space"):
        install(stage(), "lite", aside=aside())
    assert weights(workspace.models() / "lite") == b"old" and left() == ["lite"]
    assert weights(workspace.state() / "runs/r/pull") == b"new"


def test_without_room_for_the_older_model_it_stays_and_the_new_one_is_there(other_disk, monkeypatch):
    model(workspace.models() / "lite", b"old")
    new = model(workspace.models().parent / "stage", b"new")
    lies_on(workspace.state(), other_disk)
    heard = Heard()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", full)
        install(new, "lite", aside=aside(), report=heard)
    assert weights(workspace.models() / "lite") == b"new" and weights(heard[0].folder) == b"old"
    (done,) = recover(workspace.models())
    assert done.kept == [aside()] and weights(aside()) == b"old" and left() == ["lite"]


@pytest.mark.parametrize("elsewhere", ["models", "journal"])
def test_interrupted_while_a_copied_folder_is_removed_no_model_is_lost_or_left_in_halves(
    other_disk, monkeypatch, elsewhere
):
    lies_on({"models": workspace.models(), "journal": workspace.state()}[elsewhere], other_disk)
    model(workspace.models() / "lite", b"old")
    stage()

    rmtree = shutil.rmtree

    def interrupted(path, *args, **options):
        for one in Path(path).rglob("model.pth"):
            one.unlink()
            raise KeyboardInterrupt
        rmtree(path, *args, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("shutil.rmtree", interrupted)
        install(workspace.state() / "runs/r/pull", "lite", aside=aside())
    recover(workspace.models())
    assert weights(workspace.models() / "lite") == b"new" and left() == ["lite"]
    assert weights(aside()) == b"old" and not aside().with_name("replaced-2").exists()


def test_a_record_that_somebody_planted_moves_nothing_out_of_the_two_folders(tmp_path):
    work = workspace.models() / ".install-x"
    model(work / "new", b"theirs")
    model(workspace.models() / "lite", b"old")
    manifest.write_json(work / "record.json", {"name": "lite", "aside": str(tmp_path / "victim")})
    (done,) = recover(workspace.models())
    assert done.kept == [workspace.state() / "replaced" / "lite"] and not (tmp_path / "victim").exists()
    for name in ("../lite", "", 5):
        work.mkdir()
        manifest.write_json(work / "record.json", {"name": name, "aside": str(aside())})
        (work / "old").symlink_to(tmp_path)
        assert recover(workspace.models()) == [] and left() == ["lite"] and tmp_path.exists()
    work.mkdir()
    os.mkfifo(work / "record.json")  # which would never end
    assert recover(workspace.models()) == [] and left() == ["lite"]


def test_a_link_at_the_place_is_moved_away_and_not_followed(tmp_path):
    victim = model(tmp_path / "victim", b"victim")
    (workspace.models() / "lite").symlink_to(victim)
    install(stage(), "lite", aside=aside())
    assert weights(victim) == b"victim" and weights(workspace.models() / "lite") == b"new"
    assert aside().resolve() == victim and not list(tmp_path.rglob(f"{files.PREFIX}*"))
