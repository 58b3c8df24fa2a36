"""The bundle: the teaching notebook with the shared code and the parameters inside, ready for Kaggle.

    bundle = pack(kernel_spec.load("torch"), name="mine", config=TrainConfig.create(architecture="compact", epochs=3))
    text = bundle.sign(run_id="…", source_commit="…")

The same sources and parameters give the same bytes. The parameters stand in the cell tagged `parameters`: papermill
writes its values into a new cell after that one, so it changes single values and leaves the others. The sha256 is
computed with an empty run identity, since that identity (`sign`) includes the sha256; `digest` computes it again from
any signed notebook. `notebook` makes the cells. Nothing is imported from the bundle, and nothing is pushed here.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.core import shared_code
from local.jobs import notebook as writing
from local.jobs.notebook import FOR_PARAMETERS, FOR_SHARED, IDENTITY, Cell, new_cell, tagged
from local.kaggle_api.kernel_spec import KernelSpec
from shared.core.errors import KernelError, plain
from shared.training.config import TrainConfig

LARGEST = 900_000  # bytes; Kaggle refuses about a megabyte with a plain HTTP 400
INJECTED = "injected-parameters"  # papermill's tag of the cell that it writes
BLANK = dict.fromkeys(IDENTITY, "")  # for the sha256
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}

# How Kaggle and Jupyter fold a cell, so that the lesson is not hidden among files; a click opens it.
FOLDED = {"_kg_hide-input": True, "_kg_hide-output": True, "jupyter": {"source_hidden": True, "outputs_hidden": True}}

# What parsing JSON and Python, and reading the result, raises for any other text.
_NO_NOTEBOOK = (ValueError, LookupError, TypeError, AttributeError, SyntaxError, RecursionError, MemoryError)

Notebook = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A notebook ready to be signed, the parameters written into it, and its sha256."""

    notebook: Notebook
    sha256: str

    def sign(self, *, run_id: str, source_commit: str) -> str:
        """The text that is pushed: the same notebook, with the run's identity in its parameters.

        Raises KernelError if Kaggle would refuse it.
        """
        text = self.text(run_id=run_id, source_commit=source_commit)
        size_of(text)
        kernelspec_of(text)
        return text

    def text(self, *, run_id: str, source_commit: str) -> str:
        """What `sign` gives, without checks, so that the caller can report each."""
        identity = {"run_id": run_id, "bundle_sha256": self.sha256, "source_commit": source_commit}
        return _dump(_with_parameters(self.notebook, identity))


def pack(spec: KernelSpec, *, name: str, config: TrainConfig) -> Bundle:
    """The bundle of one training, with every parameter that the recipe gives.

    Raises KernelError with the file and the cell at fault.
    """
    cells = writing.read(spec.framework, {"name": name, **config.as_dict(), **BLANK})
    at = tagged(cells, FOR_SHARED, where="the notebook")
    cells[at : at + 1] = [cells[at] | {"metadata": {}}, *_shared_cells(cells)]
    numbered = [cell | {"id": f"cell-{n:03d}"} for n, cell in enumerate(cells)]
    metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    notebook = {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return Bundle(notebook=notebook, sha256=_hash(notebook))


def size_of(text: str) -> int:
    """The bytes of a notebook. Raises KernelError if they are too many for Kaggle."""
    size = len(text.encode())
    if size > LARGEST:
        raise KernelError(f"the bundle has {size:,} bytes; Kaggle accepts {LARGEST:,}. Make the notebook shorter.")
    return size


def kernelspec_of(text: str) -> str:
    """The name of a notebook's kernelspec. Raises KernelError if there is none: Kaggle could not run it."""
    name = json.loads(text)["metadata"].get("kernelspec", {}).get("name", "")
    if not name:
        raise KernelError("the bundle has no kernelspec in its metadata; Kaggle runs no notebook without one.")
    return str(name)


def digest(text: str | bytes) -> str:
    """The bundle's sha256 from a signed notebook's text: the identity is made empty first.

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


def _shared_cells(cells: list[Cell]) -> Iterator[Cell]:
    """A cell that makes the folders, then for each file a `%%writefile` cell, after a line about its purpose."""
    files = shared_code.files("\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code"))
    folders = ", ".join(f'"{folder}"' for folder in sorted({file.rpartition("/")[0] for file in files} - {""}))
    yield new_cell("code", f'for folder in ({folders}):\n    Path(CODE, "shared", folder).mkdir(parents=True)')
    for name in files:
        text = shared_code.read(name)
        purpose = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
        yield new_cell("markdown", f"`shared/{name}`: {purpose}")
        file = new_cell("code", f"%%writefile {{CODE}}/shared/{name}\n{text.rstrip()}\n")
        yield file | {"metadata": FOLDED}


def _assignments(source: str) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _with_parameters(notebook: Notebook, values: dict[str, Any]) -> Notebook:
    """The notebook with these values in its parameters cell; other lines there remain, and so do all comments."""
    cells = list(notebook["cells"])
    at = tagged(cells, FOR_PARAMETERS, where="the notebook")
    cells[at] = cells[at] | {"source": _assigned(cells[at]["source"], values)}
    return notebook | {"cells": cells}


def _assigned(source: str, values: dict[str, Any]) -> str:
    """The source with these values assigned to their names, in place of the old ones."""
    text = source.encode()
    lines = [0, *(found.end() for found in re.finditer(rb"\n", text))]
    for name, node in reversed(list(_assignments(source))):  # from the end, so that the earlier positions stay correct
        if name in values:
            begin = lines[node.lineno - 1] + node.col_offset
            end = lines[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
            text = text[:begin] + repr(values[name]).encode() + text[end:]
    return text.decode()


def _dump(notebook: Notebook) -> str:
    # Sources are single strings: the service expects them so.
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _hash(notebook: Notebook) -> str:
    return hashlib.sha256(_dump(notebook).encode()).hexdigest()
