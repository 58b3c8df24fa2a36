"""Changes to the code that a test must notice, and whether it does.

    python tests/mutations.py                       # all of them, a few seconds to a minute each
    python tests/mutations.py pull-hash safe-names  # those

`mutations.toml` beside this file lists them, each with the test that fails under it. The tests run in a copy of the
checkout, first without a change, when all must pass, then under each change. Exit 1 where one is not caught, or
where the list is stale: `test_mutations.py` says that at once, for it looks at the list without running anything.
"""

import ast
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = Path(__file__).with_suffix(".toml")
LONGEST = 600  # seconds of one test
PASSED, FAILED = 0, 1  # how pytest ends; all else is no answer


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """In `file` the text `old` becomes `new`, and `test`, a file and a function, fails."""

    name: str
    file: str
    old: str
    new: str
    test: str

    def stale(self) -> str:
        """Why this can no longer be tried, or ""."""
        source = ROOT / self.file
        times = source.read_text(encoding="utf-8").count(self.old) if source.is_file() else 0
        if times != 1:
            return f"{self.name}: the old text occurs {times} times in {self.file}, not once"
        file, _, function = self.test.partition("::")
        if function.partition("[")[0] not in functions(ROOT / file):
            return f"{self.name}: there is no test {self.test}"
        return ""

    def caught(self, copy: Path) -> bool:
        """Whether the test fails in the copy with the change, which is taken back."""
        path = copy / self.file
        before = path.read_text(encoding="utf-8")
        path.write_text(before.replace(self.old, self.new), encoding="utf-8")
        try:
            return tested(copy, [self.test])[0] == FAILED
        finally:
            path.write_text(before, encoding="utf-8")


def listed() -> list[Mutation]:
    """Those of the list."""
    with LIST.open("rb") as file:
        return [Mutation(name=name, **facts) for name, facts in tomllib.load(file).items()]


def functions(file: Path) -> set[str]:
    """The names of the functions in a file of tests."""
    nodes = ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else []
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def tested(copy: Path, tests: Sequence[str]) -> tuple[int, str]:
    """How pytest ends over these tests in the copy, and its last words; -1 where it does not end."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *dict.fromkeys(tests)]
    # Where the package is installed from the checkout, the copy comes before it, and no compiled file is left over.
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return -1, f"no end after {LONGEST} s"
    return done.returncode, "\n".join(done.stdout.splitlines()[-3:])


def troubles(mutations: Sequence[Mutation]) -> Iterator[str]:
    """What is wrong, one line each; nothing where every change is caught. Reports each that is."""
    stale = [trouble for one in mutations if (trouble := one.stale())]
    if stale:
        yield from stale
        return
    from tests.copied import copied

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        copied(copy)
        code, said = tested(copy, [one.test for one in mutations])
        if code != PASSED:
            yield f"without any change these tests do not all pass:\n{said}"
            return
        for one in mutations:
            if one.caught(copy):
                print(f"caught      {one.name}: {one.test}", flush=True)
            else:
                yield f"NOT caught  {one.name}: {one.test} passes, or does not end"


def main(names: Sequence[str]) -> int:
    """The exit code."""
    sys.path.insert(0, str(ROOT))
    known = {one.name: one for one in listed()}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no such mutation: {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    wrong = 0
    for trouble in troubles([known[name] for name in names] or list(known.values())):
        print(trouble, file=sys.stderr, flush=True)
        wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
