"""What a notebook can leave behind to trip the emulator up: nothing hangs, and nothing but plain files is served."""

import os
import zipfile
from io import BytesIO

import pytest

from local.emulator import application, kernel_methods
from local.emulator.sessions.folders import plain_files, remove

TRICKS = """
import os
for name in ("plain.txt", "empty", "closed", "\\udcff.txt", "line\\nbreak"):
    open(name, "w").close()
open("plain.txt", "w").write("plain")
os.chmod("closed", 0)
os.mkfifo("pipe")
os.symlink({secret!r}, "link.txt")
os.symlink({folder!r}, "linked")
os.symlink(".", "loop")
os.truncate(os.open("huge", os.O_CREAT | os.O_WRONLY), 1 << 40)
for folder in (".", "../input"):
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d" * 9, dir_fd=here)
        here, above = os.open("d" * 9, os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(os.open("deepest", os.O_CREAT, dir_fd=here))
print("done")
"""
PLAIN = ["__notebook__.ipynb", "closed", "empty", "huge", "line\nbreak", "plain.txt"]


@pytest.fixture
def secret(tmp_path):
    """A file outside that nobody is to see."""
    (tmp_path / "private").mkdir()
    path = tmp_path / "private" / "id_rsa"
    path.write_text("do not tell")
    return path


@pytest.mark.skipif(os.name != "posix", reason="pipes, links and modes as POSIX has them")
@pytest.mark.usefixtures("plain_sessions")
def test_tricks_among_the_outputs_are_passed_over_and_nothing_hangs(emulator, secret, monkeypatch):
    emulator.push("full-of-tricks", TRICKS.format(secret=str(secret), folder=str(secret.parent)))
    assert emulator.wait("full-of-tricks") == "COMPLETE", emulator.said("full-of-tricks", "stderr")
    urls = {item["fileName"]: item["url"] for item in emulator.outputs("full-of-tricks")["files"]}
    assert sorted(urls) == (PLAIN if os.geteuid() == 0 else [name for name in PLAIN if name != "closed"])
    assert emulator.http.get(urls["plain.txt"], timeout=10).content == b"plain"
    assert emulator.http.get(urls["empty"], timeout=10).content == b""
    huge = emulator.http.get(urls["huge"], headers={"Range": "bytes=0-9"}, timeout=10)  # hashing it would take an hour
    assert (huge.status_code, huge.content, "x-goog-hash" in huge.headers) == (206, bytes(10), False)
    fields = {"ownerSlug": emulator.username, "kernelSlug": "full-of-tricks"}
    assert "too large" in emulator.call("DownloadKernelOutput", **fields).json()["error"]["message"]
    for name in ("pipe", "link.txt", "linked/id_rsa", "../../push.json", "\0", "x" * 5000, "", "."):
        assert emulator.call("DownloadKernelOutput", **fields, filePath=name or "/").status_code in (400, 404), name
        signed = emulator.url + emulator.service.url_of(emulator.version("full-of-tricks"), name)
        assert emulator.http.get(signed, timeout=10).status_code in (403, 404), name
    folder = emulator.version("full-of-tricks").folder
    assert not (folder / "kaggle" / "input").exists()  # as deep as it was
    assert emulator.call("DeleteKernel", userName=emulator.username, kernelSlug="full-of-tricks").status_code == 200
    assert not folder.exists() and list((emulator.state / "trash").iterdir()) == []
    assert secret.read_text() == "do not tell"


@pytest.mark.parametrize("led_away", ["working", ".", "__notebook__.ipynb"])
def test_a_link_in_place_of_its_own_folder_leads_nowhere(emulator, secret, led_away):
    version = emulator.finished("led-away", {"a.txt": b"a"})
    if led_away == "__notebook__.ipynb":
        (version.folder / led_away).symlink_to(secret)
    else:
        place = (version.folder / "kaggle" / led_away).resolve()
        place.rename(place.with_name("moved"))
        place.symlink_to(secret.parent)
        (secret.parent / "working").mkdir()
        (secret.parent / "working" / "diary.txt").write_text("do not tell")
    listed = [item["fileName"] for item in emulator.outputs("led-away").get("files", [])]
    assert listed == (["a.txt"] if led_away == "__notebook__.ipynb" else [])
    packed = emulator.call("DownloadKernelOutput", ownerSlug=emulator.username, kernelSlug="led-away").content
    assert zipfile.ZipFile(BytesIO(packed)).namelist() == listed
    for name in (led_away, "id_rsa", "diary.txt"):
        signed = emulator.url + emulator.service.url_of(version, name)
        assert emulator.http.get(signed, timeout=10).status_code in (403, 404)
    emulator.call("DeleteKernel", userName=emulator.username, kernelSlug="led-away")
    assert secret.read_text() == "do not tell"


def test_what_is_removed_is_the_folder_and_never_what_a_link_leads_to(tmp_path, secret):
    (tmp_path / "away").symlink_to(secret.parent)
    for folder in (tmp_path / "away", tmp_path / "away" / "below", tmp_path / "absent"):
        remove(folder)
        assert list(plain_files(folder)) == []
    (tmp_path / "full" / "inner").mkdir(parents=True)
    (tmp_path / "full" / "inner" / "link").symlink_to(secret.parent)
    (tmp_path / "full" / "inner" / "file").touch(0o444)
    (tmp_path / "full" / "inner").chmod(0o500)
    remove(tmp_path / "full")
    assert not (tmp_path / "full").exists()
    assert secret.read_text() == "do not tell"


def test_the_largest_file_with_a_hash_and_the_largest_archive_are_found_by_their_size(emulator, monkeypatch):
    emulator.finished("by-size", {"a.bin": b"12345"})
    url = emulator.outputs("by-size")["files"][0]["url"]
    fields = {"ownerSlug": emulator.username, "kernelSlug": "by-size"}
    for limit, hashed, packed in ((5, True, 200), (4, False, 400)):
        monkeypatch.setattr(application, "HASHED_BYTES", limit)
        monkeypatch.setattr(kernel_methods, "ARCHIVE_BYTES", limit)
        assert ("x-goog-hash" in emulator.http.get(url).headers) is hashed
        assert emulator.call("DownloadKernelOutput", **fields).status_code == packed
