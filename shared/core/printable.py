"""Text from outside, made safe for the place it goes to: a terminal, one line of it, a log, a cell of a spreadsheet.

    lines("a\\x1b[2J")       # "a\\\\x1b[2J": what controls a terminal is shown as text; line breaks and tabs stay
    line("a\\nerror: b")     # "a\\\\nerror: b": a name cannot break a line or start a column
    log("\\x1b[31mred\\r")   # "\\x1b[31mred\\x1b[0m": a log keeps its colours; other control codes are removed
    cell("=cmd()")          # "'=cmd()": a spreadsheet reads it as text, not as a formula

Text from outside is whatever this program did not write: names of files, messages of a server, what a model's manifest
says. JSON needs none of this: its own escapes are exact, and `json` below adds more of them.
"""

import re

# Control characters (ESC among them, and its one-byte forms), what ends a line in other programs, what reverses the
# direction of a text (the overrides and isolates; the marks that Arabic and Hebrew need are allowed), and half
# characters (surrogates).
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_LINES = re.compile(f"[{_CONTROL}]")
_IN_A_LINE = re.compile(f"[{_CONTROL}\t\n]")
_COLOUR = r"\x1b\[[0-9;]*m"
_IN_A_LOG = re.compile(f"({_COLOUR})|[{_CONTROL}]")
_PLAIN = "\x1b[0m"
_FORMULA = ("=", "+", "-", "@")  # a tab and a return can begin one too; they are escaped


def lines(text: str) -> str:
    """The text with the characters that control a terminal as escapes. Line breaks and tabs stay."""
    return _IN_LINES.sub(_escape, text)


def line(text: object) -> str:
    """The text on one line and in one column: line breaks and tabs are escapes too."""
    return _IN_A_LINE.sub(_escape, str(text))


def log(text: str) -> str:
    """A log's lines with their colours; a colour ends with its line. Other control codes are removed.

    Removed, not shown: a progress bar writes thousands of returns.
    """
    return "\n".join(_log_line(one) for one in text.split("\n"))


def cell(value: object) -> object:
    """A cell of a spreadsheet: text that would be a formula has a quote before it; numbers are unchanged."""
    if not isinstance(value, str):
        return value
    text = line(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def json(text: str) -> str:
    """JSON with the characters that control a terminal as JSON's own escapes: a parser reads the same value."""
    return _IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


def _log_line(text: str) -> str:
    text = _IN_A_LOG.sub(lambda found: found[1] or "", text)
    last = text.rpartition("\x1b[")[2].partition("m")[0]  # every escape that remains is a colour
    return text + _PLAIN if "\x1b" in text and last.strip("0;") else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
