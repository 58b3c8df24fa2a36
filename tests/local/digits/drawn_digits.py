"""Digits drawn by us, stroke by stroke, for tests and for tests/data/pictures: no photograph, no font, no licence.

picture = drawn(7, height=120, ink=30, paper=220)       # uint8 [h, w]
python -m tests.local.digits.drawn_digits                     # writes tests/data/pictures anew
python -m tests.local.digits.drawn_digits clip.mp4 300      # a film of so many frames, for k2l camera --source clip.mp4
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from shared.data.registry import GLYPH

PICTURES = Path(__file__).resolve().parents[2] / "data" / "pictures"

# Strokes as points x,y in a box 10 wide and 20 tall, rounded where they bend.
STROKES = {
    0: ["5,0 1,3 0,10 2,18 5,20 8.5,18 10,10 9,3 5,0"],
    1: ["2,5 5.5,0 5.5,20"],
    2: ["0,5 2,0.5 6,0 10,3 9,8 4,14 0,20 0,20 10,19.5"],
    3: ["0,2 5,0 9.5,3 8,8 3.5,9.5 3.5,9.5 9,11 10,16 5,20 0,18"],
    4: ["4,0 1,8 0,12 0,12 10,11.5", "7.5,5 7,20"],
    5: ["1,0 0.5,8.5 0.5,8.5 6,7.5 10,11.5 9,17.5 4,20 0,18", "1.2,0 9.5,0"],
    6: ["8,0 3,5 0,13 1.5,18.5 5.5,20 9.5,17 8.5,12 4.5,10.5 0.5,14"],
    7: ["0,0.5 10,0 10,0 6.5,9 4,20"],
    8: ["9,3 5,0 1,3 3,8 8.5,13 9,17.5 5,20 1,17 2,12 8,7 9,3"],
    9: ["9.5,4 5,0 0.5,3 1.5,8 5.5,9.5 9,6.5 9.5,4 9.5,4 9,12 7.5,20"],
}


def rounded(stroke, times=3):
    """Chaikin's corner cutting (1974); a point given twice stays a corner."""
    curve = np.array([point.split(",") for point in stroke.split()], float)
    for _ in range(times):
        first, second = curve[:-1], curve[1:]
        cut = np.stack([0.75 * first + 0.25 * second, 0.25 * first + 0.75 * second], axis=1).reshape(-1, 2)
        curve = np.concatenate([curve[:1], cut, curve[-1:]])
    return curve


def drawn(digit, *, height=120, margin=0.5, pen=0.08, slant=0.15, ink=30, paper=220):
    """A digit uint8 [h, w]; `margin` and `pen` are fractions of the digit's `height` in pixels, `slant` is dx/dy."""
    room, tall = round(margin * height), height
    plane = np.full((tall + 2 * room, round(0.65 * tall) + 2 * room), paper, np.uint8)
    for stroke in STROKES[digit]:
        curve = rounded(stroke) * (tall / 20)
        curve[:, 0] += slant * (tall / 2 - curve[:, 1]) + 0.08 * tall
        fixed = np.round((curve + room) * 16).astype(np.int32)
        cv2.polylines(plane, [fixed], False, ink, max(1, round(pen * tall)), cv2.LINE_AA, shift=4)
    return plane


def page(*rows, height=80, climb=0, **look):
    """Rows of digits on one sheet, uint8 [h, w]; each digit stands `climb` pixels above the one before it."""
    tiles = [[drawn(int(digit), height=height, margin=0.15, **look) for digit in row] for row in rows]
    tall, wide = tiles[0][0].shape
    longest = max(len(row) for row in rows)
    room = height // 2 + longest * abs(climb)
    sheet = np.full((len(rows) * tall + 2 * room, longest * wide + 2 * room), look.get("paper", 220), np.uint8)
    for down, row in enumerate(tiles):
        for across, tile in enumerate(row):
            top, left = room + down * tall - across * climb, room + across * wide
            sheet[top : top + tall, left : left + wide] = np.minimum(sheet[top : top + tall, left : left + wide], tile)
    return sheet


