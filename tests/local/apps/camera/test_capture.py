"""What a camera is: a stream of this machine stands in for it, served as telephones serve theirs."""

import http.server
import itertools
import threading
import time

import cv2
import pytest

from local.apps.camera import capture
from local.pictures.film import Film
from shared.core.errors import CameraError, PictureError
from tests.local.digits.drawn_digits import page


class Stream(http.server.BaseHTTPRequestHandler):
    """Motion JPEG, a frame every 20 ms; ends after as many as the server says."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        self.server.opened += 1
        for number in itertools.count():
            if number >= self.server.frames or self.server.ended.is_set():
                return
            data = cv2.imencode(".jpg", page(str(number % 10)))[1].tobytes()
            try:
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data))
                self.wfile.write(data + b"\r\n")
            except OSError:
                return
            self.server.sent = number
            time.sleep(0.02)

    def log_message(self, *_):
        pass


@pytest.fixture
def stream():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    server.frames, server.opened, server.sent, server.ended = 10_000, 0, 0, threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}/video"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


def test_of_a_camera_only_the_newest_frame_is_read(stream):
    with capture.open_feed(stream.address, told=print) as feed:
        assert feed.live and feed.film
        shots = iter(feed)
        first = next(shots)
        time.sleep(0.5)
        second = next(shots)
    assert first.frame == 0 and second.frame == 1
    assert second.taken > first.taken + 0.3
    assert not feed._thread.is_alive()


def test_one_that_stops_is_opened_again_and_said(stream):
    stream.frames = 12
    told = []
    with capture.open_feed(stream.address, told=told.append) as feed:
        shots = iter(feed)
        while stream.opened < 2:
            assert next(shots).grey.ndim == 2
        assert next(shots).grey.ndim == 2
    assert not feed._thread.is_alive() and "stopped after" in told[0] and told[0].endswith("trying again in 0.5 s")


def test_one_that_is_not_there_is_given_up_with_what_there_is(monkeypatch):
    monkeypatch.setattr(capture, "FIRST_PAUSE", 0.05)
    told = []
    with capture.Camera("97", told=told.append, patience=0.5) as feed, pytest.raises(CameraError) as error:
        next(iter(feed))
    assert "there is no camera 97: " in str(error.value) and "Given up after" in str(error.value)
    pauses = [float(line.split()[-2]) for line in told]
    assert len(told) >= 2 and pauses[0] == 0.05 and pauses == sorted(pauses) and pauses[1] > pauses[0]


def test_one_that_is_not_listed_to_begin_with_is_not_waited_for(monkeypatch):
    told = []
    monkeypatch.setattr(capture, "LINUX", True)
    with pytest.raises(CameraError, match=r"no camera 97: .*\.\nName another source: k2l camera --source FILE"):
        capture.open_feed("97", told=told.append)
    assert not told
    monkeypatch.setattr(capture, "listed", lambda source: True)
    assert capture.open_feed("97", told=told.append).live  # and that it goes is said and borne, as above


def test_a_number_that_no_device_can_have_is_a_camera_that_is_not_there():
    told = []
    with capture.Camera("9" * 12, told=told.append, patience=1) as feed, pytest.raises(CameraError):
        next(iter(feed))
    assert told and "there is no camera 999" in told[0]


def test_a_film_behind_an_address_is_no_camera(tmp_path):
    assert not capture.open_feed("HTTP://127.0.0.1:9/clip.mp4?x=1", told=print).live
    assert capture.open_feed("http://127.0.0.1:9/video", told=print).live
    assert capture.open_feed("rtsp://127.0.0.1:9/1", told=print).live
    cv2.imwrite(str(tmp_path / "a b.png"), page("1"))
    with capture.open_feed((tmp_path / "a b.png").as_uri(), told=print) as feed:
        assert next(iter(feed)).name.endswith("a b.png")


def test_a_film_and_a_folder_are_read_whole_and_in_order(tmp_path):
    with Film(tmp_path / "clip.mp4", fps=25) as film:
        for number in range(5):
            film.add(cv2.cvtColor(page(str(number)), cv2.COLOR_GRAY2BGR))
    with capture.open_feed(str(tmp_path / "clip.mp4"), told=print) as feed:
        assert [shot.frame for shot in feed] == [0, 1, 2, 3, 4] and not feed.live and feed.film and feed.fps == 25
    (tmp_path / "clip.mp4").unlink()
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), page("1"))
    (tmp_path / "bad.png").write_bytes(b"text")
    told = []
    with capture.open_feed(str(tmp_path), told=told.append) as feed:
        assert [shot.name[-5:] for shot in feed] == ["a.png", "b.png"] and not feed.film
    assert len(told) == 1 and "bad.png" in told[0]


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(PictureError, match=r"no such file or folder. A camera is named by its number"):
        capture.open_feed(str(tmp_path / "gone.mp4"), told=print)
    (tmp_path / "bad.png").write_bytes(b"text")
    feed = capture.open_feed(str(tmp_path / "bad.png"), told=print)
    with feed, pytest.raises(PictureError, match="not a picture"):
        next(iter(feed))
