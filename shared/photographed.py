"""Glyphs as photographs give them: digits written otherwise than MNIST's, and what is no digit, all prepared alike.

    images, labels = photographed(images_nhw, labels, seed=0)     # uint8 [m, 28, 28], int64 [m]; BACKGROUND is no digit

A network that has seen MNIST alone takes every letter for a digit, reads a crossed 7 as a 4, and has never met the
edge that a threshold cuts. Here MNIST's digits are enlarged, blurred, cut out at a random level as a camera's picture
is, and drawn anew by `shared.normalise`; some 1s get a flag and a base, some 7s a bar; digits come from printed fonts
too. The eleventh class is made of what else is found on paper: letters, signs, scribbles, lines, blobs, and digits
cut in half, or stuck to their neighbours. The same seed makes the same images.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared import normalise

BACKGROUND = 10  # the class of what is no digit
FONT_SHARE, FOREIGN_SHARE, BACKGROUND_SHARE = 0.04, 0.1, 0.6  # of the number of MNIST's images
SCALE = 4  # pixels a pixel of MNIST's, where masks are drawn and cut
TALL = normalise.SIDE * SCALE

# Not those that a digit may look like, written by some hand: B b g I i J j l O o Q q S s Z z.
LETTERS = "ACDEFGHKLMNPRTUVWXYacdefhkmnprtuvwxy"
OTHER_SCRIPTS = (
    "ЖДФЦШЩЮЯГЛПЫИЪЬжфцшщюыѢѪΓΔΘΛΞΠΣΦΨΩαβγδζηθκλμνξπσφψωԱԲԳԴԵԸԺԽԾԿՀՁՂՃՄ"
    "ՆՈՉՊՋՍՏՐՓՔՖաբգդեզէթժխծկհձղճմյնշոչպջռսվտրքֆაბდელმნოპრსტუფქღყშჩცძწჭხჰ"
)
SIGNS = "+-=*#%&@?<>^~$:;÷×≈±√∑∏∆∞∫∂∇∈∪∩→←↑↓⇒€£¥§¶"
PRINT_FONTS = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Italic.ttf",
    "DejaVuSansMono.ttf", "STIXGeneral.ttf", "STIXGeneralItalic.ttf",
)  # fmt: skip
WIDE_FONTS = 3  # the first have other scripts too
STROKE_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)  # fmt: skip

Mask = NDArray[np.bool_]
Ink = NDArray[np.float32]  # 0 paper, 1 black
Line = NDArray[np.float64]  # points x, y
Images = NDArray[np.uint8]
Draw = np.random.RandomState  # frozen: numpy may change what its newer generators draw


def photographed(images_nhw: Images, labels: NDArray[np.int64], *, seed: int) -> tuple[Images, NDArray[np.int64]]:
    """MNIST's images, the same as a camera sees them, digits of other hands, and what is no digit; in that order.

    Takes uint8 [n, 28, 28], white on black; gives about 2.7 n images of the same kind, and their classes, 0..10.
    """
    draw, kinds = Draw(seed), tuple(KINDS)
    seen = [(cut_out(image, draw), label) for image, label in zip(images_nhw, labels.tolist(), strict=True)]
    seen += [foreign(images_nhw, labels, draw) for _ in range(round(FOREIGN_SHARE * len(images_nhw)))]
    seen += [printed_digit(draw) for _ in range(round(FONT_SHARE * len(images_nhw)))]
    for _ in range(round(BACKGROUND_SHARE * len(images_nhw))):
        kind = kinds[draw.choice(len(kinds), p=[KINDS[one] for one in kinds])]
        seen.append((kind(images_nhw, draw), BACKGROUND))
    glyphs = np.stack([normalise.glyph(mask) for mask, _ in seen])
    classes = np.array([label for _, label in seen], np.int64)
    return np.concatenate([images_nhw, glyphs]), np.concatenate([labels, classes])


def count(n: int) -> int:
    """How many images `photographed` makes of n."""
    return 2 * n + sum(round(share * n) for share in (FOREIGN_SHARE, FONT_SHARE, BACKGROUND_SHARE))


def fingerprint(*images_nhw: Images) -> str:
    """Eight hexadecimal digits that stand for what would be made of these images: they, and the code that makes it."""
    sha = hashlib.sha256()
    for source in (__file__, normalise.__file__):
        sha.update(Path(source).read_bytes())
    for images in images_nhw:
        sha.update(np.ascontiguousarray(images).data)
    return sha.hexdigest()[:8]


def cut_out(image: Images, draw: Draw) -> Mask:
    """The strokes of one image as a threshold cuts them from a photograph: blurred, grainy, at some level."""
    large = cv2.resize(image, (TALL, TALL), interpolation=cv2.INTER_CUBIC)
    return worn(ink_of(large), draw)


def ink_of(plane: NDArray[Any]) -> Ink:
    """A plane of 0..255 as ink 0..1."""
    return np.asarray(plane, np.float32) / np.float32(255)


def worn(ink: Ink, draw: Draw) -> Mask:
    """Ink in 0..1 after a camera and a threshold: bool [h, w], cut to its box; never empty."""
    soft = np.asarray(cv2.GaussianBlur(pen(ink, draw), (0, 0), draw.uniform(0.5, 4.0)))
    if draw.rand() < 0.3:
        soft = soft + draw.uniform(0.1, 0.5) * grain(soft.shape, 1.5, draw)
    mask = largest(soft > draw.uniform(0.25, 0.6) * max(float(soft.max()), 1e-3))
    return normalise.trim(mask)


def grain(shape: tuple[int, ...], size: float, draw: Draw) -> Ink:
    """Noise, smoothed to spots of about `size` pixels."""
    noise = np.asarray(draw.normal(size=shape), np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), size), np.float32)


def pen(ink: Ink, draw: Draw) -> Ink:
    """The same strokes by a finer or broader pen; as they are, where a finer one would lose them."""
    wider = int(draw.randint(-4, 4))  # pixels, of which MNIST's own pen has about ten
    if wider == 0:
        return ink
    round_one = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(wider) + 1,) * 2)
    drawn = np.asarray(cv2.dilate(ink, round_one) if wider > 0 else cv2.erode(ink, round_one), np.float32)
    return drawn if drawn.max() > 0.6 else ink


def largest(mask: Mask) -> Mask:
    """The mask without specks: components of a hundredth of the largest one's area and less."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray((areas > 0.01 * areas.max())[labels])


