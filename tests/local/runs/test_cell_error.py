"""Of a run that failed, the first line is the failing cell's own error, however early the notebook died."""

import json

import pytest

from local.jobs import push, watch
from local.runs import cell_error, journal
from shared.core.errors import RunError
from tests.local import trips

LINE = "-" * 75
PAPERMILL = f"""\
it began
Traceback (most recent call last):
  File "<string>", line 1, in <module>
  File "papermill/execute.py", line 251, in raise_for_execution_errors
    raise error
papermill.exceptions.PapermillExecutionError: 
{LINE}
Exception encountered at "In [2]":
{LINE}
ModuleNotFoundError                       Traceback (most recent call last)
Cell In[2], line 1
----> 1 import nothing_here

ModuleNotFoundError: No module named 'nothing_here'

"""  # noqa: W291 papermill's own line ends so
CHAINED = f"""\
Exception encountered at "In [3]":
{LINE}
KeyError                                  Traceback (most recent call last)
Cell In[3], line 2
KeyError: 'x'

During handling of the above exception, another exception occurred:

BadZipFile                                Traceback (most recent call last)
Cell In[3], line 4
BadZipFile: File is not a zip file
"""
SYNTAX = f"""\
Exception encountered at "In [1]":
{LINE}
  Cell In[1], line 1
    def broken(
              ^
SyntaxError: incomplete input
"""
NBCLIENT = """\
nbclient.exceptions.CellExecutionError: An error occurred while executing the following cell:
------------------
raise StopIteration
------------------

StopIteration                             Traceback (most recent call last)
Cell In[1], line 1
StopIteration:
"""
TAIL = """\
[NbConvertApp] Converting notebook __notebook__.ipynb to notebook
Exception ignored in: <function Pool.__del__ at 0x7f>
OSError: [Errno 9] Bad file descriptor
[NbConvertApp] Writing 1000 bytes to __notebook__.ipynb
"""
NO_KERNEL = """\
Traceback (most recent call last):
  File "jupyter_client/kernelspec.py", line 1, in get_kernel_spec
    raise NoSuchKernel(kernel_name)
jupyter_client.kernelspec.NoSuchKernel: No such kernel named julia
"""


@pytest.mark.parametrize("tail", ["", TAIL])
@pytest.mark.parametrize(
    ("log", "said"),
    [
        (PAPERMILL, "ModuleNotFoundError: No module named 'nothing_here'"),
        (CHAINED, "BadZipFile: File is not a zip file"),
        (SYNTAX, "SyntaxError: incomplete input"),
        (NBCLIENT, "StopIteration:"),
        (
            "Traceback (most recent call last):\n  x\nValueError: caught and printed\n" + PAPERMILL,
            "ModuleNotFoundError: ",
        ),
    ],
)
def test_the_failing_cells_error_is_found_in_a_log(log, said, tail, tmp_path):
    """What the service says of it is less, and what comes behind it is of others."""
    assert cell_error.reason(log + tail, tmp_path / "none", "A cell failed").startswith(said)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", "the log is empty"),
        ("a\nb\n", "b"),
        ("a\n[NbConvertApp] Writing 3 bytes\n", "a"),
        (NO_KERNEL, "jupyter_client.kernelspec.NoSuchKernel: No such kernel named julia"),
        ("\x1b[0;31mValueError\x1b[0m: no ink\n\nother remarks", "ValueError: no ink"),
        ("KeyError: 1\nshared.core.errors.DataError: none here", "shared.core.errors.DataError: none here"),
        ("ValueError: x\npapermill.exceptions.PapermillExecutionError: \n---", "ValueError: x"),
        ("Exception ignored in: <x>\nthe end", "the end"),
        (PAPERMILL.replace("ModuleNotFoundError", "Oh\x1b[1mno"), "No module named"),
    ],
)
def test_the_error_is_found_in_a_log(log, said, tmp_path):
    assert said in cell_error.reason(log, tmp_path / "none")


def test_the_services_word_counts_where_no_cell_has_failed(tmp_path):
    """A traceback that the notebook only printed is not why it was stopped."""
    printed = "Traceback (most recent call last):\n  x\nValueError: caught\n"
    assert cell_error.reason(printed, tmp_path / "none", "It took too long.") == "It took too long."
    for vague in ("A cell failed.", "Notebook failed", "Process exited with code 1", "PapermillExecutionError: "):
        assert cell_error.reason(printed, tmp_path / "none", vague) == "ValueError: caught"
        assert cell_error.reason("", tmp_path / "none", vague).startswith(vague.strip())
    assert "its memory was full" in cell_error.reason("", tmp_path / "none", "DeadKernelError: Kernel died")


@pytest.mark.parametrize("text", ["", "[]", '{"cells": 1}', '{"cells": [{"outputs": [1]}]}', "[" * 100_000])
def test_a_notebook_that_tells_nothing_is_passed_over(text, tmp_path):
    (tmp_path / "n.ipynb").write_text(text)
    assert cell_error.reason(PAPERMILL, tmp_path / "n.ipynb").startswith("ModuleNotFoundError")


def test_an_error_of_many_lines_is_told_on_one(tmp_path):
    outputs = [{"output_type": "stream"}, {"output_type": "error", "ename": "E", "evalue": "\x1b[2Ja\nb " + "x" * 9999}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": [{"source": ""}, {"outputs": outputs}]}))
    said = cell_error.reason(PAPERMILL, tmp_path / "n.ipynb")
    assert said.startswith("E: \\x1b[2Ja b xxx") and len(said) < 600


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_here", "ModuleNotFoundError: No module named 'nothing_here'"),
        ("import os; os._exit(9)", "Kernel died (usually because its memory was full)"),
        ("raise type('Weird', (BaseException,), {})('no ink')", "Weird: no ink"),
    ],
    ids=["import", "dead kernel", "odd name"],
)
def test_a_notebook_that_dies_early_is_told_by_its_own_error(emulator, service, kernel, code, said):
    """Also where the service gives no log, and lists the notebook late."""
    one = push.push(service, trips.submission_of(kernel(code)))
    emulator.wait(trips.SLUG)
    emulator.faults.add(fault="empty_log", times=None)
    emulator.faults.add(fault="unlisted", times=3)
    with pytest.raises(RunError) as caught:
        watch.watch(service, one, sleep=lambda seconds: None)
    first = str(caught.value).partition("\n")[0]
    assert first == f"the run {one.run_id} ({one.title}) failed: {journal.get(one.run_id).message}" and said in first
