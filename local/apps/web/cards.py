"""What was seen, as HTML for the page: the answer, a card a digit, a row a file, the picture with its boxes.

    html = shown(seen, annotated=True)    # "" of nothing is `nothing("Draw a digit.")`

Pictures go along in the text (data addresses), so that none is ever written to a disk.
"""

import base64
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from local.apps.web.answers import Answer, Seen
from local.digits.reader import Digit
from shared.data.registry import DIGITS, GLYPH

SIZE = f"{GLYPH.height}x{GLYPH.width}"
MOST = 40  # cards; a page of words has hundreds of things that are no digits
WIDEST = 960  # pixels of the longer side of the picture shown
COLOURS = ("#2f7ed8", "#e8853a", "#3fa66b", "#9061c9", "#c94f7c")  # a file each, legible on white and on black


def nothing(hint: str) -> str:
    """The answer's place before there is one."""
    return f'<div class="k2l"><p class="k2l-text" aria-live="polite">–</p><p class="k2l-quiet">{escape(hint)}</p></div>'


def shown(seen: Seen, *, annotated: bool = False) -> str:
    """All there is to say of a picture; with `annotated`, the picture too."""
    parts = [_answer(seen)]
    if annotated:
        parts.append(f'<img class="k2l-picture" alt="the picture, each digit in its box" src="{_jpeg(seen)}">')
    if len(seen.digits) == 1:
        parts += [_cards(seen), _files(seen)]
    elif seen.digits:
        parts += [_files(seen), _cards(seen)]  # what compares the files would be far down, under all of them
    return f'<div class="k2l">{"".join(parts)}</div>'


def _answer(seen: Seen) -> str:
    """The digits, large, and how sure the network is of them."""
    digits, rejected = seen.reading.digits, len(seen.reading.rejected)
    if digits:
        least = min(digit.confidence for digit in digits)
        aside = f"; {rejected} taken for no digit" if rejected else ""
        note = f"{'each at least ' if len(digits) > 1 else ''}{least:.1%} sure{aside}"
    else:
        note = f"no digit among {rejected} things found" if rejected > 1 else "no digit"
    size = " k2l-long" if len(seen.text) > 12 else ""
    text = escape(seen.text.replace("|", " | ")) or "–"
    return f'<p class="k2l-text{size}" aria-live="polite">{text}</p><p class="k2l-quiet">{note}</p>'


def _cards(seen: Seen) -> str:
    """A card for each thing found, the digits first."""
    several = " k2l-several" if len(seen.digits) > 1 else ""
    cards = (_card(seen, place) for place in range(min(MOST, len(seen.digits))))
    return f'<div class="k2l-cards{several}">{"".join(cards)}</div>'


def _card(seen: Seen, place: int) -> str:
    """What the network sees of one thing, what it is named, and the probabilities by every file."""
    digit = seen.digits[place]
    kept = place < len(seen.reading.digits)
    name = f"<strong>{digit.digit}</strong> {digit.confidence:.1%}" if kept else _rejected(digit, seen, place)
    glyph = f'<img alt="the {SIZE} pixels that the network sees" src="{_address("png", digit.glyph.image)}">'
    below = '<br><span class="k2l-quiet">{SIZE}, as it is seen</span>' if len(seen.digits) == 1 else ""
    style = "k2l-card" if kept else "k2l-card k2l-none"
    caption = f"<figcaption>{glyph}{name}{below}</figcaption>"
    return f'<figure class="{style}">{caption}{_bars(seen, place)}</figure>'


def _rejected(digit: Digit, seen: Seen, place: int) -> str:
    """Why a thing is taken for no digit: the network says so, or is not sure enough of any."""
    none = sum(seen.answers[0].shares[place][len(DIGITS) :])
    if none > digit.confidence:
        return f"no digit {none:.1%}"
    return f"not sure: {digit.digit} {digit.confidence:.1%}"


def _bars(seen: Seen, place: int) -> str:
    """A row a digit, and one for "none" where the network knows that class: a bar a file, the first file's number."""
    rows, shares = [], seen.answers[0].shares[place]
    for at, share in enumerate(shares):
        label = at if at < len(DIGITS) else "none"
        best = ' class="k2l-best"' if share == max(shares) else ""
        lines = "".join(
            f'<i style="width:{100 * answer.shares[place][at]:.1f}%;background:{_colour(file)}"></i>'
            for file, answer in enumerate(seen.answers)
        )
        rows.append(f"<span{best}>{label}</span><div>{lines}</div><span{best}>{share:.1%}</span>")
    return f'<div class="k2l-bars" aria-label="probability of each class">{"".join(rows)}</div>'


def _files(seen: Seen) -> str:
    """A row a file: what it reads, how sure it is, how long a digit takes it."""
    heads = ("file", "reads", "least sure", "kB", "one digit, ms")
    head = "".join(f"<th>{name}</th>" for name in heads)
    rows = "".join(_row(answer, _colour(at)) for at, answer in enumerate(seen.answers))
    note = "the network alone, one thread, median of nine calls after three to warm up"
    return (
        f'<table class="k2l-files"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f'<p class="k2l-quiet">{escape(seen.model)}: {note}</p>'
    )


def _row(answer: Answer, colour: str) -> str:
    digits = answer.reading.digits
    cells = (
        f'<b style="background:{colour}"></b>{answer.precision}, {escape(answer.runtime)}',
        escape(answer.reading.text.replace("|", " | ")) or "no digit",
        f"{min(digit.confidence for digit in digits):.1%}" if digits else "",
        f"{answer.bytes / 1000:,.0f}",
        "" if answer.milliseconds is None else f"{answer.milliseconds:.3f}",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _colour(at: int) -> str:
    return COLOURS[at % len(COLOURS)]


def _jpeg(seen: Seen) -> str:
    """The annotated picture."""
    return _address("jpeg", seen.annotated)


def _address(kind: str, image: NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(f".{kind}", image)
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}"
