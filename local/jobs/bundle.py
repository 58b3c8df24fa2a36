"""The bundle: the teaching notebook with the shared code and the parameters inside, ready for Kaggle.

    bundle = build(spec.load("torch"), {"architecture": "compact", "epochs": 3, ...})
    text = bundle.sign(run_id="…", source_commit="…")

The same sources and parameters give the same bytes. The parameters stand in the cell tagged `parameters`: papermill
writes what it is given into a cell of its own behind that one, so it changes single values and the others stay.
The sha256 is taken with the run's own identity left blank, since that identity (`sign`) includes the sha256; `digest`
takes it again from any signed notebook.
Every cell is compiled before it leaves. Nothing is imported from the bundle, and nothing is pushed here.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.core import shared_code
from local.kaggle_api.kernel_spec import KernelSpec
from shared.core.errors import KernelError, one_of, plain
from shared.training.config import TrainConfig

LARGEST = 900_000  # bytes; Kaggle refuses about a megabyte with a bare 400
IDENTITY = ("run_id", "bundle_sha256", "source_commit")
INJECTED = "injected-parameters"  # papermill's tag of the cell that it writes
BLANK = dict.fromkeys(IDENTITY, "")  # as the sha256 is taken
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}

# Kaggle's way and Jupyter's of folding a cell, so that the lesson is not lost between files; a click opens it.
FOLDED = {"_kg_hide-input": True, "_kg_hide-output": True, "jupyter": {"source_hidden": True, "outputs_hidden": True}}

# What the readers of JSON and Python, and who looks into what they read, raise over anything else.
_NO_NOTEBOOK = (ValueError, LookupError, TypeError, AttributeError, SyntaxError, RecursionError, MemoryError)

Cell = dict[str, Any]
Notebook = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A notebook ready to be signed: its cells, the parameters written into it, and the sha256 of both."""

    notebook: Notebook
    parameters: dict[str, Any]
    sha256: str

    def sign(self, *, run_id: str, source_commit: str) -> str:
        """The text that is pushed: the same notebook, with the run's identity in its parameters.

        Raises KernelError where Kaggle would not take it.
        """
        text = self.text(run_id=run_id, source_commit=source_commit)
        size_of(text)
        kernelspec_of(text)
        return text

    def text(self, *, run_id: str, source_commit: str) -> str:
        """What `sign` gives, held to no rule: for telling each by itself."""
        identity = {"run_id": run_id, "bundle_sha256": self.sha256, "source_commit": source_commit}
        return _dump(_with_parameters(self.notebook, identity))


