"""What was seen, as HTML for the page: the answer, a card a digit, a row a file, the picture with its boxes.

    html = shown(seen, annotated=True)    # "" of nothing is `nothing("Draw a digit.")`

Pictures go along in the text (data addresses), so that none is ever written to a disk. STYLE is for the page's head.
"""

import base64
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from local.predict import Digit
from local.web.answers import Answer, Seen

MOST = 40  # cards; a page of words has hundreds of things that are no digits
WIDEST = 960  # pixels of the picture shown
COLOURS = ("#2f7ed8", "#e8853a", "#3fa66b", "#9061c9", "#c94f7c")  # a file each, legible on white and on black

STYLE = """
.k2l { font-size: 15px; line-height: 1.35 }
.k2l p { margin: 0 }
.k2l-text { font-size: 56px; font-weight: 700; line-height: 1.1; overflow-wrap: anywhere }
.k2l-text.k2l-long { font-size: 32px }
.k2l-quiet { opacity: .7 }
.k2l-cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 14px 0 }
.k2l-card { display: flex; gap: 14px; align-items: flex-start; margin: 0; padding: 10px; flex: 1 1 300px;
  max-width: 560px; border: 1px solid var(--border-color-primary); border-radius: 8px }
.k2l-card img { width: 140px; height: 140px; image-rendering: pixelated; border-radius: 4px; margin: 0 0 6px;
  display: block }
.k2l-several .k2l-card { flex: 0 1 132px; flex-direction: column; gap: 8px }
.k2l-several .k2l-card img { width: 110px; height: 110px }
.k2l-none { opacity: .65; border-style: dashed }
.k2l-bars { flex: 1; width: 100%; min-width: 0; display: grid; grid-template-columns: auto 1fr auto; gap: 2px 8px;
  align-items: center; font-size: 13px; font-variant-numeric: tabular-nums }
.k2l-several .k2l-bars { font-size: 11px; gap: 1px 5px }
.k2l-bars div { background: var(--background-fill-secondary); border-radius: 3px; overflow: hidden }
.k2l-bars i { display: block; height: 5px; min-width: 1px }
.k2l-several .k2l-bars i { height: 3px }
.k2l-bars .k2l-best { font-weight: 700 }
.k2l .k2l-files { border-collapse: collapse; width: 100%; margin: 14px 0 4px; border: 0;
  font-variant-numeric: tabular-nums }
.k2l .k2l-files th, .k2l .k2l-files td { text-align: left; padding: 4px 10px 4px 0; vertical-align: baseline;
  border: 0; border-bottom: 1px solid var(--border-color-primary) }
.k2l .k2l-files :is(thead, tbody, tr) { border: 0 }
.k2l .k2l-files th { font-weight: 600; opacity: .7 }
.k2l .k2l-files :is(td, th):nth-child(n+3) { text-align: right; padding: 4px 0 4px 10px }
.k2l-files b { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 7px }
.k2l-picture { max-width: 100%; max-height: 420px; border-radius: 8px; margin: 4px 0 12px }
@media (max-width: 500px) { .k2l-text { font-size: 40px } .k2l .k2l-files, .k2l-card { font-size: 13px } }
"""


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
    aside = f"; {rejected} taken for no digit" if rejected else ""
    if digits:
        least = min(digit.confidence for digit in digits)
        note = f"{'each at least ' if len(digits) > 1 else ''}{least:.1%} sure{aside}"
    else:
        note = f"no digit{aside}"
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
    name = f"<strong>{digit.digit}</strong> {digit.confidence:.1%}" if kept else f"no digit ({digit.digit}?)"
    glyph = f'<img alt="the 28x28 pixels that the network sees" src="{_address("png", digit.glyph.image)}">'
    below = '<br><span class="k2l-quiet">28x28, as it is seen</span>' if len(seen.digits) == 1 else ""
    style = "k2l-card" if kept else "k2l-card k2l-none"
    caption = f"<figcaption>{glyph}{name}{below}</figcaption>"
    return f'<figure class="{style}">{caption}{_bars(seen, digit, place)}</figure>'


def _bars(seen: Seen, digit: Digit, place: int) -> str:
    """Ten rows, one a digit: a bar a file, and the first file's number."""
    rows = []
    for label, share in enumerate(digit.probabilities):
        best = ' class="k2l-best"' if label == digit.digit else ""
        lines = "".join(
            f'<i style="width:{100 * answer.shares[place][label]:.1f}%;background:{_colour(at)}"></i>'
            for at, answer in enumerate(seen.answers)
        )
        rows.append(f"<span{best}>{label}</span><div>{lines}</div><span{best}>{share:.1%}</span>")
    return f'<div class="k2l-bars" aria-label="probability of each digit">{"".join(rows)}</div>'


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
    """The annotated picture, as large as the page shows it."""
    bgr = seen.annotated
    factor = min(1.0, WIDEST / max(bgr.shape[:2]))
    small = bgr if factor == 1 else cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return _address("jpeg", np.asarray(small, np.uint8))


def _address(kind: str, image: NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(f".{kind}", image)
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}"