def foreign(images_nhw: Images, labels: NDArray[np.int64], draw: Draw) -> tuple[Mask, int]:
    """A 1 with a flag and a base, a 7 with a bar through its stem, or a closed 4: as much of the world writes them."""
    label = (1, 7, 4)[draw.randint(3)]
    of_it = np.flatnonzero(labels == label)
    if label == 4 or not of_it.size:
        return worn(strokes(closed_four(draw), draw), draw), 4
    image = images_nhw[draw.choice(of_it)]
    large = np.asarray(cv2.resize(image, (TALL, TALL), interpolation=cv2.INTER_CUBIC), np.uint8)
    lines = base_and_flag(large, draw) if label == 1 else bar(large, draw)
    return worn(np.maximum(strokes(lines, draw), ink_of(large)), draw), label


def base_and_flag(large: Images, draw: Draw) -> list[Line]:
    """The strokes that an upright 1 in a picture [TALL, TALL] is to get: a line to stand on, a stroke to its top."""
    ys, xs = np.nonzero(large >= 0.4 * large.max())
    top, bottom = ys.min(), ys.max()
    head, foot = xs[ys <= top + 4].mean(), xs[ys >= bottom - 4].mean()
    half = draw.uniform(12, 26)
    base = np.array([(foot - half, bottom), (foot + half, bottom + draw.uniform(-3, 3))])
    flag = np.array([(head - draw.uniform(14, 30), top + draw.uniform(12, 36)), (head, top)])
    return ([base], [flag], [base, flag])[draw.randint(3)]


def bar(large: Images, draw: Draw) -> list[Line]:
    """The bar that a 7 in a picture [TALL, TALL] is to get, through the middle of its stem."""
    ys, xs = np.nonzero(large >= 0.4 * large.max())
    y = ys.min() + draw.uniform(0.42, 0.62) * (ys.max() - ys.min())
    middle = xs[np.abs(ys - y) <= 3].mean() if (np.abs(ys - y) <= 3).any() else xs.mean()
    half = draw.uniform(12, 24)
    return [np.array([(middle - half, y + draw.uniform(-2, 5)), (middle + half, y + draw.uniform(-5, 2))])]


