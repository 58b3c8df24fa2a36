"""A film whose end is missing says so, and what was read of it is kept; whole ones, however odd, are whole."""

import json
import sys

import numpy as np
import pytest

from local.core import workspace
from local.pictures.containers import is_cut
from local.pictures.film import Film
from scripts.__main__ import main

LITE = str(workspace.zoo() / "lite")
EBML = b"\x1a\x45\xdf\xa3\x80"  # a heading without anything in it
SEGMENT = b"\x18\x53\x80\x67"


@pytest.fixture
def cut(tmp_path):
    """`cut(suffix)`: a film of 20 empty frames, of which only the first two thirds of the file are there."""

    def made(suffix):
        path = tmp_path / f"clip{suffix}"
        noise = np.random.default_rng(0).integers(200, 255, (20, 96, 128, 3), np.uint8)
        with Film(path, fps=10) as film:
            for frame in noise:
                film.add(frame)
        assert not is_cut(path)
        data = path.read_bytes()
        path.write_bytes(data[: 2 * len(data) // 3])
        return path

    return made


@pytest.fixture
def k2l(monkeypatch, capfd):
    """`k2l("predict", …)`: exit code, stdout and stderr, FFmpeg's own words too."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["k2l", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capfd.readouterr()

    return run


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_predict_gives_what_there_is_and_says_where_it_breaks_off(k2l, cut, suffix):
    path = cut(suffix)
    code, out, err = k2l("predict", path, "--model", LITE, "--json")
    last = json.loads(out.splitlines()[-1])["frame"]
    assert (code, len(out.splitlines())) == (1, last + 1) and 5 < last < 19
    assert f"error: {path}: breaks off after frame {last}: the end of the file is missing." in err


def test_camera_keeps_what_there_is_and_says_where_it_breaks_off(k2l, cut, tmp_path):
    path, lines, film = cut(".avi"), tmp_path / "out.jsonl", tmp_path / "seen.avi"
    code, _, err = k2l("camera", "--source", path, "--no-show", "--model", LITE, "--json", lines, "--save", film)
    last = json.loads(lines.read_text().splitlines()[-1])["frame"]
    assert code == 1 and film.is_file() and not is_cut(film)
    assert err.splitlines()[-1].startswith(f"error: {path}: breaks off after frame {last}: ")


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_what_has_its_table_at_its_end_is_no_film_without_it(k2l, cut, suffix):
    path = cut(suffix)
    code, out, err = k2l("predict", path, "--model", LITE)
    assert (code, out) == (1, "")
    assert err == f"error: {path}: no frame can be read: the end of the file is missing. Copy or record it again.\n"


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (b"", False),
        (b"no film at all", False),
        (b"\0\0\0\x08ftyp\0\0\0\x0cmdat....", False),
        (b"\0\0\0\x08ftyp\0\0\0\x0dmdat....", True),
        (b"\0\0\0\x08ftyp\0\0\0\1mdat\0\0\0\0\0\0\0\x11", True),
        (b"\0\0\0\x08ftyp\0\0\0\0mdat.........", False),  # as long as there is something
        (b"\0\0\0\x08ftyp\xff\xff\xff\xff\0\0\xff\xff what a camera adds", False),
        (b"RIFF\4\0\0\0AVI RIFF\4\0\0\0AVIX", False),
        (b"RIFF\4\0\0\0AVI RIFF\5\0\0\0AVIX", True),
        (EBML + SEGMENT + b"\x84....", False),
        (EBML + SEGMENT + b"\x85....", True),
        (EBML + SEGMENT + b"\x40\x05....", True),
        (EBML + SEGMENT + b"\x01\xff\xff\xff\xff\xff\xff\xff....", False),  # a stream: nobody knew its size
        (EBML + SEGMENT, False),
    ],
)
def test_a_file_ends_where_its_container_says(tmp_path, data, missing):
    (tmp_path / "film").write_bytes(data)
    assert is_cut(tmp_path / "film") is missing
