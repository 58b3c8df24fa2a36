"""Pull against the emulator: whole and proven, or nothing under models/ and an error that says why."""

import dataclasses
import hashlib
import io
import threading
from contextlib import contextmanager, suppress

import pytest

from local.core import workspace
from local.jobs import pull
from local.runs.download import part_of
from scripts.steps import trip as trip
from shared.core import manifest
from shared.core.errors import KernelError
from tests.heard import Heard
from tests.local import trips

pytestmark = pytest.mark.usefixtures("home", "no_waits")


def test_files_of_many_pages_all_come(emulator, service):
    files = {f"plots/{n:03d}.png": bytes([n % 256]) * n for n in range(230)}
    _, left_out = pull.pull(service, trips.finished(emulator, files))
    assert left_out == {}
    assert len(manifest.verify(workspace.models() / "mine").files) == 231


def test_files_that_the_manifest_does_not_name_are_left_out_and_told(emulator, service):
    stated = {"a": {"sha256": hashlib.sha256(b"a").hexdigest(), "bytes": 1}}
    _, left_out = pull.pull(service, trips.finished(emulator, {"a": b"a", "extra.bin": b"?"}, stated=stated))
    assert left_out == {"extra.bin": pull.UNNAMED}
    assert not (workspace.models() / "mine" / "extra.bin").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"run_id": "r0"}, "it belongs to another run"),
        ({"bundle_sha256": "other"}, "it belongs to another run"),
        ({"schema": 7}, "schema 7"),
        ({"stated": {"gone": {"sha256": "0" * 64, "bytes": 1}}}, "gone, but the service does not list it"),
        ({"stated": {"../evil": {"sha256": "0" * 64, "bytes": 1}}}, "outside its folder"),
        ({"stated": {"a": {"sha256": "0" * 64, "bytes": 1}}}, "differ from those of the manifest"),
    ],
    ids=str,
)
def test_what_cannot_be_proven_is_not_installed(emulator, service, changes, said):
    with pytest.raises(KernelError, match=said):
        pull.pull(service, trips.finished(emulator, {"a": b"a"}, **changes))
    assert trips.nothing_installed()


def test_a_run_without_manifest_is_not_installed(emulator, service):
    one = trips.finished(emulator, {})
    emulator.finished("k2l-mine", {"model.pth": b"half"})
    with pytest.raises(KernelError, match=r"left no manifest\.json.*It left: .*model\.pth"):
        pull.pull(service, dataclasses.replace(one, version=2))
    assert trips.nothing_installed()


def test_more_bytes_than_allowed_are_refused(emulator, service):
    with pytest.raises(KernelError, match="--max-bytes"):
        pull.pull(service, trips.finished(emulator, {"a": b"a" * 1000}), max_bytes=999)
    assert trips.nothing_installed()


class Liar:
    """A download of big.bin that goes on and on, and whose length is unsaid, far too small or far too large."""

    def __init__(self, monkeypatch, service, length):
        self.length, self.download = length, service.download
        monkeypatch.setattr(service, "download", self)

    @contextmanager
    def __call__(self, url, start=0):
        with self.download(url, start=start) as answer:
            if "big.bin" in url:
                answer.headers.pop("Content-Length")
                answer.headers.update({} if self.length is None else {"Content-Length": str(self.length)})
                answer.raw = io.BytesIO(answer.raw.read() * 50)
            yield answer


def bytes_below(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.parent.name != "logs")


@pytest.mark.parametrize("length", [None, 1, 10**15])
def test_no_more_is_written_than_was_stated_whatever_the_service_says_of_its_length(
    emulator, service, monkeypatch, length
):
    content = bytes(range(256)) * 400
    one = trips.finished(emulator, {"big.bin": content})
    most = []
    Liar(monkeypatch, service, length)  # five megabytes for a file of a tenth of one
    with pytest.raises(KernelError, match="larger than 102,400 bytes"), watched(one.folder, most):
        pull.pull(service, one, max_bytes=200_000)
    assert max(most) < 110_000 and trips.nothing_installed()
    with watched(one.folder, most):
        assert pull.rescue(service, one, max_bytes=200_000) == ["manifest.json"]
    assert max(most) < 210_000


@contextmanager
def watched(folder, most):
    """Notes how much lies below the folder, all the while."""
    over = threading.Event()

    def look():
        while not over.wait(0.001):
            with suppress(OSError):
                most.append(bytes_below(folder))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        most.append(bytes_below(folder))


def test_what_a_failed_run_left_is_kept_within_bounds_and_with_no_parts(emulator, service):
    one = trips.finished(emulator, {f"{n}.bin": bytes(60_000) for n in range(9)})
    came = pull.rescue(service, one, max_bytes=100_000)
    assert came == ["0.bin"]  # with the second it would be too much; three that do not come end it
    assert bytes_below(one.folder) < 100_000 and not list(one.parts.rglob("*.bin"))


def test_an_interrupted_pull_goes_on_where_it_was(emulator, service, monkeypatch):
    content = bytes(range(256)) * 4000
    one = trips.finished(emulator, {"big.bin": content, "small": b"s"})
    one.stage.mkdir(parents=True)
    (one.stage / "small").write_bytes(b"s")
    part_of(one, one.stage / "big.bin").parent.mkdir(parents=True)
    part_of(one, one.stage / "big.bin").write_bytes(content[:600_000])
    asked = []
    download = service.download
    monkeypatch.setattr(
        service, "download", lambda url, start=0: asked.append((url, start)) or download(url, start=start)
    )
    pull.pull(service, one)
    manifest.verify(workspace.models() / "mine")
    assert [start for url, start in asked if "big.bin" in url] == [600_000]
    assert not any("small" in url for url, _ in asked)


