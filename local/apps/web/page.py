"""The page as it is sent: page.html with its networks and examples, page.css and page.js, all from memory.

    parts(chosen="camera", choices=["camera", "lite"])       # {"/": (type, bytes), "/page.css": …, "/examples/…": …}

It asks for nothing else: no font, no script and no picture from elsewhere. What it sends goes to
`local.apps.web.reading`.
"""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from local.apps.web import cards, examples
from local.apps.web.reading import DRAW, HINTS, LARGEST

Part = tuple[str, bytes]  # its media type, and what it is


def parts(*, chosen: str, choices: Sequence[str]) -> dict[str, Part]:
    """Everything that can be fetched, by its path."""
    html = Template(_text("page.html")).substitute(
        largest=LARGEST,
        options="".join(_option(name, chosen) for name in choices),
        examples=" ".join(_example(name) for name in examples.NAMES),
        hint=cards.nothing(HINTS[DRAW]),
    )
    return {
        "/": ("text/html", html.encode()),
        "/page.css": ("text/css", _text("page.css").encode()),
        "/page.js": ("text/javascript", _text("page.js").encode()),
        **{f"/examples/{name}": ("image/png", data) for name, data in examples.drawn().items()},
    }


def _text(name: str) -> str:
    return files("local.apps.web").joinpath(name).read_text(encoding="utf-8")


def _option(name: str, chosen: str) -> str:
    return f"<option{' selected' if name == chosen else ''}>{escape(name)}</option>"


def _example(name: str) -> str:
    return f'<button class="example"><img src="examples/{name}" alt="example: {name}"></button>'
