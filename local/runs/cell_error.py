"""Why a run failed: the failing cell's own error, from its executed notebook or its log.

    reason(log, notebook, message)     # "ModuleNotFoundError: No module named 'foo'", on one line

The service often says only that a cell failed. The executed notebook has the error in its own fields; a log has it in
papermill's or nbclient's report, among other lines. Both are text from outside: nothing in them is run, and they cannot
break the line.
"""

import json
import re
from contextlib import suppress
from pathlib import Path

from shared.core import files
from shared.core.errors import plain

LARGEST = 20_000_000  # bytes of an executed notebook that is read; parsed, the worst JSON takes 25 times as much
DEAD = "DeadKernelError"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# The error of a cell follows these words in the reports of papermill and nbclient.
_REPORT = re.compile(
    r'^(?:Exception encountered at "In \[.*?\]":|.*An error occurred while executing the following cell:) *$', re.M
)
_HEAD = re.compile(r"^([A-Za-z_]\w*) +Traceback \(most recent call last\) *$", re.M)  # IPython's: `ValueError   Trace…`
# A traceback of Python's: all its lines are indented, and the exception follows them.
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(?P<raised>\S.*)$", re.M)
# The last line of a traceback whose start is missing: `ValueError: …`, `shared.core.errors.DataError: …`.
_RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)(?::.*)?$", re.M)
_REPORTERS = (
    "papermill.exceptions",
    "nbclient.exceptions.CellExecutionError",
)  # they raise again what a cell has raised
# Messages of the service that only say that it failed.
_VAGUE = re.compile(r"\bcell\b|papermill|exit(ed)? (with )?(code|status)|^[^.:]*\bfailed\W*$", re.I)
_REMARK = re.compile(r"\[\w+App\] ")  # messages of Jupyter's programs about their own work


def reason(log: str, notebook: Path, message: str = "") -> str:
    """Why the run failed, on one line: the failing cell's error, else the service's `message`, else the log's end."""
    text = _ANSI.sub("", log)
    printed = _in_traceback(text)  # the notebook may have caught it: a clear message of the service is better
    known = printed or message if _VAGUE.search(message) else message or printed
    found = _in_notebook(notebook) or _in_report(text) or known or _last_line(text)
    hint = " (usually because its memory was full)" if DEAD in found else ""
    return plain(found) + hint


def _in_notebook(path: Path) -> str:
    """The first error among the outputs of an executed notebook; "" if there is none, or no such notebook."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        cells = json.loads(files.read(path, most=LARGEST))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        for error in (one for one in outputs if one["output_type"] == "error"):
            return f"{error['ename']}: {error['evalue']}".removesuffix(": ")
    return ""


def _in_report(text: str) -> str:
    """The error of the cell in the last report."""
    reports = list(_REPORT.finditer(text))
    if not reports:
        return ""
    report = text[reports[-1].end() :]
    if heads := list(_HEAD.finditer(report)):
        # Later lines may be from others: take the first line after the head that begins with its name.
        raised = re.search(rf"^{heads[-1][1]}(?::.*)?$", report[heads[-1].end() :], re.M)
    else:  # a cell that cannot even be parsed
        raised = _RAISED.search(report)
    return raised[0] if raised else ""


def _in_traceback(text: str) -> str:
    """The exception of the last traceback, except those of the reporters."""
    raised = [found["raised"] for found in _TRACEBACK.finditer(text)] or [found[0] for found in _RAISED.finditer(text)]
    return next((one for one in reversed(raised) if not one.startswith(_REPORTERS)), "")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not _REMARK.match(line)]
    return lines[-1] if lines else "the log is empty"