def test_a_wrong_part_is_fetched_anew(emulator, service):
    one = trips.finished(emulator, {"a": b"right answer"})
    part_of(one, one.stage / "a").parent.mkdir(parents=True)
    part_of(one, one.stage / "a").write_bytes(b"wrong")
    pull.pull(service, one)
    assert (workspace.models() / "mine" / "a").read_bytes() == b"right answer"


def test_what_a_killed_pull_left_half_written_is_not_installed(emulator, service):
    one = trips.finished(emulator, {"a": b"a"})
    (one.stage / ".k2l-part-killed").mkdir(parents=True)
    (one.stage / ".k2l-part-killed" / "run.log").write_text("half")
    pull.pull(service, one)
    assert sorted(trips.installed()) == ["a", "manifest.json", "run.log"]


def test_a_model_that_was_there_is_kept_aside(emulator, service):
    old = workspace.models() / "mine"
    old.mkdir(parents=True)
    (old / "model.pth").write_bytes(b"old")
    one = trips.finished(emulator, {"a": b"a"})
    heard = Heard()
    done, _ = pull.pull(service, one, report=heard)
    assert heard.all("folder") == [one.folder / "replaced"] and not (workspace.models() / "mine" / "model.pth").exists()
    pull.pull(service, one)  # killed before the journal knew: nothing is fetched, nothing moved
    pull.pull(service, done, again=True)
    kept = sorted(path.name for path in one.folder.glob("replaced*"))
    assert kept == ["replaced", "replaced-2"]
    assert (one.folder / "replaced" / "model.pth").read_bytes() == b"old"


def test_models_never_shows_half_a_folder(emulator, service):
    one = trips.finished(emulator, {f"{n}.bin": bytes(50_000) for n in range(40)})
    seen, done = set(), threading.Event()

    def look():
        while not done.is_set():
            folder = workspace.models() / "mine"
            seen.add(len(list(folder.iterdir())) if folder.exists() else 0)

    watcher = threading.Thread(target=look)
    watcher.start()
    pull.pull(service, one)
    done.set()
    watcher.join()
    assert seen <= {0, 42}  # forty files, the manifest and the log, or nothing


@pytest.mark.parametrize("names", [[], ["manifest.json"], ["model.pth"]], ids=["nothing", "no manifest", "a part"])
def test_what_a_complete_run_left_may_be_listed_late(emulator, service, capsys, names):
    one = trips.finished(emulator, {"model.pth": b"w"})
    emulator.faults.add(fault="unlisted", names=names, times=3)
    assert trip.pulled(service, one).state == "pulled" and trips.installed()["model.pth"] == b"w"
    said = capsys.readouterr().err
    assert said.count("not all its files are listed yet: trying again for two minutes\n") == 1


def test_what_is_never_listed_is_told_in_a_line(emulator, service):
    one = trips.finished(emulator, {"model.pth": b"w"})
    emulator.faults.add(fault="unlisted", times=None)
    with pytest.raises(KernelError, match=r"lists no files of .*, even after two minutes\.\n.*k2l pull r1"):
        pull.pull(service, one)
    assert emulator.faults.struck["unlisted"] == 1 + len(pull.LOOKS) and 100 <= sum(pull.LOOKS) <= 130


@pytest.mark.parametrize(
    ("asked", "given", "other"),
    [
        ("NvidiaTeslaT4", "CPU, 4 threads", True),
        ("NvidiaTeslaT4", "Tesla T4", False),
        ("NvidiaTeslaP100", "Tesla P100-PCIE-16GB", False),
        ("NvidiaTeslaP100", "Tesla T4", True),
        ("NvidiaL4", "NVIDIA L40S", True),
        ("NvidiaRtxPro6000", "NVIDIA RTX PRO 6000 Blackwell", False),
        ("NvidiaTeslaT4Highmem", "Tesla T4", False),
        ("TpuV5E8", "CPU, 96 threads", True),
        ("TpuV5E8", "TPU v5 lite", False),
        ("none", "Tesla T4", False),
        ("", "CPU, 4 threads", False),
        ("NvidiaTeslaT4", "GPU", False),
        ("NvidiaTeslaT4", "", False),
    ],
)
def test_another_accelerator_than_was_asked_for_is_said(emulator, service, capsys, asked, given, other):
    one = trips.finished(emulator, {"a": b"a"}, environment={"accelerator": given}).record(accelerator=asked)
    trip.pulled(service, one)
    said = f"NOTE: {asked} was requested, but the run had {given}. The emulator gives what this machine has.\n"
    assert (said in capsys.readouterr().err) == other


def test_on_a_service_another_accelerator_is_a_warning(emulator, service, capsys):
    one = trips.finished(emulator, {"a": b"a"}, environment={"accelerator": "CPU, 4 threads"})
    trip.pulled(service, one.record(accelerator="NvidiaTeslaT4", remote="kaggle"))
    assert "WARNING: NvidiaTeslaT4 was requested, but the run had CPU, 4 threads." in capsys.readouterr().err
