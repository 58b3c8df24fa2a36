"""Figures and tables in Markdown, the same in README, the model cards and the page of the zoo."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

from shared.core.errors import ModelError


def wrapped(text: str, indent: str = "") -> str:
    """A paragraph in lines of at most 120 characters."""
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def share(value: float) -> str:
    """A fraction of 1 as a percentage of two digits."""
    return f"{100 * value:.2f} %"


def seconds(value: float) -> str:
    """Seconds, with decimals below ten."""
    return f"{value:,.2f} s" if value < 10 else f"{value:,.0f} s"


def kilobytes(value: int) -> str:
    """Bytes as kB."""
    return f"{value / 1000:,.0f}"


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def markdown(columns: list[str], rows: list[list[str]], *, right: tuple[int, ...] = ()) -> str:
    """A table; the columns numbered by `right` are aligned to the right."""
    rule = ["---:" if at in right else "---" for at in range(len(columns))]
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(rule)}|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def filled(path: Path, blocks: Mapping[tuple[str, str], str]) -> str:
    """A page with each text between its two comments; ModelError if they are missing."""
    page = path.read_text(encoding="utf-8")
    for (begin, end), text in blocks.items():
        before, begun, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (begun and ended):
            raise ModelError(f"{path} has no place for the table: write {begin} and {end} where it belongs.")
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page
