"""What a picture file says of its size, in every format that is read, before anything of it is decoded."""

import io

import cv2
import numpy as np
import pytest

from local.pictures import header, picture
from shared.core.errors import PictureError

BGRA = np.dstack([np.full((40, 61), shade, np.uint8) for shade in (10, 90, 200, 120)])
BGR, GREY, DEEP = BGRA[:, :, :3], BGRA[:, :, 0], BGRA.astype(np.uint16) * 257
FILES = {  # the pixels, and how they are kept
    "grey.png": (GREY, []),
    "colour.png": (BGR, []),
    "transparent.png": (BGRA, []),
    "deep.png": (DEEP, []),
    "grey.jpg": (GREY, []),
    "colour.jpg": (BGR, []),
    "progressive.jpg": (BGR, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    "lossy.webp": (BGR, [cv2.IMWRITE_WEBP_QUALITY, 50]),
    "lossless.webp": (BGR, []),
    "transparent.webp": (BGRA, []),
    "colour.bmp": (BGR, []),
    "transparent.bmp": (BGRA, []),
    "colour.gif": (BGR, []),
    "grey.pbm": (GREY, []),
    "grey.pgm": (GREY, []),
    "colour.ppm": (BGR, []),
    "deep.ppm": (DEEP[:, :, :3], []),
    "colour.tiff": (BGR, []),
    "deep.tiff": (DEEP[:, :, :3], []),
    "transparent.tiff": (BGRA, []),
    "colour.jp2": (BGR, []),
    "colour.avif": (BGR, []),
    "transparent.avif": (BGRA, []),
}


def encoded(name):
    """The bytes of one of FILES; skips where this OpenCV cannot write it."""
    pixels, how = FILES[name]
    try:
        done, data = cv2.imencode(name[name.index(".") :], pixels, how)
    except cv2.error:
        done = False
    if not done:
        pytest.skip("this OpenCV writes no such file")
    return data.ravel()


@pytest.mark.parametrize("name", FILES)
def test_the_size_is_that_of_the_decoded_picture(name):
    data = encoded(name)
    found, whole = header.read(data), cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert (found.height, found.width) == whole.shape[:2] and found.depth >= whole.itemsize
    assert found.held(4) >= 2 * whole.nbytes and found.scans <= 20
    assert not (found.opaque and "transparent" in name)
    assert found.opaque or name.startswith(("transparent", "deep.png", "colour.gif"))


@pytest.mark.parametrize("name", FILES)
def test_what_would_take_too_much_memory_is_not_decoded(name, monkeypatch):
    data = encoded(name)
    monkeypatch.setattr(picture, "MOST", 40 * 61)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it is decoded"))
    for decode in (picture.decoded, lambda *given: picture.shown(*given, largest=100)):
        with pytest.raises(
            PictureError, match=r"^it: 61x40 pixels take .* to decode, and at most .*: save it smaller$"
        ):
            decode(data, "it")


def test_a_palette_with_holes_and_an_animation_are_not_taken_for_less():
    Image = pytest.importorskip("PIL.Image")
    first = Image.fromarray(GREY)
    holes, moving = io.BytesIO(), io.BytesIO()
    first.convert("P").save(holes, "png", transparency=0)
    first.save(moving, "png", save_all=True, append_images=[Image.fromarray(255 - GREY)], duration=100)
    holes, moving = (np.frombuffer(file.getvalue(), np.uint8) for file in (holes, moving))
    assert not header.read(holes).opaque
    assert header.read(moving).extra > 0 == header.read(encoded("grey.png")).extra


@pytest.mark.parametrize("name", FILES)
def test_a_beginning_alone_is_no_picture_or_a_header(name):
    data = encoded(name)
    for length in range(min(200, len(data))):
        header.read(data[:length])


def test_a_jpeg_that_is_gone_over_without_end_is_refused():
    data = np.append(encoded("progressive.jpg"), np.frombuffer(b"\xff\xda" * 51, np.uint8))
    with pytest.raises(PictureError, match="scans, and at most 50 are allowed"):
        picture.decoded(data, "it")


def test_a_picture_is_decoded_once(monkeypatch):
    """Grey where it is read alone, in colour where it is shown too."""
    calls, decode = [], cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *given: calls.append(given) or decode(*given))
    for name in ("colour.jpg", "colour.png", "transparent.png", "transparent.webp"):
        for look in (picture.decoded, lambda *given: picture.shown(*given, largest=100)):
            calls.clear()
            look(encoded(name), "it")
            assert len(calls) == 1, name