class Knows:
    """A runtime that knows these digits by their looks, and calls all else no digit (class 10)."""

    name, classes, spec = "knows", 11, GLYPH

    def __init__(self):
        from local.digits import glyphs

        self.known = [glyphs.single(drawn(digit)).image.astype(float).ravel() for digit in range(10)]

    def logits(self, images_nhw):
        likeness = [[np.corrcoef(image.ravel(), one)[0, 1] for one in self.known] for image in images_nhw]
        return np.float32(np.hstack([25 * np.array(likeness), np.full((len(images_nhw), 1), 17.0)]))


def in_bad_light(picture, *, seed=0):
    """The same under a lamp at one side, with a camera's noise."""
    height, width = picture.shape
    light = np.linspace(1.0, 0.45, width)[None, :] * np.linspace(1.0, 0.9, height)[:, None]
    noise = np.random.RandomState(seed).normal(0, 3, picture.shape)
    return np.clip(picture * light + noise, 0, 255).astype(np.uint8)


def frames(count, *, height=480, width=640):
    """Frames uint8 [h, w, 3] of 1 to 10 digits in bad light, other digits every second, never still."""
    draw = np.random.RandomState(0)
    for frame in range(count):
        if frame % 30 == 0:
            digits = "".join(map(str, draw.randint(0, 10, 1 + frame // 30 % 10)))
            sheet = page(*filter(None, (digits[:5], digits[5:])), height=70)
        room = height - len(sheet), width - len(sheet[0])
        top, left = room[0] // 2 + round(12 * np.sin(frame / 9)), room[1] // 2 + round(15 * np.sin(frame / 13))
        grey = np.full((height, width), 220, np.uint8)
        grey[top : top + len(sheet), left : left + len(sheet[0])] = sheet
        yield cv2.cvtColor(in_bad_light(grey, seed=frame), cv2.COLOR_GRAY2BGR)


def jittered(count, *, height=480, width=640):
    """Frames uint8 [h, w] of one page of ten digits as a hand holds it: shaken, brighter and darker, grainy."""
    sheet = page("12345", "67890", height=70)
    still = np.full((height, width), 220, np.uint8)
    still[90 : 90 + len(sheet), 60 : 60 + len(sheet[0])] = sheet
    draw = np.random.RandomState(0)
    for frame in range(count):
        turned = cv2.getRotationMatrix2D((width / 2, height / 2), draw.normal(0, 0.4), 1 + draw.normal(0, 0.004))
        turned[:, 2] += draw.normal(0, 1.5, 2)
        moved = cv2.warpAffine(still, turned, (width, height), borderValue=220) * draw.uniform(0.9, 1.1)
        yield in_bad_light(np.clip(moved, 0, 255), seed=frame)


def write_film(path, count=300):
    """A film of them."""
    from local.pictures.film import Film

    with Film(path, fps=30) as film:
        for frame in frames(count):
            film.add(frame)


def write_pictures(folder):
    """Small pictures of each kind that is read: what they show stands in their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for digit in range(10):
        dark = digit % 2 == 0
        ink, paper = (40, 215) if dark else (230, 30)
        cv2.imwrite(
            str(folder / f"{digit}-{'dark' if dark else 'light'}.png"), drawn(digit, height=60, ink=ink, paper=paper)
        )
    cv2.imwrite(str(folder / "7-lamp.jpg"), in_bad_light(drawn(7, height=160)), [cv2.IMWRITE_JPEG_QUALITY, 80])
    cv2.imwrite(str(folder / "blank.png"), np.full((60, 80), 235, np.uint8))
    (folder / "not-a-picture.png").write_text("This is text under a picture's name.\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
        write_film(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        write_pictures(PICTURES)
