"""What a check comes to, each by itself: the frame of the doctor and of a push's preflight.

    found = outcome("disk", look)        # `look` gives a Finding, or raises what is wrong
    found.check, found.verdict, found.found, found.fix

Whatever is no UserError is a fault of the check, and goes through.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from shared.core.errors import UserError

GOOD, WARN, BAD, NOT_CHECKED = "good", "warn", "bad", "not checked"


class Finding(NamedTuple):
    """What a check says: its verdict, what was found, and what to do about it (nothing where all is well)."""

    verdict: str
    found: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A check by its name, and what it came to, as a Finding has it."""

    check: str
    verdict: str
    found: str
    fix: str = ""


def outcome(check: str, look: Callable[[], Finding], *, fix: str = "") -> Result:
    """What `look` comes to.

    A UserError is BAD: its first line is what was found, the others what to do, or else `fix`.
    """
    try:
        found = look()
    except UserError as error:
        said, _, way = str(error).partition("\n")
        found = Finding(BAD, said, way or fix)
    return Result(check=check, **found._asdict())
