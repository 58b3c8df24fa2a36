import dataclasses
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.core.errors import DataError
from shared.data import download as download_module
from shared.data.download import FILES, download
from shared.data.registry import DATASETS

CONTENT = {file: file.encode() * 5000 for file in FILES}


class Mirror(BaseHTTPRequestHandler):
    """Serves CONTENT, or misbehaves as the first part of the path says."""

    def do_GET(self):
        manner, file = self.path.strip("/").split("/")
        body = CONTENT[file]
        self.server.asked.append(self.path)
        if manner == "missing":
            return self.send_error(404)
        if manner == "silent":
            return self.server.release.wait(5)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if manner == "stalls":
            self.wfile.write(body[:1000])
            return self.server.release.wait(5)
        if manner == "trickles":
            return self.trickle(body)
        return self.wfile.write({"good": body, "breaks": body[:-10], "portal": b"<html>" + body[6:]}[manner])

    def trickle(self, body):
        for at in range(len(body)):
            self.wfile.write(body[at : at + 1])
            if self.server.release.wait(0.05):
                return

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    made = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    made.handle_error = lambda *_: None  # the client hangs up on it: that is what is tested
    made.asked, made.release = [], threading.Event()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    sums = tuple(hashlib.md5(CONTENT[file]).hexdigest() for file in FILES)
    monkeypatch.setitem(DATASETS, "mnist", dataclasses.replace(DATASETS["mnist"], md5=sums))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield made
    made.release.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def mirrors(server, monkeypatch):
    """Sets the mirrors to ones that behave in the ways named."""

    def behave(*manners):
        base = f"http://127.0.0.1:{server.server_port}"
        addresses = tuple(f"{base}/{manner}/" for manner in manners)
        monkeypatch.setitem(DATASETS, "mnist", dataclasses.replace(DATASETS["mnist"], mirrors=addresses))

    return behave


def test_all_four_files_arrive_whole(tmp_path, mirrors):
    mirrors("good")
    seen = []
    assert download("mnist", tmp_path / "data" / "mnist", progress=lambda *step: seen.append(step)) == ""
    found = {path.name: path.read_bytes() for path in (tmp_path / "data" / "mnist").iterdir()}
    assert found == CONTENT
    size = len(CONTENT[FILES[0]])
    assert (FILES[0], size, size) in seen


@pytest.mark.parametrize("bad", ["missing", "breaks", "portal"])
def test_a_bad_mirror_is_followed_by_the_next(tmp_path, mirrors, bad):
    mirrors(bad, "good")
    assert download("mnist", tmp_path) == ""


@pytest.mark.parametrize(
    ("bad", "why"),
    [("missing", "Not Found"), ("breaks", "broke after"), ("portal", "wrong checksum")],
)
def test_what_cannot_be_had_leaves_no_file_and_says_why(tmp_path, mirrors, bad, why):
    mirrors(bad)
    reason = download("mnist", tmp_path)
    assert why in reason and "127.0.0.1" in reason
    assert not list(tmp_path.iterdir())


def test_of_several_mirrors_that_fail_the_first_is_told_of(tmp_path, mirrors):
    mirrors("missing", "breaks")
    assert "Not Found" in download("mnist", tmp_path)


@pytest.mark.parametrize("bad", ["silent", "stalls", "trickles"])
def test_a_network_that_does_not_work_is_given_up_in_time(tmp_path, mirrors, monkeypatch, bad):
    monkeypatch.setattr(download_module, "PATIENCE", 0.8)
    monkeypatch.setattr(download_module, "SILENCE", 0.4)
    mirrors(bad, bad)
    begun = time.monotonic()
    assert "could not be downloaded" in download("mnist", tmp_path)
    assert time.monotonic() - begun < 1.8
    assert not list(tmp_path.iterdir())


def test_the_longest_it_can_take_is_under_fifteen_seconds():
    assert download_module.PATIENCE + download_module.SILENCE < 15


def test_a_look_up_of_names_that_hangs_is_given_up_too(tmp_path, monkeypatch):
    hang = threading.Event()
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: hang.wait(5))
    monkeypatch.setattr(download_module, "PATIENCE", 0.3)
    monkeypatch.setattr(download_module, "SILENCE", 0.2)
    begun = time.monotonic()
    assert "no answer" in download("mnist", tmp_path)
    assert time.monotonic() - begun < 1
    hang.set()


def test_files_already_there_are_kept(tmp_path, mirrors, server):
    mirrors("good")
    (tmp_path / FILES[0]).write_bytes(b"mine")
    assert download("mnist", tmp_path) == ""
    assert (tmp_path / FILES[0]).read_bytes() == b"mine"
    assert len(server.asked) == 3


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, mirrors):
    mirrors("good")
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(DataError, match="cannot be written"):
        download("mnist", tmp_path / "data")


@pytest.mark.slow  # torchvision takes seconds to import
def test_addresses_and_checksums_are_torchvisions():
    datasets = pytest.importorskip("torchvision.datasets")
    for name, theirs in (
        ("mnist", datasets.MNIST),
        ("fashion-mnist", datasets.FashionMNIST),
        ("kmnist", datasets.KMNIST),
    ):
        assert list(DATASETS[name].mirrors) == theirs.mirrors
        assert list(zip(FILES, DATASETS[name].md5, strict=True)) == theirs.resources
