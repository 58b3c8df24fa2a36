"""Glyphs as photographs give them: digits written otherwise than MNIST's, and what is no digit, all prepared alike.

    images, labels = photographed(images_nhw, labels, seed=0)     # uint8 [m, 28, 28], int64 [m]; BACKGROUND is no digit

A network that has seen MNIST alone takes every letter for a digit, reads a crossed 7 as a 4, and has never met the edge
that a threshold cuts. Here MNIST's digits are enlarged, blurred, cut out at a random level as a camera's picture is,
and drawn anew by `shared.data.normalise`; some 1s get a flag and a base, some 7s a bar; digits come from other hands
and printed fonts too (`shared.data.drawn_characters`). The eleventh class is made of what else is found on paper:
letters, signs, scribbles, lines, blobs, and digits cut in half, or stuck to their neighbours. The same seed makes the
same images.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.data import drawn_characters, normalise
from shared.data.drawn_characters import TALL, Draw, Ink, Line, character, drawn_digit, drawn_letter, ink_of, strokes

BACKGROUND = 10  # the class of what is no digit
BACKGROUND_SHARE = 0.6  # of the number of MNIST's images

# Neither of these has signs that a digit may look like, written by some hand: b g I i j l O o q s, Ч, λ.
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZacdefhkmnprtuvwxyz"
OTHER_SCRIPTS = "ЖДФЦШЩЮЯПЫИЪжфцшщюыѢѪΓΔΘΠΣΦΨΩαγηκμνπψωԱԲԺԽՀՃՄՆՈՊՌՓՔՖաթժխհմնոպռստփքֆდლოტფქჭჰກຂຄດຕຖທນບປຜຝພຟມຫ٢٣"
SIGNS = "+-=*#%&@?<>^~$:;÷×≈±√∑∏∆∞∫∂∇∈∪∩→←↑↓⇒€£§¶"

Mask = NDArray[np.bool_]
Images = NDArray[np.uint8]


def photographed(images_nhw: Images, labels: NDArray[np.int64], *, seed: int) -> tuple[Images, NDArray[np.int64]]:
    """MNIST's images, the same as a camera sees them, digits of other hands, and what is no digit; in that order.

    Takes uint8 [n, 28, 28], white on black; gives about 2.8 n images of the same kind, and their classes, 0..10.
    """
    draw, others = Draw(seed), tuple(NO_DIGITS)
    seen = [(cut_out(image, draw), label) for image, label in zip(images_nhw, labels.tolist(), strict=True)]
    for kind, share in OTHER_DIGITS.items():
        seen += [kind(images_nhw, labels, draw) for _ in range(round(share * len(images_nhw)))]
    for _ in range(round(BACKGROUND_SHARE * len(images_nhw))):
        other = others[draw.choice(len(others), p=[NO_DIGITS[one] for one in others])]
        seen.append((other(images_nhw, draw), BACKGROUND))
    glyphs = np.stack([normalise.glyph(mask) for mask, _ in seen])
    classes = np.array([label for _, label in seen], np.int64)
    return np.concatenate([images_nhw, glyphs]), np.concatenate([labels, classes])


def count(n: int) -> int:
    """How many images `photographed` makes of n."""
    return 2 * n + sum(round(share * n) for share in (*OTHER_DIGITS.values(), BACKGROUND_SHARE))


def fingerprint(*images_nhw: Images) -> str:
    """Eight hexadecimal digits that stand for what would be made of these images: they, and the code that makes it."""
    sha = hashlib.sha256()
    for source in (__file__, drawn_characters.__file__, normalise.__file__):
        sha.update(Path(source).read_bytes())
    for images in images_nhw:
        sha.update(np.ascontiguousarray(images).data)
    return sha.hexdigest()[:8]


def cut_out(image: Images, draw: Draw) -> Mask:
    """The strokes of one image as a threshold cuts them from a photograph: blurred, grainy, at some level."""
    large = cv2.resize(image, (TALL, TALL), interpolation=cv2.INTER_CUBIC)
    return worn(ink_of(large), draw)


def worn(ink: Ink, draw: Draw) -> Mask:
    """Ink in 0..1 after a camera and a threshold: bool [h, w], cut to its box; never empty."""
    soft = np.asarray(cv2.GaussianBlur(pen(ink, draw), (0, 0), draw.uniform(0.5, 3.0)))
    if draw.rand() < 0.3:
        soft = soft + draw.uniform(0.1, 0.5) * speckles(soft.shape, 1.5, draw)
    mask = largest(soft > draw.uniform(0.25, 0.6) * max(float(soft.max()), 1e-3))
    return normalise.trim(mask)


def speckles(shape: tuple[int, ...], size: float, draw: Draw) -> Ink:
    """Noise, smoothed to spots of about `size` pixels."""
    noise = np.asarray(draw.normal(size=shape), np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), size), np.float32)


def pen(ink: Ink, draw: Draw) -> Ink:
    """The same strokes by a finer or broader pen, some pressed unevenly, so that they are faint in places."""
    wider = int(draw.randint(-2, 3))  # pixels, of which MNIST's own pen has about ten
    if wider:
        round_one = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(wider) + 1,) * 2)
        ink = np.asarray(cv2.dilate(ink, round_one) if wider > 0 else cv2.erode(ink, round_one), np.float32)
    if draw.rand() < 0.3:
        spots = speckles(ink.shape, 6, draw)
        ink = ink * (1 - draw.uniform(0.2, 0.5) * np.clip(spots / spots.std() - 0.5, 0, 1.5))
    return ink


def largest(mask: Mask) -> Mask:
    """The mask without specks: components of a hundredth of the largest one's area and less."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray((areas > 0.01 * areas.max())[labels])


