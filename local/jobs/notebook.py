"""The teaching notebook of a framework: `kaggle/notebook.py`, its places filled from `kaggle/FRAMEWORK/cells.py`.

    cells = read("torch", {"name": "mine", "epochs": 3, ...})

Both files are in jupytext's percent format. A cell of `notebook.py` with the tag `framework` is an empty place for the
cells of the same name. `cells.py` names its first cell for a place: `# %% device`; the cells after it belong to the
same place, until the next name. The cell tagged `parameters` gets a line for each value. What comes before a file's
first `# %%` is left out.

Nothing is run here, and no file of `shared/` is put in: `bundle` does that.
"""

import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.core import workspace
from shared.core.errors import ConfigError, KernelError, one_of
from shared.training.config import PARAMETERS

WIDTH = 120  # columns of a line in the cell of parameters
PLACE, FOR_PARAMETERS, FOR_SHARED = "framework", "parameters", "shared"  # the tags
IDENTITY = {
    "run_id": "which run this is",
    "bundle_sha256": "what exactly was sent",
    "source_commit": "the commit that it was made from",
}
COMMENTS = {"name": "the model's name at home", **{name: one.about for name, one in PARAMETERS.items()}, **IDENTITY}

Cell = dict[str, Any]  # as nbformat has it


@dataclass(frozen=True, kw_only=True)
class SourceCell:
    """A cell of a file: its kind (code, markdown), text, tags, name; `where` names it in errors."""

    kind: str
    text: str
    tags: tuple[str, ...]
    name: str
    where: str


def read(framework: str, values: Mapping[str, Any]) -> list[Cell]:
    """The cells of a framework's notebook with these parameters; KernelError names the file and the cell at fault."""
    common, own = workspace.kernels() / "notebook.py", workspace.kernels() / framework / "cells.py"
    written = _written(common, tags=(PLACE, FOR_PARAMETERS, FOR_SHARED))
    filled = _filled(written, _sections(own), common=common, own=own)
    for one in filled:
        if one.kind == "code":
            check_code(one.text, where=one.where)
    cells = [new_cell(one.kind, one.text, one.tags) for one in filled]
    at = tagged(cells, FOR_PARAMETERS, where=str(common))
    tagged(cells, FOR_SHARED, where=str(common))
    cells[at]["source"] = "\n".join(_line(name, value) for name, value in values.items())
    return cells


def new_cell(kind: str, source: str, tags: tuple[str, ...] = ()) -> Cell:
    """A cell of a notebook."""
    cell: Cell = {"cell_type": kind, "metadata": {"tags": list(tags)} if tags else {}, "source": source}
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell


def tagged(cells: list[Cell], tag: str, *, where: str) -> int:
    """Which cell has that tag. KernelError if none or several have it."""
    at = [number for number, cell in enumerate(cells) if tag in cell["metadata"].get("tags", [])]
    if len(at) != 1:
        raise KernelError(f"{where} must have one cell tagged {tag!r}; it has {len(at)}.")
    return at[0]


def check_code(text: str, *, where: str) -> None:
    """KernelError if code does not compile: a mistake costs a second here, and a wait in Kaggle's queue."""
    try:
        compile(text, where, "exec")
    except SyntaxError as error:
        raise KernelError(f"{where} does not compile: {error.msg} (its line {error.lineno}).") from None


def _written(path: Path, *, tags: tuple[str, ...] = ()) -> list[SourceCell]:
    """The cells of a file, with no other tags than these."""
    import jupytext

    try:
        _, mark, text = path.read_text(encoding="utf-8").partition("# %%")
        found = jupytext.reads(mark + text, fmt="py:percent").cells
    except (OSError, ValueError) as error:
        raise KernelError(f"{path} cannot be read: {error}.") from None
    cells = [
        SourceCell(
            kind=cell.cell_type,
            text=cell.source,
            tags=tuple(cell.metadata.get("tags", ())),
            name=cell.metadata.get("title", ""),
            where=f"{path}, cell {number}",
        )
        for number, cell in enumerate(found, start=1)
    ]
    for cell in cells:
        for tag in cell.tags:
            _known(cell, "tag", tag, tags)
    return cells


def _sections(path: Path) -> dict[str, list[SourceCell]]:
    """The cells of `cells.py`, by the name of the place that they fill."""
    sections: dict[str, list[SourceCell]] = {}
    for cell in _written(path):
        if cell.name in sections:
            raise KernelError(f"{cell.where}: there are cells named {cell.name!r} before. A place is filled once.")
        if cell.name:
            sections[cell.name] = []
        elif not sections:
            raise KernelError(f"{cell.where}: it has no name. Name the place that it fills: `# %% NAME`.")
        sections[next(reversed(sections))].append(cell)
    return sections


def _filled(
    cells: list[SourceCell], sections: dict[str, list[SourceCell]], *, common: Path, own: Path
) -> list[SourceCell]:
    """The cells with each place replaced by the section of its name."""
    names: list[str] = []
    for place in (cell for cell in cells if PLACE in cell.tags):
        if place.text:
            raise KernelError(f"{place.where}: a place is empty. What only one framework says stands in its cells.py.")
        if place.name in names:
            raise KernelError(f"{place.where}: a place {place.name!r} is there already. Give each a name of its own.")
        if place.name not in sections:
            raise KernelError(f"{own} has no cells for {place.where}. Add them under `# %% {place.name}`.")
        names.append(place.name)
    for name, section in sections.items():
        _known(section[0], "place", name, names)
    return [one for cell in cells for one in (sections[cell.name] if PLACE in cell.tags else [cell])]


def _known(cell: SourceCell, what: str, name: str, known: Collection[str]) -> None:
    try:
        one_of(what, name, known)
    except ConfigError as error:
        raise KernelError(f"{cell.where}: {error}") from None


def _line(name: str, value: Any) -> str:
    """`seed = 0  # what it is (which values it may have)`, on as many lines as necessary."""
    start = f"{name} = {value!r}  # "
    return textwrap.fill(
        COMMENTS[name],
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * (len(start) - 2) + "# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