def closed_four(draw: Draw) -> list[Line]:
    """A 4 whose slope meets its stem at the top, in a picture [TALL, TALL]."""
    stem = draw.uniform(60, 75)
    top, bar_y, foot = draw.uniform(14, 22), draw.uniform(62, 76), draw.uniform(90, 100)
    left, right = draw.uniform(28, 42), stem + draw.uniform(4, 20)
    return [np.array([(right, bar_y), (left, bar_y), (stem, top), (stem + draw.uniform(-4, 4), foot)])]


def strokes(lines: Sequence[Line], draw: Draw, *, width: float | None = None) -> Ink:
    """Lines of points x, y, as a pen draws them: ink 0..1 [TALL, TALL]."""
    plane = np.zeros((TALL, TALL), np.uint8)
    wide = max(1, round(draw.uniform(4, 11) if width is None else width))
    for line in lines:
        cv2.polylines(plane, [np.round(line * 16).astype(np.int32)], False, 255, wide, cv2.LINE_AA, shift=4)
    return ink_of(plane)


def printed_digit(draw: Draw) -> tuple[Mask, int]:
    """A digit of a font, bent as a hand would."""
    digit = int(draw.randint(10))
    return written(str(digit), draw), digit


def written(text: str, draw: Draw) -> Mask:
    """A character of a font, bent as a hand would, after a camera and a threshold."""
    return worn(bent(rendered(text, draw), draw), draw)


