"""Text from outside, made safe for the place it goes to: a terminal, one line of it, a log, a cell of a spreadsheet.

    lines("a\\x1b[2J")       # "a\\\\x1b[2J": what rules a terminal is shown; line breaks and tabs stay
    line("a\\nerror: b")     # "a\\\\nerror: b": a name, which can break no line and open no column
    log("\\x1b[31mred\\r")   # "\\x1b[31mred\\x1b[0m": a log keeps its colours, and the rest of it is left out
    cell("=cmd()")          # "'=cmd()": a spreadsheet takes it for text, not for a formula

Text from outside is whatever this program did not write: names of files, words of a server, what a model's manifest
says. JSON needs none of this: its own escapes are exact, and `json` below makes more of them.
"""

import re

# Control characters (ESC among them, and its one-byte forms), what ends a line elsewhere, what turns the direction of
# a text round (the overrides and isolates; the marks that Arabic and Hebrew need stay), and halves of characters.
_RULING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_LINES = re.compile(f"[{_RULING}]")
_IN_A_LINE = re.compile(f"[{_RULING}\t\n]")
_COLOUR = r"\x1b\[[0-9;]*m"
_IN_A_LOG = re.compile(f"({_COLOUR})|[{_RULING}]")
_PLAIN = "\x1b[0m"
_FORMULA = ("=", "+", "-", "@")  # a tab and a return begin one too; they are escaped


def lines(text: str) -> str:
    """The text with what rules a terminal shown as escapes. Line breaks and tabs stay."""
    return _IN_LINES.sub(_escape, text)


def line(text: object) -> str:
    """The text on one line and in one column: line breaks and tabs are escapes too."""
    return _IN_A_LINE.sub(_escape, str(text))


def log(text: str) -> str:
    """A log's lines with their colours, each of which ends with its line; all else that rules a terminal is left out.

    Left out, not shown: a progress bar writes thousands of returns.
    """
    return "\n".join(_log_line(one) for one in text.split("\n"))


def cell(value: object) -> object:
    """A cell of a spreadsheet: text that would be a formula has a quote before it; numbers stay as they are."""
    if not isinstance(value, str):
        return value
    text = line(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def json(text: str) -> str:
    """JSON with the characters that rule a terminal as JSON's own escapes: it says the same, byte for byte."""
    return _IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


def _log_line(text: str) -> str:
    kept = _IN_A_LOG.sub(lambda found: found[1] or "", text)
    last = kept.rpartition("\x1b[")[2].partition("m")[0]  # every escape that is left is a colour
    return kept + _PLAIN if "\x1b" in kept and last.strip("0;") else kept


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
