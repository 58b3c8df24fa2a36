"""Tables that fit: the lesser columns go where a terminal is narrow; lists are plain lines on a pipe.

table_of({"model": lambda row: row.name, "kB": …}, rows, lesser=["kB"])
listing(…)          # the same for what `cut` and `awk` may want: a line a row on a pipe, tabs between
"""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from scripts._edge import show, table

ROOMY = 110  # columns of a terminal from which nothing is left out
Columns = Mapping[str, Callable[[Any], object]]


def table_of(columns: Columns, rows: Iterable[Any], *, lesser: Sequence[str] = ()) -> None:
    """A table of a row each; of the `lesser` columns as many are left out, in this order, as it takes to fit."""
    cells = {name: [str(cell(row)) for row in (*rows,)] for name, cell in columns.items()}
    for name in lesser:
        if fits(cells):
            break
        cells.pop(name, None)
    table(list(cells), zip(*cells.values(), strict=True))


def listing(columns: Columns, rows: Iterable[Any], *, lesser: Sequence[str] = ()) -> None:
    """The same on a terminal; elsewhere a heading and a line a row, with tabs between and nothing else."""
    if sys.stdout.isatty():
        table_of(columns, rows, lesser=lesser)
        return
    show("\t".join(columns))
    for row in rows:
        show("\t".join(" ".join(str(cell(row)).split()) for cell in columns.values()))


def fits(cells: Mapping[str, Sequence[str]]) -> bool:
    """Whether a table of these columns stands on the terminal unfolded; anywhere else it does."""
    if not sys.stdout.isatty():
        return True
    needed = sum(max(map(len, (name, *texts))) + 3 for name, texts in cells.items()) + 1
    return needed <= shutil.get_terminal_size().columns
