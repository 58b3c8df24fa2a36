"""Pages that do not fill the picture: a sheet on a desk, or held up in a room, all of it made here from a seed.

scene = framed(seed, desk="wood", share=0.5)    # Scene(grey uint8 [480, 640], text): digits drawn by us
scene = full(seed, desk="full shadow")          # a page that fills the picture, to stay as it is
python -m tests.local.digits.framed_pages --seeds 100-119             # how many are read, with and without the search
python -m tests.local.digits.framed_pages --mnist --show pages.png    # of MNIST's test images; what is not read
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from tests.local.digits.drawn_digits import drawn

HEIGHT, WIDTH = 480, 640
SHARES = (0.15, 0.3, 0.5, 0.7, 0.95)
TILE = 100  # pixels of a digit's cell on the sheet


@dataclass(frozen=True)
class Scene:
    """A picture uint8 [h, w] and what stands on the sheet: rows parted by "|"."""

    grey: np.ndarray
    text: str


def strokes_of(draw):
    """A way to draw a digit as ink float [TILE, TILE], 0 to 1: our own strokes, one pen for all of a page."""
    look = {"pen": draw.uniform(0.06, 0.13), "slant": draw.uniform(0, 0.25)}

    def tile(digit):
        picture = drawn(digit, height=70, margin=0.1, ink=0, paper=255, **look)
        ink = np.zeros((TILE, TILE))
        top, left = (TILE - picture.shape[0]) // 2, (TILE - picture.shape[1]) // 2
        ink[top : top + picture.shape[0], left : left + picture.shape[1]] = 1 - picture / 255
        return ink

    return tile


def mnist_of(draw, images_nhw, labels):
    """The same of MNIST's images, as README's cover has them."""

    def tile(digit):
        image = images_nhw[draw.choice(np.flatnonzero(labels == digit))] / 255
        return cv2.resize(image.astype(np.float32), (TILE, TILE), interpolation=cv2.INTER_CUBIC).clip(0, 1)

    return tile


def written(draw, tile):
    """A sheet's ink float [h, w], and its text: up to three rows of up to five digits."""
    rows = ["".join(map(str, draw.randint(0, 10, draw.randint(1, 6)))) for _ in range(draw.randint(1, 4))]
    across, down = max(map(len, rows)), len(rows)
    room = draw.randint(20, 60)
    ink = np.zeros((down * 118 + 2 * room, across * TILE + 2 * room))
    for y, row in enumerate(rows):
        for x, digit in enumerate(row):
            top, left = room + 118 * y + 9, room + TILE * x
            ink[top : top + TILE, left : left + TILE] = tile(int(digit))
    height, width = ink.shape
    sides = max(height, width / 1.5), max(width, height / 1.5)  # no sheet is a ribbon
    more = [round(side - had) for side, had in zip(sides, ink.shape, strict=True)]
    ink = np.pad(ink, [(more[0] // 2, more[0] - more[0] // 2), (more[1] // 2, more[1] - more[1] // 2)])
    return cv2.GaussianBlur(ink, (0, 0), 1.0).clip(0, 1), "|".join(rows)


def smooth_noise(draw, shape, size, depth):
    """Noise with blotches of so many pixels, float [h, w] about 0."""
    small = draw.normal(0, depth, [max(2, round(side / length)) for side, length in zip(shape, size, strict=True)])
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)


def plain(draw, shade):
    return np.full((HEIGHT, WIDTH), float(shade)) + smooth_noise(draw, (HEIGHT, WIDTH), (60, 60), 2)


def wood(draw, shade=None):
    """Boards with grain along them."""
    shade = shade or draw.uniform(60, 150)
    desk = (
        plain(draw, shade)
        + smooth_noise(draw, (HEIGHT, WIDTH), (3, 150), 7)
        + smooth_noise(draw, (HEIGHT, WIDTH), (12, 300), 10)
    )
    for y in range(draw.randint(20, 120), HEIGHT, draw.randint(90, 200)):
        desk[y : y + 2] -= 40
        desk[y:] += draw.uniform(-10, 10)
    return desk if draw.rand() < 0.5 else cv2.resize(desk.T, (WIDTH, HEIGHT))


def cloth(draw):
    """A woven or printed ground."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    step = draw.uniform(6, 40)
    weave = np.sign(np.sin(2 * np.pi * x / step)) * np.sign(np.sin(2 * np.pi * y / step))
    return draw.uniform(50, 140) + draw.uniform(6, 30) * weave + draw.normal(0, 5, (HEIGHT, WIDTH))


def two(draw):
    """Two desks that meet, of different shades."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    turn = draw.uniform(0, 2 * np.pi)
    side = (x - WIDTH * draw.uniform(0.3, 0.7)) * np.cos(turn) + (y - HEIGHT * draw.uniform(0.3, 0.7)) * np.sin(turn)
    first = draw.uniform(20, 150)
    return np.where(side > 0, plain(draw, first), plain(draw, (first + draw.uniform(40, 90)) % 170))


def room(draw):
    """What stands behind somebody who holds a sheet up: boxes, slopes of light, lines, blots."""
    view = plain(draw, draw.uniform(40, 200)) + np.linspace(-1, 1, WIDTH) * draw.uniform(-40, 40)
    for _ in range(draw.randint(15, 40)):
        x, y, w, h = draw.randint(-50, WIDTH), draw.randint(-50, HEIGHT), draw.randint(8, 220), draw.randint(8, 220)
        patch = view[max(0, y) : y + h, max(0, x) : x + w]
        patch[:] = draw.uniform(10, 240) + np.linspace(0, draw.uniform(-40, 40), patch.shape[1]) if patch.size else 0
    for _ in range(draw.randint(2, 8)):
        ends = [(int(draw.randint(WIDTH)), int(draw.randint(HEIGHT))) for _ in range(2)]
        cv2.line(view, *ends, float(draw.uniform(10, 240)), int(draw.randint(1, 8)))
        axes = tuple(int(side) for side in draw.randint(6, 70, 2))
        cv2.ellipse(view, ends[0], axes, draw.uniform(0, 180), 0, 360, float(draw.uniform(10, 240)), -1)
    return cv2.GaussianBlur(view, (0, 0), draw.uniform(0.5, 3)) + smooth_noise(draw, (HEIGHT, WIDTH), (4, 4), 5)


DESKS = {
    "dark": lambda draw: plain(draw, draw.uniform(10, 80)),
    "light": lambda draw: plain(draw, draw.uniform(130, 178)),
    "wood": wood,
    "cloth": cloth,
    "two": two,
    "room": room,
    "pen": lambda draw: plain(draw, draw.uniform(20, 140)),
    "hand": lambda draw: DESKS[draw.choice(["dark", "wood", "room"])](draw),
    "sheets": lambda draw: DESKS[draw.choice(["dark", "wood", "two"])](draw),
    "ruled": lambda draw: DESKS[draw.choice(["dark", "wood"])](draw),
    "shadow": lambda draw: DESKS[draw.choice(["dark", "wood"])](draw),
    "black sheet": lambda draw: plain(draw, draw.uniform(140, 230)),
}


def corners_of(draw, shape, share):
    """Where a sheet's corners are seen, float32 [4, 2]: turned, tilted, of that share of the picture, inside it."""
    height, width = shape
    tilt = 0.06 if share < 0.9 else 0.02
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float) - (width / 2, height / 2)
    if share >= 0.7:  # only a sheet of the picture's own shape fills it
        corners = np.array([[-4, -3], [4, -3], [4, 3], [-4, 3]], float)
    corners *= 1 + draw.uniform(-tilt, tilt, (4, 2))
    turn = draw.normal(0, 0.08 if share < 0.7 else 0.02)
    corners = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    corners *= np.sqrt(share * HEIGHT * WIDTH / cv2.contourArea(corners.astype(np.float32)))
    spare = np.array([WIDTH, HEIGHT]) - np.ptp(corners, axis=0)
    middle = np.array([WIDTH, HEIGHT]) / 2 - (corners.max(axis=0) + corners.min(axis=0)) / 2
    return (corners + middle + draw.uniform(-0.45, 0.45, 2) * np.maximum(spare, 0)).astype(np.float32)


def laid(view, sheet, corners, over=None):
    """The view with a sheet float [h, w] on it, at those corners; `over`: it covers this much more of the view."""
    height, width = sheet.shape
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    way = cv2.getPerspectiveTransform(flat, corners)
    small = 2 * np.sqrt(cv2.contourArea(corners) / sheet.size)  # shrunk first: no stroke is stepped over
    if small < 1:
        sheet = cv2.resize(sheet, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
        way = way @ np.diag([width / sheet.shape[1], height / sheet.shape[0], 1])
    seen = cv2.warpPerspective(sheet, way, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillConvexPoly(cover, np.round(corners * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    share = cover / 255.0
    return view * (1 - share) + seen * share


def beside(draw, view, corners, desk):
    """The view with what else lies there: a pen, a further sheet without digits, under the page."""
    if desk == "pen":
        ends = draw.uniform(0, 1, (2, 2)) * (WIDTH, HEIGHT)
        cv2.line(view, *(tuple(map(int, end)) for end in ends), float(draw.choice([15, 60, 230])), draw.randint(6, 14))
    if desk == "sheets":
        other = np.full((140, 100), draw.uniform(170, 235))
        other[20:120:12, 10 : draw.randint(40, 90)] -= 60 * (draw.rand() < 0.5)
        size = draw.uniform(0.8, 1.2) * np.sqrt(cv2.contourArea(corners))
        start = corners.mean(axis=0) + size * np.array([draw.choice([-1.1, 1.1]), draw.uniform(-0.8, 0.2)])
        box = np.array([[0, 0], [0.8, 0.1], [0.75, 1.1], [-0.05, 1]]) * size * 0.8 + start - (size * 0.3, 0)
        view = laid(view, other, box.astype(np.float32))
    return view


def held(draw, view, corners):
    """Fingers over the sheet's rim, at its sides and below, where nothing is written."""
    length = np.sqrt(cv2.contourArea(corners))
    for at in draw.choice(4, 2, replace=False):
        rim = corners[at] + draw.uniform(0.2, 0.8) * (corners[(at + 1) % 4] - corners[at])
        inward = corners.mean(axis=0) - rim
        inward /= np.linalg.norm(inward)
        tip, base = rim + inward * 0.02 * length, rim - inward * 0.35 * length
        shade = float(draw.uniform(90, 170))
        cv2.line(view, *(tuple(map(int, end)) for end in (tip, base)), shade, max(4, int(0.07 * length)), cv2.LINE_AA)
    return view


def ruling(draw, shape):
    """The lines of a ruled sheet, fainter than ink: float [h, w]."""
    lines, step = np.zeros(shape), draw.randint(35, 70)
    for y in range(step, shape[0] - 10, step):
        lines[y : y + 3] = 0.4
    return lines


def framed(seed, *, desk, share, tile=strokes_of):
    """A sheet with digits on such a desk, filling so much of the picture: Scene. `tile(draw)`: how digits are drawn."""
    draw = np.random.RandomState([seed, list(DESKS).index(desk), round(100 * share)])
    ink, text = written(draw, tile(draw))
    dark = desk == "black sheet"
    paper, pen = (
        (draw.uniform(15, 60), draw.uniform(190, 240)) if dark else (draw.uniform(205, 240), draw.uniform(15, 100))
    )
    corners = corners_of(draw, ink.shape, share)
    if share >= 0.7:  # the sheet's own shape
        height, width = ink.shape
        wide = [(0, 0), (round(max(0, height * 4 / 3 - width) / 2),) * 2]
        tall = [(round(max(0, width * 3 / 4 - height) / 2),) * 2, (0, 0)]
        ink = np.pad(np.pad(ink, wide), tall)
    if desk == "ruled":
        ink = np.maximum(ink, ruling(draw, ink.shape))
    view = beside(draw, DESKS[desk](draw), corners, desk).clip(0, 255)
    view = laid(view, paper * (1 - ink) + pen * ink, corners)
    if desk == "hand":
        view = held(draw, view, corners)
    if desk == "shadow":
        view = view * half_shadow(draw)
    return Scene(grey=lit(draw, view), text=text)


def lit(draw, view):
    """The view under a lamp at one side, a little out of focus, with a camera's noise: uint8 [h, w]."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    turn, fall = draw.uniform(0, 2 * np.pi), draw.uniform(0, 0.25)
    light = 1 - fall - fall * (x * np.cos(turn) + y * np.sin(turn)) / 1.42
    seen = cv2.GaussianBlur(view.clip(0, 255) * light, (0, 0), draw.uniform(0.3, 0.9))
    return (seen + draw.normal(0, draw.uniform(1, 4), view.shape)).clip(0, 255).astype(np.uint8)


FULL = {
    "full": lambda draw, view: view,
    "full shadow": lambda draw, view: view * half_shadow(draw),
    "full blots": lambda draw, view: view * blot(draw),
    "full ruled": lambda draw, view: lines(draw, view),
    "full boxed": lambda draw, view: boxes(draw, view),
    "full white on black": lambda draw, view: 255 - view,
}


def half_shadow(draw):
    """A hard edge across the picture."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    turn = draw.uniform(0, 2 * np.pi)
    side = (x - WIDTH * draw.uniform(0.2, 0.8)) * np.cos(turn) + (y - HEIGHT * draw.uniform(0.2, 0.8)) * np.sin(turn)
    return cv2.GaussianBlur(np.where(side > 0, 1.0, draw.uniform(0.4, 0.75)), (0, 0), draw.uniform(0.5, 8))


def blot(draw):
    """A shadow as of a head or a hand."""
    light = np.ones((HEIGHT, WIDTH))
    dark = draw.uniform(0.4, 0.75)
    for _ in range(draw.randint(1, 4)):
        at = (int(draw.randint(WIDTH)), int(draw.randint(HEIGHT)))
        axes = tuple(int(side) for side in draw.randint(60, 260, 2))
        cv2.ellipse(light, at, axes, draw.uniform(0, 180), 0, 360, dark, -1)
    return cv2.GaussianBlur(light, (0, 0), draw.uniform(0.5, 8))


def lines(draw, view):
    step, slope = draw.randint(25, 70), draw.uniform(-15, 15)
    for y in range(step // 2, HEIGHT, step):
        cv2.line(view, (0, int(y - slope)), (WIDTH, int(y + slope)), 140.0, 2, cv2.LINE_AA)
    return view


def boxes(draw, view):
    """A frame drawn on the page, round what is written."""
    for _ in range(2):
        inset = draw.randint(6, 20)
        cv2.rectangle(view, (inset, inset), (WIDTH - inset, HEIGHT - inset), 60.0, int(draw.randint(2, 5)))
    return view


def full(seed, *, desk, share=None, tile=strokes_of):
    """A page that fills the picture."""
    draw = np.random.RandomState([seed, list(FULL).index(desk), 1000])
    ink, text = written(draw, tile(draw))
    height, width = ink.shape
    tall, wide = max(height, width * 3 / 4), max(width, height * 4 / 3)
    down, across = round(tall - height), round(wide - width)
    ink = np.pad(ink, [(down // 2, down - down // 2), (across // 2, across - across // 2)])
    ink = cv2.resize(ink, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    view = FULL[desk](draw, draw.uniform(205, 240) * (1 - ink) + draw.uniform(15, 100) * ink)
    return Scene(grey=lit(draw, view), text=text)


def seeds_of(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def measured(reader, desk, shares, seeds, tile):
    """For each share, the pages read before and after the sheet was looked for; and those not read after."""
    counts, faults = np.zeros((2, len(shares)), int), []
    for at, share in enumerate(shares):
        for seed in seeds:
            scene = (framed if desk in DESKS else full)(seed, desk=desk, share=share, tile=tile)
            with patch("local.digits.sheet.find", lambda grey: None):
                counts[0, at] += reader.read(scene.grey).text == scene.text
            text = reader.read(scene.grey).text
            counts[1, at] += text == scene.text
            faults += [] if text == scene.text else [(f"{desk} {share} {seed}: {scene.text} as {text}", scene)]
    return counts, faults


def shown(title, scene):
    """A picture, and what is left of it, with a line of text: uint8 [h, 2 w]."""
    from local.digits import glyphs

    seen = np.zeros((HEIGHT, 2 * WIDTH), np.uint8)
    seen[:, :WIDTH] = scene.grey
    left = glyphs.prepared(scene.grey).grey[:HEIGHT, :WIDTH]
    seen[: left.shape[0], WIDTH : WIDTH + left.shape[1]] = left
    cv2.putText(seen, title, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 128, 2)
    return cv2.resize(seen, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def mosaic(pictures, across=3):
    """Pictures of one size, so many beside each other."""
    pictures = pictures + [np.zeros_like(pictures[0])] * (-len(pictures) % across)
    return np.vstack([np.hstack(pictures[at : at + across]) for at in range(0, len(pictures), across)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="100-119", type=seeds_of, help="from-to")
    parser.add_argument("--desks", default=",".join([*DESKS, *FULL]), help="kinds, parted by commas")
    parser.add_argument("--mnist", action="store_true", help="with MNIST's test images instead of digits drawn by us")
    parser.add_argument("--show", help="a picture to write, of the pages that are not read")
    asked = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from local.digits.reader import Reader
    from local.models import registry
    from shared.data.datasets import load

    data = load("mnist", download=False, halves=["test"]) if asked.mnist else None
    tile = (lambda draw: mnist_of(draw, data.test_images, data.test_labels)) if data else strokes_of
    model = registry.find("camera")
    reader = Reader(registry.open_runtime(model), model.sure)
    print("read without a fault, without / with the sheet being looked for, of", len(asked.seeds), "pages each")
    print(f"{'':12}", *(f"{share:>8.0%} " for share in SHARES))
    sums, faults = np.zeros((2, len(SHARES)), int), []
    for desk in asked.desks.split(","):
        counts, wrong = measured(reader, desk, SHARES if desk in DESKS else SHARES[-1:], asked.seeds, tile)
        sums += counts if desk in DESKS else 0
        faults += wrong
        print(f"{desk:12}", *(f"{before:>4}/{after:<4}" for before, after in counts.T), flush=True)
    print(f"{'all framed':12}", *(f"{before:>4}/{after:<4}" for before, after in sums.T), sums.sum(axis=1))
    if asked.show and faults:
        print(*(title for title, _ in faults), sep="\n")
        cv2.imwrite(asked.show, mosaic([shown(*fault) for fault in faults]))


if __name__ == "__main__":
    main()