def foreign(images_nhw: Images, labels: NDArray[np.int64], draw: Draw) -> tuple[Mask, int]:
    """One of the 1s with a flag and a base, or of the 7s with a bar through its stem; without any, a digit drawn."""
    label = (1, 7)[draw.randint(2)]
    of_it = np.flatnonzero(labels == label)
    if not of_it.size:
        return other_hand(images_nhw, labels, draw)
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


def other_hand(images_nhw: Images, labels: NDArray[np.int64], draw: Draw) -> tuple[Mask, int]:
    """A digit in a shape that MNIST's hands hardly write."""
    digit = int(draw.randint(10))
    return worn(drawn_digit(digit, draw), draw), digit


def printed(images_nhw: Images, labels: NDArray[np.int64], draw: Draw) -> tuple[Mask, int]:
    """A digit of a font, bent as a hand would."""
    digit = int(draw.randint(10))
    return worn(character(str(digit), draw), draw), digit


def letter(images_nhw: Images, draw: Draw) -> Mask:
    """A letter that no digit looks like."""
    return worn(character(LETTERS[draw.randint(len(LETTERS))], draw), draw)


def handwritten_letter(images_nhw: Images, draw: Draw) -> Mask:
    """A letter drawn stroke by stroke."""
    return worn(drawn_letter(draw), draw)


def foreign_letter(images_nhw: Images, draw: Draw) -> Mask:
    """A Cyrillic, Greek, Armenian, Georgian or Lao letter, or an Arabic digit."""
    return worn(character(OTHER_SCRIPTS[draw.randint(len(OTHER_SCRIPTS))], draw), draw)


def sign(images_nhw: Images, draw: Draw) -> Mask:
    """A sign of arithmetic, punctuation or money, or an arrow."""
    return worn(character(SIGNS[draw.randint(len(SIGNS))], draw), draw)


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
    noise = speckles((TALL, TALL), draw.uniform(5, 18), draw)
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


# Digits that are not MNIST's, and how many of each, of the number of its images.
OTHER_DIGITS: dict[Callable[[Images, NDArray[np.int64], Draw], tuple[Mask, int]], float] = {
    foreign: 0.08, other_hand: 0.12, printed: 0.04,
}  # fmt: skip
# What is no digit, and how often each kind of it is drawn.
NO_DIGITS: dict[Callable[[Images, Draw], Mask], float] = {
    letter: 0.16, handwritten_letter: 0.16, foreign_letter: 0.1, sign: 0.08, drawn_sign: 0.08, scribble: 0.1,
    blob: 0.06, part: 0.06, pair: 0.14, lines: 0.06,
}  # fmt: skip