def rendered(text: str, draw: Draw) -> Ink:
    """A character in some font, ink 0..1 [TALL, TALL]: drawn by strokes where that font has it, else from outlines."""
    if text.isascii() and draw.rand() < 0.6:
        font, pen = STROKE_FONTS[draw.randint(len(STROKE_FONTS))], int(draw.randint(2, 9))
        plane = np.zeros((TALL, TALL), np.uint8)
        (width, height), _ = cv2.getTextSize(text, font, 2.5, pen)
        cv2.putText(plane, text, ((TALL - width) // 2, (TALL + height) // 2), font, 2.5, 255, pen, cv2.LINE_AA)
        return ink_of(plane)
    from PIL import Image, ImageDraw

    plane_pil = Image.new("L", (TALL, TALL))
    fonts = PRINT_FONTS if text.isascii() else PRINT_FONTS[:WIDE_FONTS]
    font_pil = _print_font(fonts[draw.randint(len(fonts))])
    ImageDraw.Draw(plane_pil).text((TALL / 2, TALL / 2), text, fill=255, font=font_pil, anchor="mm")
    return ink_of(np.asarray(plane_pil))


@cache
def _print_font(name: str) -> Any:
    """A font that comes with matplotlib."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), round(0.75 * TALL))


def bent(ink: Ink, draw: Draw) -> Ink:
    """The same plane turned, sheared, resized and bent a little, as no two hands write alike."""
    angle, shear = np.radians(draw.uniform(-12, 12)), draw.uniform(-0.25, 0.25)
    sx, sy = draw.uniform(0.7, 1.1, 2)
    ys, xs = np.indices(ink.shape).astype(np.float32) - TALL / 2
    swing, length, start = draw.uniform(-3, 3, 2), draw.uniform(12, 30, 2), draw.uniform(0, 7, 2)
    from_x = (np.cos(angle) * xs - np.sin(angle) * ys + shear * ys) / sx + swing[0] * np.sin(ys / length[0] + start[0])
    from_y = (np.sin(angle) * xs + np.cos(angle) * ys) / sy + swing[1] * np.sin(xs / length[1] + start[1])
    there = [(plane + TALL / 2).astype(np.float32) for plane in (from_x, from_y)]
    return np.asarray(cv2.remap(ink, there[0], there[1], cv2.INTER_LINEAR), np.float32)


def letter(images_nhw: Images, draw: Draw) -> Mask:
    """A letter that no digit looks like."""
    return written(LETTERS[draw.randint(len(LETTERS))], draw)


def foreign_letter(images_nhw: Images, draw: Draw) -> Mask:
    """A Cyrillic, Greek, Armenian or Georgian letter."""
    return written(OTHER_SCRIPTS[draw.randint(len(OTHER_SCRIPTS))], draw)


def sign(images_nhw: Images, draw: Draw) -> Mask:
    """A sign of arithmetic or punctuation, or a Greek letter."""
    return written(SIGNS[draw.randint(len(SIGNS))], draw)


def drawn_sign(images_nhw: Images, draw: Draw) -> Mask:
    """-, +, =, x or a division sign, by a pen of any width."""
    middle, apart = TALL / 2, draw.uniform(10, 24)
    (a, b), (c, d) = draw.uniform(22, 46, 2), draw.uniform(-5, 5, 2)
    flat = np.array([(middle - a, middle + c), (middle + a, middle - c)])
    upright = np.array([(middle + d, middle - b), (middle - d, middle + b)])
    falling = np.array([(middle - a, middle - b + c), (middle + a, middle + b)])
    rising = np.array([(middle + a, middle - b + d), (middle - a, middle + b)])
    dots = [np.array([(middle, middle + way * apart), (middle + 1, middle + way * apart)]) for way in (-1, 1)]
    both = [flat + np.array([0.0, way * apart / 1.5]) for way in (-1, 1)]
    chosen = ([flat], [flat, upright], both, [falling, rising], [flat, *dots])[draw.randint(5)]
    return worn(strokes(chosen, draw, width=draw.uniform(3, 18)), draw)


def scribble(images_nhw: Images, draw: Draw) -> Mask:
    """A few strokes that mean nothing."""
    lines = []
    for _ in range(draw.randint(1, 5)):
        points = np.cumsum(draw.normal(0, 16, (draw.randint(4, 12), 2)), axis=0)
        points += draw.uniform(0.3, 0.7, 2) * TALL - points.mean(axis=0)
        times = np.linspace(0, len(points) - 1, 60)
        lines.append(np.stack([np.interp(times, range(len(points)), points[:, at]) for at in (0, 1)], axis=1))
    return worn(strokes(lines, draw), draw)


def blob(images_nhw: Images, draw: Draw) -> Mask:
    """A blot: what noise, smoothed, is above some level."""
    noise = grain((TALL, TALL), draw.uniform(5, 18), draw)
    ys, xs = np.indices(noise.shape) / TALL - 0.5
    near = noise / noise.std() - draw.uniform(2, 8) * (xs**2 + ys**2)
    return worn((near > np.quantile(near, draw.uniform(0.75, 0.95))).astype(np.float32), draw)


def part(images_nhw: Images, draw: Draw) -> Mask:
    """Less than half of a digit, its upper or its lower end; never so narrow that it is a 1."""
    while True:
        mask = cut_out(images_nhw[draw.randint(len(images_nhw))], draw)
        rows = max(1, round(draw.uniform(0.25, 0.42) * len(mask)))
        end = normalise.trim(mask[:rows] if draw.rand() < 0.5 else mask[-rows:])
        if end.shape[1] > len(end):
            return end


def pair(images_nhw: Images, draw: Draw) -> Mask:
    """Two or three digits that touch, beside or above each other."""
    count = 2 if draw.rand() < 0.8 else 3
    masks = [cut_out(images_nhw[draw.randint(len(images_nhw))], draw) for _ in range(count)]
    if draw.rand() < 0.25:
        return _in_a_row([mask.T for mask in masks], draw).T
    return _in_a_row(masks, draw)


def _in_a_row(masks: Sequence[Mask], draw: Draw) -> Mask:
    tall = max(len(mask) for mask in masks)
    plane = np.zeros((tall, sum(mask.shape[1] for mask in masks)), np.bool_)
    right = 0
    for mask in masks:
        top = draw.randint(tall - len(mask) + 1)
        left = max(0, right - int(draw.randint(0, 8)))
        right = left + mask.shape[1]
        plane[top : top + len(mask), left:right] |= mask
    return normalise.trim(plane)


def lines(images_nhw: Images, draw: Draw) -> Mask:
    """Ruled lines, crossings of them, and the corner of a box."""
    heights = draw.uniform(20, TALL - 20, draw.randint(1, 4))
    flat = [np.array([(4, y), (TALL - 4, y + draw.uniform(-6, 6))]) for y in heights]
    corner = np.array([(25, 20), (25, 90), (90, 90)]) + draw.uniform(-8, 8, (3, 2))
    chosen = (flat, [*flat, *(line[:, ::-1] for line in flat)], [corner])[draw.randint(3)]
    return worn(strokes(chosen, draw, width=draw.uniform(2, 9)), draw)


# What is no digit, and how often each kind of it is drawn.
KINDS: dict[Callable[[Images, Draw], Mask], float] = {
    letter: 0.26, foreign_letter: 0.1, sign: 0.08, drawn_sign: 0.1, scribble: 0.12, blob: 0.07, part: 0.07, pair: 0.14,
    lines: 0.06,
}  # fmt: skip
