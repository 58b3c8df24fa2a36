"""The pages that a person reads, README, docs/ and CONTRIBUTING.md, and the commands in them.

PAGES["docs/trip.md"]                        # the text
commands(PAGES["README.md"])                 # its lines that begin with k2l, in blocks of code
session(lines, cwd=folder, env=environment)  # {line: what it prints}, all run in one process: the imports are paid once
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from local.core import workspace

_FILES = ("README.md", *sorted(f"docs/{path.name}" for path in (workspace.CHECKOUT / "docs").glob("*.md")))
PAGES = {name: (workspace.CHECKOUT / name).read_text(encoding="utf-8") for name in (*_FILES, "CONTRIBUTING.md")}
# Prints, as JSON, what each command printed; ends at the first that fails.
_SESSION = """
import contextlib, io, json, shlex, sys
from scripts.__main__ import main
for line in json.loads(sys.argv[1]):
    print(line, file=sys.stderr, flush=True)
    sys.argv = ["k2l", *shlex.split(line, comments=True)[1:]]
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            main()
    except SystemExit as end:
        if end.code:
            raise SystemExit(f"{line} ended with exit {end.code}") from None
    print(json.dumps([line, printed.getvalue()]), flush=True)
"""


def commands(text: str) -> list[str]:
    """Those lines with their remarks, also where a list indents a block."""
    blocks = re.findall(r"^( *)```(\w*)\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for _, language, block in blocks if not language for line in block.splitlines()]
    return [line for line in lines if re.match(r"k2l [-a-z]", line)]


def words(line: str) -> list[str]:
    """What follows `k2l`, as a shell passes it."""
    return shlex.split(line, comments=True)[1:]


def session(lines: list[str], *, cwd: Path, env: dict[str, str]) -> dict[str, str]:
    """What each line prints on stdout. AssertionError names a line that fails or warns."""
    done = subprocess.run(
        [sys.executable, "-c", _SESSION, json.dumps(lines)],
        cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())