def build(spec: KernelSpec, parameters: Mapping[str, Any]) -> Bundle:
    """Bundles a kernel's notebook. Raises KernelError or ConfigError naming the cell, file or parameter at fault."""
    source = _source(spec)
    _check_declared(source.cells, parameters, where=str(spec.notebook))
    cells = [_cell(one.cell_type, one.source, one.metadata.get("tags", [])) for one in source.cells]
    _compile(cells, where=str(spec.notebook))
    at = _tagged(cells, "shared", where=str(spec.notebook))
    files = list(_shared_cells(cells))
    _compile(files, where="shared/")
    cells[at : at + 1] = [cells[at] | {"metadata": {}}, *files]
    numbered = [cell | {"id": f"cell-{n:03d}"} for n, cell in enumerate(cells)]
    metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    notebook = {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    notebook = _with_parameters(notebook, {**parameters, **BLANK})
    return Bundle(notebook=notebook, parameters=dict(parameters), sha256=_hash(notebook))


def pack(spec: KernelSpec, *, name: str, config: TrainConfig) -> Bundle:
    """The bundle of one training, every parameter spelt out as the recipe resolves it."""
    return build(spec, parameters_of(name, config))


def parameters_of(name: str, config: TrainConfig) -> dict[str, Any]:
    """What is written into the notebook of a training."""
    return {"name": name, **config.as_dict()}


def check_parameters(spec: KernelSpec, parameters: Mapping[str, Any]) -> None:
    """Returns if the notebook's own parameters cell has them all.

    Raises ConfigError naming one that it has not, KernelError where the notebook or the cell cannot be read.
    """
    _check_declared(_source(spec).cells, parameters, where=str(spec.notebook))


def size_of(text: str) -> int:
    """The bytes of a notebook. Raises KernelError where they are too many for Kaggle."""
    size = len(text.encode())
    if size > LARGEST:
        raise KernelError(f"the bundle has {size:,} bytes; Kaggle takes {LARGEST:,}. Make the notebook shorter.")
    return size


def kernelspec_of(text: str) -> str:
    """The name of a notebook's kernelspec. Raises KernelError where there is none: Kaggle could not run it."""
    name = json.loads(text)["metadata"].get("kernelspec", {}).get("name", "")
    if not name:
        raise KernelError("the bundle has no kernelspec in its metadata; Kaggle runs no notebook without one.")
    return str(name)


def digest(text: str | bytes) -> str:
    """The bundle's sha256 from a signed notebook's text: the identity is left blank again first.

    Raises KernelError if the text is not a notebook as `sign` gives it.
    """
    try:
        notebook = json.loads(text)
        if any(INJECTED in cell["metadata"].get("tags", []) for cell in notebook["cells"]):
            raise KernelError(
                "this notebook has a cell of injected parameters: papermill has changed them since k2l bundled it, or "
                "an older k2l made it.\nBundle it again: k2l bundle."
            )
        return _hash(_with_parameters(notebook, BLANK))
    except _NO_NOTEBOOK as error:
        raise KernelError(f"this is not a notebook bundled by k2l ({plain(str(error))}).") from None


def declared(cells: list[Any], *, where: str) -> dict[str, Any]:
    """The names and defaults of the notebook's cell tagged `parameters`, read without running it."""
    cell = cells[_tagged(cells, "parameters", where=where)]
    try:
        return {name: ast.literal_eval(value) for name, value in _assignments(cell["source"])}
    except (ValueError, SyntaxError) as error:
        raise KernelError(f"{where}: its parameters cell is more than names and plain values ({error}).") from None


def _source(spec: KernelSpec) -> Any:
    """The notebook as it is written here, its cells read and nothing run."""
    import jupytext

    try:
        return jupytext.reads(spec.notebook.read_text(encoding="utf-8"), fmt="py:percent")
    except (OSError, ValueError) as error:
        raise KernelError(f"{spec.notebook} cannot be read: {error}.") from None


def _check_declared(cells: list[Any], parameters: Mapping[str, Any], *, where: str) -> None:
    known = [name for name in declared(cells, where=where) if name not in IDENTITY]
    for name in parameters:
        one_of("parameter", name, known)


def _shared_cells(cells: list[Cell]) -> Iterator[Cell]:
    """A cell that makes the folders, then a `%%writefile` cell a file, under a line that says what it is for."""
    files = shared_code.files("\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code"))
    folders = ", ".join(f'"{folder}"' for folder in sorted({file.rpartition("/")[0] for file in files} - {""}))
    yield _cell("code", f'for folder in ({folders}):\n    Path(CODE, "shared", folder).mkdir(parents=True)')
    for name in files:
        text = shared_code.read(name)
        purpose = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
        yield _cell("markdown", f"`shared/{name}`: {purpose}")
        file = _cell("code", f"%%writefile {{CODE}}/shared/{name}\n{text.rstrip()}\n")
        yield file | {"metadata": FOLDED}


def _cell(kind: str, source: str, tags: list[str] | None = None) -> Cell:
    cell: Cell = {"cell_type": kind, "metadata": {"tags": list(tags)} if tags else {}, "source": source}
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell


def _tagged(cells: list[Any], tag: str, *, where: str) -> int:
    at = [n for n, cell in enumerate(cells) if tag in cell["metadata"].get("tags", [])]
    if len(at) != 1:
        raise KernelError(f"{where} must have one cell tagged {tag!r}; it has {len(at)}.")
    return at[0]


def _assignments(source: str) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _with_parameters(notebook: Notebook, values: dict[str, Any]) -> Notebook:
    """The notebook with these values in its parameters cell; the others there stay, and so do all comments."""
    cells = list(notebook["cells"])
    at = _tagged(cells, "parameters", where="the notebook")
    cells[at] = cells[at] | {"source": _assigned(cells[at]["source"], values)}
    return notebook | {"cells": cells}


def _assigned(source: str, values: dict[str, Any]) -> str:
    """The source with these values in place of those that it assigns to their names."""
    text = source.encode()
    lines = [0, *(found.end() for found in re.finditer(rb"\n", text))]
    for name, node in reversed(list(_assignments(source))):  # from the end, so that the places before stay right
        if name in values:
            begin = lines[node.lineno - 1] + node.col_offset
            end = lines[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
            text = text[:begin] + repr(values[name]).encode() + text[end:]
    return text.decode()


def _compile(cells: list[Cell], *, where: str) -> None:
    """Every code cell is compiled, so that a slip of the pen costs a second here and not a queue there."""
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] != "code":
            continue
        first, _, rest = cell["source"].partition("\n")
        magic = first.startswith("%%writefile")
        try:
            compile(rest if magic else cell["source"], where, "exec")
        except SyntaxError as error:
            place = first.split("/")[-1] if magic else f", cell {number}"
            raise KernelError(f"{where}{place} does not compile: {error.msg} (its line {error.lineno}).") from None


def _dump(notebook: Notebook) -> str:
    # Sources stay single strings: the service expects them so.
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _hash(notebook: Notebook) -> str:
    return hashlib.sha256(_dump(notebook).encode()).hexdigest()
