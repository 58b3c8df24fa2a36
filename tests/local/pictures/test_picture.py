import cv2
import numpy as np
import pytest

from local.pictures import picture
from shared.core.errors import PictureError
from tests.local.digits.drawn_digits import drawn

GREY = drawn(3, height=60, ink=20, paper=220)


def written(tmp_path, pixels, name="picture.png"):
    path = tmp_path / name
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".pgm", ".webp", ".jpg"])
def test_grey_and_colour_read_alike_from_every_format(tmp_path, suffix):
    for pixels in (GREY, cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR)):
        if suffix == ".pgm" and pixels.ndim == 3:
            continue
        read = picture.read(written(tmp_path, pixels, f"p{suffix}"))
        assert read.shape == GREY.shape and read.dtype == np.uint8
        assert np.abs(read.astype(int) - GREY).mean() < 3


def test_sixteen_bits_and_twelve_bits_fill_the_range(tmp_path):
    for bits in (16, 12):
        deep = (GREY.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)
        deep[0, 0] = (1 << bits) - 1
        read = picture.read(written(tmp_path, deep))
        assert np.abs(read.astype(int) - GREY)[1:].max() <= 2


def test_floating_point_pictures_are_read(tmp_path):
    read = picture.read(written(tmp_path, (GREY / 255).astype(np.float32), "p.tiff"))
    assert np.abs(read.astype(int) - GREY).max() <= 1


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
def test_ink_on_nothing_gets_paper_that_it_shows_on(tmp_path, ink, paper):
    opacity = 255 - drawn(3, height=60, ink=0, paper=255)
    bgra = np.dstack([np.full_like(opacity, ink)] * 3 + [opacity])
    read = picture.read(written(tmp_path, bgra))
    assert read[0, 0] == paper and abs(int(read[opacity == 255].mean()) - ink) < 3


def test_a_photograph_with_transparent_corners_keeps_its_own_shade(tmp_path):
    bgra = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGRA)
    bgra[:10, :10, 3] = 0
    assert np.abs(picture.read(written(tmp_path, bgra)).astype(int) - 220)[:10, :10].max() <= 1


def test_a_palette_is_looked_up(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    Image.fromarray(GREY).convert("P").save(tmp_path / "p.png")
    assert np.abs(picture.read(tmp_path / "p.png").astype(int) - GREY).mean() < 5


def test_a_camera_on_its_side_is_turned_upright(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees, clockwise, to see it upright
    Image.fromarray(np.rot90(GREY)).save(tmp_path / "p.jpg", exif=exif, quality=95)
    read = picture.read(tmp_path / "p.jpg")
    assert read.shape == GREY.shape and np.abs(read.astype(int) - GREY).mean() < 4


@pytest.mark.parametrize(
    "content", [b"text", b"\x89PNG\r\n\x1a\nno", b"\xff\xd8\xff\xe0\x00\x10", b"GIF89a" + bytes(20)]
)
def test_what_is_no_picture_is_named(tmp_path, capfd, content):
    (tmp_path / "no.png").write_bytes(content)
    with pytest.raises(PictureError, match=r"no\.png: not a picture"):
        picture.read(tmp_path / "no.png")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC photograph, .*: save it as PNG or JPEG"),
        (b"%PDF-1.7\n", "a PDF, .*: save it as PNG or JPEG"),
    ],
)
def test_what_people_take_for_a_picture_is_named_with_the_way_to_one(tmp_path, content, said):
    (tmp_path / "one").write_bytes(content)
    with pytest.raises(PictureError, match=f"one: {said}$"):
        picture.read(tmp_path / "one")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_picture_cut_short_is_refused(tmp_path, capfd, suffix, share):
    """From memory OpenCV takes whole files alone; from a file it would give half a JPEG with grey below."""
    path = written(tmp_path, GREY, f"cut{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(PictureError, match=rf"cut\{suffix}: not a picture"):
        picture.read(path)
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_opened_is_named(tmp_path):
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(PictureError, match=f"{path.name}: cannot be read"):
            picture.read(path)


def test_the_longer_side_is_brought_into_bounds():
    for shape, longest in {(3000, 4000): 640, (20, 30): 160, (300, 200): 300, (1, 5000): 640}.items():
        scaled, factor = picture.fit(np.zeros(shape, np.uint8), smallest=160, largest=640)
        assert max(scaled.shape) == longest and min(scaled.shape) >= 1
        assert factor == pytest.approx(longest / max(shape))
