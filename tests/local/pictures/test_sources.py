"""Names on a command line -> pictures: what each kind of name gives, and what it says where it cannot."""

import functools
import http.server
import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from local.digits import glyphs
from local.pictures import picture, sources
from local.pictures.film import Film
from shared.core.errors import PictureError
from tests.local.digits.drawn_digits import drawn


@pytest.fixture
def served(tmp_path):
    """The address of a server of tmp_path."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_names_are_files_folders_and_patterns_in_order_and_once(tmp_path, monkeypatch):
    for name in ("b.png", "a.JPG", "notes.txt", "[1].png", "clip.mp4"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    found = [name.rpartition("/")[2] for name in sources.expanded([str(tmp_path)])]
    assert found == ["[1].png", "a.JPG", "b.png", "clip.mp4"]
    assert sources.expanded(["b.png", "*.png", "[1].png"]) == ["b.png", "[1].png"]
    assert sources.expanded([f"{tmp_path}/*.txt"]) == [f"{tmp_path}/notes.txt"]
    assert sources.expanded(["missing.png", "-", "https://host/x?y=*"]) == ["missing.png", "-", "https://host/x?y=*"]
    for nothing in ("*.gif", "sub"):
        with pytest.raises(PictureError, match=nothing.replace("*", r"\*")):
            sources.expanded([nothing])
    with pytest.raises(PictureError, match="k2l camera --source rtsp://host/1"):
        sources.expanded(["rtsp://host/1"])


def test_a_picture_comes_grey_and_on_demand_in_colour(tmp_path):
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 2] = 200
    cv2.imwrite(str(tmp_path / "red.png"), red)
    (shot,) = sources.shots([str(tmp_path / "red.png")])
    assert shot.grey.shape == (40, 60) and shot.frame is None and np.array_equal(shot.colour(), red)


def test_a_partly_transparent_picture_looks_as_it_is_read(tmp_path):
    bgra = np.zeros((40, 60, 4), np.uint8)
    bgra[10:30, 20:40, 3] = 255
    cv2.imwrite(str(tmp_path / "ink.png"), bgra)
    (shot,) = sources.shots([str(tmp_path / "ink.png")])
    assert np.array_equal(shot.colour(), cv2.cvtColor(shot.grey, cv2.COLOR_GRAY2BGR)) and shot.grey[0, 0] == 255


def test_what_cannot_be_read_is_told_in_its_place_and_the_next_one_follows(tmp_path):
    cv2.imwrite(str(tmp_path / "good.png"), drawn(7))
    (tmp_path / "bad.png").write_bytes(b"<html>")
    (tmp_path / "bad.mp4").write_bytes(b"<html>")
    names = [str(tmp_path / name) for name in ("bad.png", "bad.mp4", "gone.mp4", "gone.png", "good.png")]
    *bad, good = sources.shots(names)
    assert all(isinstance(one, PictureError) for one in bad) and good.name == names[-1]
    assert [str(one).partition(": ")[2][:9] for one in bad] == ["not a pic", "not a fil", "cannot be", "cannot be"]


def test_pictures_of_any_size_but_a_bombs_are_read(tmp_path):
    ihdr = struct.pack(
        ">I4sIIBBBBB", 13, b"IHDR", 14_100, 14_100, 16, 6, 0, 0, 0
    )  # what would follow is 1.6 GB of zeros
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + ihdr)
    cv2.imwrite(str(tmp_path / "one.png"), np.full((1, 1), 200, np.uint8))
    cv2.imwrite(str(tmp_path / "panorama.png"), np.full((300, 20_000), 200, np.uint8))
    bomb, one, panorama = sources.shots([str(tmp_path / f"{name}.png") for name in ("bomb", "one", "panorama")])
    assert str(bomb).endswith("14100x14100 pixels take 3.2 GB to decode, and at most 1 GB is allowed: save it smaller")
    assert one.grey.shape == (1, 1) and panorama.grey.shape == (300, 20_000)
    assert all(glyphs.several(shot.grey) == [] and glyphs.single(shot.grey) is None for shot in (one, panorama))


def test_the_frames_of_a_film_are_counted(tmp_path):
    with Film(tmp_path / "clip.avi", fps=12.5) as film:
        for grey in (0, 100, 200):
            film.add(np.full((48, 64, 3), grey, np.uint8))
    name = str(tmp_path / "clip.avi")
    shots = list(sources.shots([name]))
    assert [shot.frame for shot in shots] == [0, 1, 2] and sources.count(name) == 3 and shots[0].fps == 12.5
    assert [round(float(shot.grey.mean()), -1) for shot in shots] == [0, 100, 200]


def test_a_film_whose_frames_are_too_large_is_refused_before_one_is_decoded(tmp_path, monkeypatch):
    with Film(tmp_path / "clip.avi", fps=30) as film:
        film.add(np.zeros((48, 64, 3), np.uint8))
    monkeypatch.setattr(sources, "LARGEST_FRAME", 48 * 64 - 1)
    (error,) = sources.shots([str(tmp_path / "clip.avi")])
    assert "clip.avi: its frames are 64x48 pixels, and at most 8K is allowed" in str(error)


def test_an_address_is_fetched_and_a_wrong_one_said(tmp_path, served):
    cv2.imwrite(str(tmp_path / "7.png"), drawn(7))
    good, missing, nowhere = sources.shots([f"{served}/7.png", f"{served}/8.png", "http://127.0.0.1:9/x.png"])
    assert np.array_equal(good.grey, drawn(7))
    assert str(missing).endswith("could not be fetched: File not found")
    assert "could not be fetched" in str(nowhere) and "refused" in str(nowhere)


def test_names_that_are_none_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir1").mkdir()
    for name, why in {"": "empty name", "**.png": "not a pattern", "dir*": "no file matches"}.items():
        with pytest.raises(PictureError, match=why):
            sources.expanded([name])
    wrong = list(sources.shots(["http://[x/y.png", "http://127.0.0.1:9/\u00fc.png", "\udce4.mp4"]))
    assert [str(one).partition(": ")[2][:9] for one in wrong] == ["could not", "could not", "cannot be"]
    (tmp_path / "\udce4.mp4").write_bytes(b"")
    (error,) = sources.shots(["\udce4.mp4"])
    assert "not UTF-8: rename it" in str(error)


def test_a_film_may_be_named_after_the_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Film(Path("12:30.mp4"), fps=30) as film:
        film.add(np.zeros((48, 64, 3), np.uint8))
    assert len(list(sources.frames("12:30.mp4"))) == 1


def test_deep_pictures_look_as_bright_as_they_are_read(tmp_path):
    deep = np.full((40, 60), 900, np.uint16)
    deep[10:30, 20:40] = 100
    cv2.imwrite(str(tmp_path / "ten-bits.png"), deep)
    (shot,) = sources.shots([str(tmp_path / "ten-bits.png")])
    assert np.array_equal(shot.colour()[:, :, 0], shot.grey) and shot.grey.max() > 200


def test_a_film_that_did_not_fit_is_not_kept(tmp_path):
    film = Film(tmp_path / "out.avi", fps=30)
    for _ in range(3):
        film.add(np.zeros((48, 64, 3), np.uint8))
    film.frames = 300  # as many as were given to a writer that had no room for them
    with pytest.raises(PictureError, match="could not be written whole"):
        film.close()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x.mp4").mkdir()
    with pytest.raises(PictureError, match="is a folder"):
        Film(tmp_path / "x.mp4", fps=30)


def test_a_film_has_its_name_once_it_is_whole(tmp_path):
    path = tmp_path / "made" / "out.mp4"
    with Film(path, fps=30) as film:
        film.add(np.zeros((48, 64, 3), np.uint8))
        assert not path.exists()
        film.add(np.zeros((96, 128, 3), np.uint8))
    assert [shot.grey.shape for shot in sources.frames(str(path))] == [(48, 64)] * 2
    assert [one.name for one in path.parent.iterdir()] == ["out.mp4"]
    with Film(tmp_path / "none.mp4", fps=30):
        pass
    assert not (tmp_path / "none.mp4").exists()
    with pytest.raises(PictureError, match=r"written as one of \.mp4"):
        Film(tmp_path / "out.gif", fps=30)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no file without an end here")
def test_a_file_without_an_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(picture, "LARGEST_FILE", 1000)
    (error,) = sources.shots(["/dev/zero"])
    assert "/dev/zero: is larger than" in str(error)
