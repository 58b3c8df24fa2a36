"""`k2l camera` on a film drawn by us: what it tells, keeps and shows. The window is a real one, under Xvfb."""

import itertools
import json
import os
import re
import shutil
import signal
import struct
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from local.apps.camera import live
from local.apps.camera.capture import open_feed
from local.apps.camera.tracking import Tracker
from local.apps.camera.window import box_between
from local.core import workspace
from local.digits import overlay
from local.digits.reader import Reader
from local.models import registry
from local.pictures import sources
from local.pictures.film import Film
from tests.local.digits.drawn_digits import Knows, drawn, jittered, page

TEXTS = ("7", "12", "345")
EACH = 8  # frames


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A film of three pages, 8 frames each."""
    path = tmp_path_factory.mktemp("film") / "clip.mp4"
    with Film(path, fps=30) as film:
        for text in TEXTS:
            sheet = np.full((240, 320), 220, np.uint8)
            digits = page(text, height=60)
            sheet[40 : 40 + len(digits), 20 : 20 + len(digits[0])] = digits
            for _ in range(EACH):
                film.add(cv2.cvtColor(sheet, cv2.COLOR_GRAY2BGR))
    return path


@pytest.fixture
def named(home, small_model):
    shutil.copytree(small_model, home / "models" / "small")
    return "small"


def test_each_frame_is_told_and_the_answers_are_steady(clip):
    told = []
    with open_feed(str(clip), told=print) as feed:
        timing = live.watch(feed, Reader(Knows(), 0.5), tell=told.append)
    assert timing.frames == len(told) == 3 * EACH
    assert list(told[0]) == ["frame", "time", "text", "digits", "rejected", "latency_ms"]
    assert [told[EACH * (at + 1) - 1]["text"] for at in range(3)] == list(TEXTS)
    assert [facts["frame"] for facts in told] == list(range(3 * EACH)) and told[15]["time"] == pytest.approx(0.5)
    assert timing.line().startswith("24 frames in ")


def test_what_all_came_to_says_no_more_than_so_few_frames_can():
    timing = live.Timing()
    assert timing.line() == "no picture came"
    timing.add(time.perf_counter())
    assert re.fullmatch(r"1 frame in [\d.]+ s; to the answer [\d.]+ ms", timing.line())
    for _ in range(99):
        timing.add(time.perf_counter())
    assert timing.line().startswith("100 frames in ") and "99 of 100 within" in timing.line()


@pytest.mark.parametrize(("gap", "labels"), [(8, ["1", "2"]), (200, ["1 100%", "2 100%"])])
def test_labels_that_would_cover_each_other_are_shortened(gap, labels, monkeypatch):
    written = []
    monkeypatch.setattr(overlay, "written", lambda seen, text, at, **options: written.append(text))
    at = [(20, 60, 20, 30), (40 + gap, 60, 20, 30)]
    glyphs = [SimpleNamespace(box=box, digit=digit, confidence=1.0) for digit, box in enumerate(at, start=1)]
    overlay.boxes(np.zeros((200, 640, 3), np.uint8), SimpleNamespace(digits=glyphs, rejected=()))
    assert written == labels


def test_a_shaken_page_does_not_flicker():
    """Of a page held by a hand the text may change in less than 1 % of the frames; the published network reads it."""
    model = registry.find(str(workspace.CHECKOUT / "models" / "camera"))
    reader, tracker = Reader(registry.open_runtime(model), model.sure), Tracker(model.sure)
    texts = [tracker.follow(reader.read(grey)).text for grey in jittered(300)]
    changes = sum(one != other for one, other in itertools.pairwise(texts[2:]))
    assert changes < 3 and texts[-1] == "12345|67890"


def test_a_region_is_read_as_one_digit_where_it_is():
    grey = page("3579")
    (digits,) = Reader(Knows(), 0.5).read(grey).rows
    x, y, w, h = digits[2].box
    shot = sources.Shot(name="", grey=grey, colour=lambda: cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    reading = live.read_region(Reader(Knows(), 0.5), shot, (x - 8, y - 8, w + 16, h + 16))
    assert reading.text == "7"
    assert np.abs(np.subtract(reading.digits[0].box, digits[2].box)).max() <= 3


def test_a_frame_that_is_dragged_does_not_strike_through_a_label():
    """Its upper line runs through the middle of the label."""
    grey = cv2.copyMakeBorder(page("7"), 60, 60, 60, 60, cv2.BORDER_REPLICATE)
    shot = sources.Shot(name="", grey=grey, colour=lambda: cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    reader, shown = Reader(Knows(), 0.5), []
    digit = reader.read(grey).digits[0]
    x, y, w, h = overlay.covered(shot.colour(), f"7 {digit.confidence:.0%}", overlay._above(shot.colour(), digit.box))
    left, top, wide, high = digit.box
    region = (left - 20, y + h // 2, wide + 40, top + high + 20 - y - h // 2)
    keys = iter(["", "q"])
    window = SimpleNamespace(drawing=None, region=None, show=shown.append)

    def key(*, milliseconds):
        window.region = region
        return next(keys)

    window.key = key
    live.Viewer(window, reader, Path(), fps=0)._snapshot(shot, reader.read(grey))
    blue = (shown[-1] == np.uint8(overlay.BLUE)).all(axis=2)
    assert blue[region[1], region[0]] and not blue[y : y + h, x : x + w].any()


def test_regions_are_kept_within_the_picture():
    assert live.within((-5, -5, 20, 20), (10, 12)) == (0, 0, 12, 10)
    assert live.within((20, 0, 5, 5), (10, 12)) is None and live.within(None, (10, 12)) is None
    assert box_between((9, 2), (4, 8)) == (4, 2, 5, 6)


def test_the_verb_writes_a_json_object_a_frame_and_a_film(named, k2l, clip, tmp_path):
    out, kept = tmp_path / "out.jsonl", tmp_path / "out.mp4"
    done = k2l("camera", "--source", clip, "--model", named, "--no-show", "--json", out, "--save", kept, "--conf", 0)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [list(line) for line in lines] == [["frame", "time", "digits", "rejected", "latency_ms"]] * 3 * EACH
    assert done.stdout == "" and f"kept: {kept}" in done.stderr and "24 frames" in done.stderr
    frames = list(sources.frames(str(kept)))
    assert len(frames) == 3 * EACH and frames[0].grey.shape == (240, 320)
    assert np.ptp(frames[-1].colour().astype(int), axis=2).max() > 80  # boxes are drawn in colour


def test_files_that_would_be_lost_are_refused(error_of, clip, tmp_path):
    for arguments in (("--json", clip), ("--save", clip), ("--json", tmp_path / "x.mp4", "--save", tmp_path / "x.mp4")):
        before = clip.read_bytes()
        assert "is named twice" in error_of("camera", "--source", clip, "--no-show", *arguments)
        assert clip.read_bytes() == before


def test_without_a_file_it_tells_of_each_change_and_without_a_display_it_goes_on(named, k2l, clip, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    done = k2l("camera", "--source", clip, "--model", named, "--conf", 0)
    assert "No window can be opened" in done.stderr and "Continuing without" in done.stderr
    lengths = [len(line.split()[-1]) for line in done.stdout.splitlines()]
    assert lengths[0] == 1 and lengths[-1] == 3


def test_a_folder_of_pictures_is_a_source_too(named, k2l, tmp_path):
    for name, text in (("a", "12"), ("b", "345")):
        cv2.imwrite(str(tmp_path / f"{name}.png"), page(text))
    done = k2l("camera", "--source", tmp_path, "--model", named, "--no-show", "--json", "-", "--conf", 0)
    assert [len(json.loads(line)["digits"]) for line in done.stdout.splitlines()] == [2, 3]


def test_a_missing_camera_ends_at_once_and_a_missing_stream_after_its_patience(named, k2l):
    done = k2l("camera", "--source", 98, "--model", named, "--no-show", check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 2
    assert done.stderr.startswith("error: there is no camera 98")
    gone = "http://127.0.0.1:9/video"
    done = k2l("camera", "--source", gone, "--model", named, "--no-show", "--patience", 1, check=False)
    assert done.returncode == 1
    *tries, last = done.stderr.splitlines()
    assert last.startswith(f"error: {gone}: no stream") and "Given up after 1 s" in last
    assert [line for line in tries if "trying again in" in line]


def test_ctrl_c_ends_it_and_the_film_is_whole(launch, named, clip, tmp_path):
    """The clip, played without end in place of a camera."""
    kept = tmp_path / "out.avi"
    command = [
        "k2l",
        "camera",
        "--source",
        str(clip),
        "--model",
        named,
        "--no-show",
        "--json",
        "-",
        "--save",
        str(kept),
    ]
    code = (
        "import itertools, sys; from local.pictures import sources; once = sources.frames\n"
        "sources.frames = lambda name: itertools.chain.from_iterable(once(name) for _ in itertools.count())\n"
        f"sys.argv = {command!r}\n"
        "from scripts.__main__ import main; main()"
    )
    running = launch("-c", code)
    for _ in range(30):
        assert running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 0 and "frames in" in said, said
    assert len(list(sources.frames(str(kept)))) >= 29


class Hands:
    """Mouse and keys at a window, and eyes on the screen: what is done is waited for, and done again if need be."""

    def __init__(self, name, xdotool, screen_file):
        self.do, self.screen_file = xdotool, screen_file
        (self.window,) = self.until(lambda: self.do("search", "--onlyvisible", "--name", name))

    def until(self, seen, *, again=lambda: None, looks=30):
        """What `seen` gives as soon as it is true; `again` is done after so many looks, of a tenth of a second."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for _ in range(looks):
                if found := seen():
                    return found
                time.sleep(0.1)
            again()
        raise AssertionError("it never showed")

    def restore(self):
        """Minimises the window and brings it back: now and then Qt misses that it is there, and paints nothing."""
        self.do("windowunmap", "--sync", self.window, "windowmap", "--sync", self.window)

    def key(self, key, seen):
        """Presses a key and waits until what it does is seen: long, since most keys undo what they did before."""

        def once():
            self.do("key", "--window", self.window, key)

        once()
        self.until(seen, again=once, looks=150)

    def drag(self, seen):
        """Draws a region."""
        corners = (("20", "20", "mousedown", "1"), ("150", "200"), ("300", "380"), ("300", "380", "mouseup", "1"))

        def once():
            for corner in corners:
                self.do("mousemove", *corner)

        once()
        self.until(seen, again=once)

    def width(self):
        """Of the window, in pixels."""
        return int(next(word for word in self.do("getwindowgeometry", "--shell", self.window) if "WIDTH" in word)[6:])

    def screen(self):
        """What Xvfb shows, uint8 [h, w, 3], blue, green, red: its framebuffer is an XWD file (X11/XWDFile.h)."""
        data = self.screen_file.read_bytes()
        header = struct.unpack(">25I", data[:100])
        start, width, height, stride, colours = (header[at] for at in (0, 4, 5, 12, 19))
        pixels = np.frombuffer(data, np.uint8, stride * height, start + 12 * colours)
        return pixels.reshape(height, stride // 4, 4)[:, :width, :3]


def test_in_the_window_a_snapshot_is_explained_and_pictures_are_kept(
    launch, named, display, xdotool, screen_file, tmp_path
):
    """A film of one large 7: space, drag round it, s, space, r, drag, r, t, s, q."""
    seven = cv2.cvtColor(cv2.resize(drawn(7), (320, 400)), cv2.COLOR_GRAY2BGR)
    with Film(tmp_path / "clip.mp4", fps=30) as film:
        for _ in range(1800):
            film.add(seven)
    pictures = tmp_path / "kept"
    pictures.mkdir()
    running = launch(
        "-m", "scripts", "camera", "--source", tmp_path / "clip.mp4", "--model", named, "--conf", "0",
        cwd=pictures, env={**os.environ, "DISPLAY": display, "PYTHONPATH": str(workspace.CHECKOUT)},
    )  # fmt: skip
    hands = Hands("k2l camera", xdotool, screen_file)
    plain, wide = 320, 320 + 500  # pixels

    def region():  # in blue
        return (hands.screen()[20:380, 18:302] == np.uint8([220, 150, 50])).all(axis=2).sum() > 200

    def beside():  # where the glyph is
        return hands.screen()[:280, 320:600]

    def explained():
        return hands.width() == wide and region() and beside().max() > 200

    def unexplained():  # nothing is, before a region is drawn
        return hands.width() == wide and not region() and not beside().any()

    def kept(number):
        return len([path for path in pictures.iterdir() if cv2.imread(str(path)) is not None]) == number

    hands.until(lambda: hands.width() == plain and (hands.screen()[:400, :320] > 200).any(), again=hands.restore)
    hands.key("space", unexplained)
    hands.drag(explained)
    assert not hands.screen()[410:, 830:].any()  # the window is no larger
    hands.key("s", lambda: kept(1))
    hands.key("space", lambda: hands.width() == plain)
    hands.key("r", unexplained)
    hands.drag(explained)
    hands.key("r", lambda: hands.width() == plain)
    hands.key("t", lambda: (hands.screen()[340:360, 5:100] == 255).all())
    hands.key("s", lambda: kept(2))
    hands.do("key", "--window", hands.window, "q")
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0 and "frames in" in said, said
    snapshot, threshold = (cv2.imread(str(path)) for path in sorted(pictures.iterdir()))
    assert snapshot.shape == (400, wide, 3)
    bars = snapshot[:280, 320 + 280 :].astype(int)
    assert snapshot[:280, 320 : 320 + 280].max() > 200 and (bars.max(axis=2) > 100).sum() > 1000
    assert threshold.shape == (400, plain, 3) and (threshold[340:360, 5:100] == 255).all()
