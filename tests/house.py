"""The house, measured from its source: rooms, floors, arrows, cycles, and how long files and functions are.

    python -m tests.house           # the figures, and a row a room
    python -m tests.house --json    # the figures alone

A room is a folder of modules. An arrow runs from a room to one that it imports from; a room lies one floor above the
highest of those. Imports inside functions count. Nothing is imported to find this out.
"""

import ast
import json
import statistics
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("shared", "local", "scripts")

Graph = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Each module's dotted name and its file; a room's `__init__.py` bears the room's name."""
    found = {}
    for path in sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def files() -> Graph:
    """Which module imports which."""
    known = modules()
    return {name: set(_imported(path, known)) - {name} for name, path in known.items()}


def rooms() -> Graph:
    """Which room imports from which."""
    known = modules()
    found: Graph = {room_of(name, known): set() for name in known}
    for name, imported in files().items():
        found[room_of(name, known)] |= {room_of(one, known) for one in imported}
    return {room: imported - {room} for room, imported in found.items()}


def room_of(name: str, known: Mapping[str, Path]) -> str:
    """The folder that a module lies in, as a dotted name."""
    return name if known[name].name == "__init__.py" else name.rpartition(".")[0]


def inside(room: str) -> list[Path]:
    """A room's modules, without its `__init__.py`."""
    return [path for path in sorted((ROOT / room.replace(".", "/")).glob("*.py")) if path.name != "__init__.py"]


def cycle(graph: Graph) -> list[str]:
    """One cycle of the graph; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def floors(graph: Graph) -> dict[str, int]:
    """Each room's floor, 1 at the bottom. ValueError where there is a cycle."""
    found: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        found[room] = 1 + max((found[below] for below in graph[room]), default=0)
    return found


def lengths() -> dict[str, list[int]]:
    """Lines of every file and of every function."""
    trees = {path: path.read_text(encoding="utf-8") for path in modules().values()}
    functions = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for text in trees.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {"file": [text.count("\n") for text in trees.values() if text.count("\n") > 1], "function": functions}


def figures() -> dict[str, object]:
    """All that is counted."""
    plan, graph = rooms(), files()
    importers = {name: sum(name in imported for imported in graph.values()) for name in graph}
    texts = [path.read_text(encoding="utf-8") for path in modules().values()]
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    sizes = {
        f"{quantile} lines of a {kind}": value
        for kind, found in lengths().items()
        for quantile, value in (("median", statistics.median(found)), ("p90", statistics.quantiles(found, n=10)[-1]))
    }
    return {
        "rooms": len(plan),
        "floors": 0 if cycle(plan) else max(floors(plan).values()),
        "arrows": sum(map(len, plan.values())),
        "cycle of rooms": cycle(plan),
        "cycle of files": cycle(graph),
        "most files in a room": max(len(inside(room)) for room in plan if room != "scripts"),
        **sizes,
        "modules with one importer": sum(count == 1 for count in importers.values()),
        "dict[str, Any]": sum(text.count("dict[str, Any]") for text in texts),
        "lines of the product": sum(text.count("\n") for text in texts),
        "lines of the tests": sum(text.count("\n") for text in tests),
    }


def _imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from [name] if name in known else [node.module] if node.module in known else []


def main(*words: str) -> None:
    """Prints the figures, and unless `--json` is given, the rooms from the top floor down."""
    if "--json" in words:
        print(json.dumps(figures()))
        return
    for name, value in figures().items():
        print(f"{name:28} {value}")
    plan = rooms()
    for room, floor in sorted(floors(plan).items(), key=lambda one: (-one[1], one[0])):
        print(
            f"{floor:3}  {room:28} {len(inside(room)):3} files   imports {', '.join(sorted(plan[room])) or 'nothing'}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
