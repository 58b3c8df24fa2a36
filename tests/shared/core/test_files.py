"""Files are written whole, under names that nobody can guess, and never through a link."""

import os
import signal
import stat

import pytest

from shared.core import files, manifest
from shared.core.errors import DiskFullError


def test_a_link_at_the_name_is_replaced_and_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for write in (lambda path: files.write(path, b"new"), lambda path: manifest.write_json(path, "new")):
        path = tmp_path / "file.json"
        path.unlink(missing_ok=True)
        path.symlink_to(victim)
        write(path)
        assert victim.read_text() == "precious" and not path.is_symlink() and "new" in path.read_text()


def test_the_part_has_another_name_each_time_in_a_folder_for_this_user_alone(tmp_path):
    places = set()
    for _ in range(3):
        with files.fresh(tmp_path / "model.keras") as part:
            assert part.name == "model.keras" and stat.S_IMODE(part.parent.stat().st_mode) == 0o700
            places.add(part)
    assert len(places) == 3 and list(tmp_path.iterdir()) == []


def test_a_file_is_as_readable_as_any_other(tmp_path):
    files.write(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_after_an_error_the_old_file_stays_and_nothing_else(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError), files.fresh(tmp_path / "a") as part:
        part.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_json_that_is_killed_while_it_is_written_is_the_old_or_the_new_one(tmp_path, monkeypatch):
    """Killed before each call that makes, opens, syncs or renames a file: no reader ever sees half of one."""
    path = tmp_path / "manifest.json"
    seen = set()
    for event in range(100):
        manifest.write_json(path, "old")
        child = os.fork()
        if not child:
            _killed_at(event)
            manifest.write_json(path, "new")
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        seen.add(path.read_text())
        if not killed:
            break
    assert event > 3 and seen == {'"old"\n', '"new"\n'}


def _killed_at(event):
    """This process is killed at its call number `event`."""
    left = [event]

    def counted(call):
        def counting(*given, **named):
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return call(*given, **named)

        return counting

    for name in ("mkdir", "open", "fsync", "replace", "rename", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))
    import io

    io.open = counted(io.open)


def test_json_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(os.fstat(file).st_size), sync(file)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("renamed"), replace(*names)))
    manifest.write_json(tmp_path / "a.json", "new")
    assert done == [len('"new"\n'), "renamed"]


@pytest.mark.parametrize("number", [28, 122, 27])  # ENOSPC, EDQUOT, EFBIG
def test_a_full_disk_is_said_with_the_files_own_name(tmp_path, number):
    with (
        pytest.raises(DiskFullError, match=rf"^disk full: {tmp_path}/a\. Free some space"),
        files.fresh(tmp_path / "a"),
    ):
        raise OSError(number, os.strerror(number))
    with pytest.raises(PermissionError), files.fresh(tmp_path / "a"):
        raise PermissionError(13, "no")
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_made_the_error_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        files.write(tmp_path / "nowhere" / "a", b"")
    assert missing.value.filename == str(tmp_path / "nowhere" / "a")


def test_a_file_that_grows_where_it_lies_is_not_opened_through_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"), open(tmp_path / "link", "ab", opener=files.no_follow):
        pass
    assert not (tmp_path / "victim").exists()
