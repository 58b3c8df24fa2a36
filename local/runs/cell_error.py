"""What ended a run that failed: the failing cell's own error, where its executed notebook or its log has it.

    reason(log, notebook, said)     # "ModuleNotFoundError: No module named 'foo'", on one line

The service often tells no more than that a cell failed. The executed notebook has the error in its own fields; a log
has it in papermill's or nbclient's report, among other lines. Both are foreign text: nothing in them is run, and
nothing can break the line.
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
# Behind these words stands the error of a cell, as papermill and nbclient report it.
_REPORT = re.compile(
    r'^(?:Exception encountered at "In \[.*?\]":|.*An error occurred while executing the following cell:) *$', re.M
)
_HEAD = re.compile(r"^([A-Za-z_]\w*) +Traceback \(most recent call last\) *$", re.M)  # IPython's: `ValueError   Trace…`
# A traceback of Python's: all its lines are indented, and what was raised stands behind them.
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(?P<raised>\S.*)$", re.M)
# The last line of a traceback whose beginning is lost: `ValueError: …`, `shared.core.errors.DataError: …`.
_RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)(?::.*)?$", re.M)
_REPORTERS = ("papermill.exceptions", "nbclient.exceptions.CellExecutionError")  # they raise what a cell has raised
# Words of the service that tell no more than that it failed.
_VAGUE = re.compile(r"\bcell\b|papermill|exit(ed)? (with )?(code|status)|^[^.:]*\bfailed\W*$", re.I)
_REMARK = re.compile(r"\[\w+App\] ")  # what Jupyter's programs say of their own work


def reason(log: str, notebook: Path, said: str = "") -> str:
    """Why the run failed, on one line: the failing cell's error, else what the service `said`, else the log's end."""
    text = _ANSI.sub("", log)
    printed = _in_traceback(text)  # which the notebook may have caught: the service's word counts for more, if it tells
    told = printed or said if _VAGUE.search(said) else said or printed
    found = _in_notebook(notebook) or _in_report(text) or told or _last_line(text)
    hint = " (most often because its memory was full)" if DEAD in found else ""
    return plain(found) + hint


def _in_notebook(path: Path) -> str:
    """The first error among the outputs of an executed notebook; "" where there is none, or no such notebook."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        cells = json.loads(files.read(path, most=LARGEST))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        for error in (one for one in outputs if one["output_type"] == "error"):
            return f"{error['ename']}: {error['evalue']}".removesuffix(": ")
    return ""


def _in_report(text: str) -> str:
    """The error of the cell that the last report is about."""
    reports = list(_REPORT.finditer(text))
    if not reports:
        return ""
    report = text[reports[-1].end() :]
    if heads := list(_HEAD.finditer(report)):
        # Later lines may be of others: what comes first behind the head, and begins with its name.
        raised = re.search(rf"^{heads[-1][1]}(?::.*)?$", report[heads[-1].end() :], re.M)
    else:  # a cell that cannot even be parsed
        raised = _RAISED.search(report)
    return raised[0] if raised else ""


def _in_traceback(text: str) -> str:
    """What the last traceback has raised, a reporter's own aside."""
    raised = [found["raised"] for found in _TRACEBACK.finditer(text)] or [found[0] for found in _RAISED.finditer(text)]
    return next((one for one in reversed(raised) if not one.startswith(_REPORTERS)), "")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not _REMARK.match(line)]
    return lines[-1] if lines else "the log is empty"
