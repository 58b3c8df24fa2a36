"""The result of a single check, for the doctor and for a push's preflight.

    found = outcome("disk", look)        # `look` gives a Finding, or raises what is wrong
    found.check, found.verdict, found.found, found.fix

Any other error than a UserError is a fault of the check, and is raised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from shared.core.errors import UserError

GOOD, WARN, BAD, NOT_CHECKED = "good", "warn", "bad", "not checked"


class Finding(NamedTuple):
    """A check's verdict, what was found, and what to do about it (nothing if all is well)."""

    verdict: str
    found: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A check's name and its finding."""

    check: str
    verdict: str
    found: str
    fix: str = ""


def outcome(check: str, look: Callable[[], Finding], *, fix: str = "") -> Result:
    """The result of `look`.

    A UserError is BAD: its first line is what was found, the others what to do, or else `fix`.
    """
    try:
        found = look()
    except UserError as error:
        message, _, way = str(error).partition("\n")
        found = Finding(BAD, message, way or fix)
    return Result(check=check, **found._asdict())
