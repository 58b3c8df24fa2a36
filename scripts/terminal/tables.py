"""Tables on stdout: as wide as the terminal; on a pipe, lines with tabs.

    table(["class", "test"], [["0", 980], ["1", 1135]])              # rows of cells
    table_of({"model": lambda one: one.name, "kB": …}, models)       # the same, with a function for each column
    listing(…)      # as table_of on a terminal; for `cut` and `awk` one line a row, with tabs

If a table does not fit, its `lesser` columns are left out, in their order, until it fits. If it still does not fit it
is folded, or, with many columns, shown as a paragraph for each row. A cell is one line; a list makes a cell of several
lines.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scripts.terminal.output import show
from scripts.terminal.verbs import pasteable
from shared.core import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# A cell with exactly one of these words is coloured, on a terminal with colours.
VERDICTS = {"GOOD": "green", "WARN": "yellow", "NOT CHECKED": "yellow", "BAD": "bold red"}
FOLDABLE = 5  # columns at most: a folded table with more is unreadable
PIPED = 160  # columns of a table on a pipe, which has no width

Columns = Mapping[str, Callable[[Any], object]]
Cells = dict[str, list[str]]  # by column


def table(columns: Sequence[str], rows: Iterable[Iterable[object]], *, lesser: Sequence[str] = ()) -> None:
    """A table of rows of cells. Without rich, paragraphs."""
    texts = [[_text(cell) for cell in row] for row in rows]
    cells = {name: [row[at] for row in texts] for at, name in enumerate(columns)}
    if importlib.util.find_spec("rich") is None:  # `k2l doctor` must work on a broken installation
        _paragraphs(cells)
        return
    console = _console()
    for name in lesser if sys.stdout.isatty() else ():
        if _fits(cells, console):
            break
        cells.pop(name, None)
    if len(cells) <= FOLDABLE or _fits(cells, console):
        console.print(_grid(cells))
    else:
        _paragraphs(cells)


def table_of(columns: Columns, rows: Iterable[Any], *, lesser: Sequence[str] = ()) -> None:
    """A table with a row for each object; the columns make its cells."""
    table(list(columns), [[cell(row) for cell in columns.values()] for row in rows], lesser=lesser)


def listing(columns: Columns, rows: Iterable[Any], *, lesser: Sequence[str] = ()) -> None:
    """The same on a terminal; elsewhere a heading and one line a row, with tabs."""
    if sys.stdout.isatty():
        table_of(columns, rows, lesser=lesser)
        return
    print("\t".join(columns), flush=True)
    for row in rows:
        print("\t".join(printable.line(cell(row)) for cell in columns.values()), flush=True)


def _text(cell: object) -> str:
    """A cell as it is shown."""
    parts = cell if isinstance(cell, list) else [cell]
    return pasteable("\n".join(printable.line(part) for part in parts))


def _console() -> "Console":
    """stdout for rich. Cells are text: "[data_sources]" is not markup, ":file:" not an emoji."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPED, soft_wrap=False, markup=False, emoji=False)


def _fits(cells: Cells, console: "Console") -> bool:
    """Whether the table fits without folding."""
    unbounded = console.options.update(width=10_000)
    return console.measure(_grid(cells), options=unbounded).maximum <= console.width


def _grid(cells: Cells) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD)
    for at, name in enumerate(cells):
        # The first column names the row, for the next command: it is never cut.
        grid.add_column(name, no_wrap=at == 0, overflow="fold")
    for row in zip(*cells.values(), strict=True):
        grid.add_row(*(Text(cell, VERDICTS[cell]) if cell in VERDICTS else cell for cell in row))
    return grid


def _paragraphs(cells: Cells) -> None:
    """One paragraph a row, one line a cell; empty cells are left out."""
    wide = max(map(len, cells))
    for row in zip(*cells.values(), strict=True):
        named = zip(cells, row, strict=True)
        show(*(line for name, cell in named if cell for line in f"{name:<{wide}}  {cell}".split("\n")), "")
