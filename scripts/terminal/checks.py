"""Checks on the terminal: the doctor's and a dry run's."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from scripts.terminal.output import emit
from scripts.terminal.tables import table

if TYPE_CHECKING:
    from local.core.checks import Result


def tell(results: "Iterable[Result]", *, json: bool) -> None:
    """A table, or one JSON object for each check."""
    if json:
        emit(asdict(one) for one in results)
        return
    rows = [(one.check, one.verdict.upper(), _lines(one)) for one in results]
    table(["check", "verdict", "found"], rows)


def _lines(one: "Result") -> list[str]:
    return (one.found + (one.fix and f"\nfix: {one.fix}")).split("\n")
