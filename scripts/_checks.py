"""Checks on the terminal: the doctor's and a dry run's."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from scripts._edge import emit, table

if TYPE_CHECKING:
    from local.checks import Result


def tell(results: "Iterable[Result]", *, way_out: str, json: bool) -> None:
    """A table, or an object a check; what to do about it is called `way_out` in both."""
    if json:
        emit({"check": one.check, "verdict": one.verdict, "found": one.found, way_out: one.fix} for one in results)
        return
    rows = [(one.check, one.verdict.upper(), one.found + (one.fix and f"\n{way_out}: {one.fix}")) for one in results]
    table(["check", "verdict", "found"], rows)
