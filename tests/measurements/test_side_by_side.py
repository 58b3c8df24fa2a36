"""The table of what goes wrong: it has every fault, and what matters most in it is measured anew."""

import re
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from local.core import workspace
from local.emulator.faults import KINDS
from tests.documents import PAGES
from tests.measurements import side_by_side
from tests.measurements.side_by_side_faults import FAULTS, NOT_MEASURED

NAMED = {fault.named: fault for fault in FAULTS}
PAGE = workspace.CHECKOUT / "docs/faults-and-measurements.md"
TOLD = side_by_side.written(PAGE)
MEASURED_WITH = side_by_side.measured_with(PAGE)
MEASURED_ANEW = (
    "push: no room for another run",
    "output: a download is cut short once, over an old good file",
    "output: `../evil` is among the files",
)


def test_every_kind_of_fault_is_measured_and_told():
    met = {rule["fault"] for fault in FAULTS for rule in fault.rules}
    assert met | NOT_MEASURED == set(KINDS) and not met & NOT_MEASURED
    assert list(TOLD) == [side_by_side.HEAD, *NAMED]


def test_the_table_was_measured_with_the_release_that_is_installed():
    here = metadata.version("kaggle")
    assert here == MEASURED_WITH, (
        f"the table has kaggle {MEASURED_WITH}, and {here} is installed: pip install kaggle=={MEASURED_WITH}, "
        f"or measure again (ten minutes) with: {side_by_side.COMMAND}"
    )


def test_what_is_installed_with_k2l_is_the_release_that_was_measured():
    """Not a newer one of which nobody knows what it does: the next minor release is measured before it is let in."""
    lines = (workspace.CHECKOUT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (wanted,) = [Requirement(line.partition("#")[0]) for line in lines if re.match(r"kaggle\b", line)]
    tested = (workspace.CHECKOUT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert f"kaggle=={MEASURED_WITH}" in tested
    major, minor, _ = MEASURED_WITH.split(".")
    assert wanted.specifier.contains(MEASURED_WITH)
    assert not wanted.specifier.contains(f"{major}.{int(minor) + 1}.0")


def test_the_pages_name_that_release_alone_and_count_what_the_table_says():
    named = {one for text in PAGES.values() for one in re.findall(r"`kaggle` (\d+\.\d+\.\d+)", text)}
    assert named == {MEASURED_WITH}
    rows = [row for fault, row in TOLD.items() if fault != side_by_side.HEAD]
    counts = {
        column: {word: sum(getattr(row, column).startswith(word) for row in rows) for word in ("wrong file", "hangs")}
        for column in side_by_side.CLIENTS
    }
    numbers = ("none", "one", "two", "three", "four", "five", "six", "seven")
    wrong, hangs = (numbers[counts["kaggle"][word]] for word in ("wrong file", "hangs"))
    said = f"`kaggle` leaves a wrong file on the disk with {wrong} of them and hangs with {hangs}, `k2l` with none"
    assert said in " ".join(PAGES["docs/faults-and-measurements.md"].split()) and set(counts["k2l"].values()) == {0}


@pytest.mark.parametrize("named", MEASURED_ANEW)
@pytest.mark.parametrize("client", side_by_side.CLIENTS)
def test_the_table_tells_what_is_measured(client, named):
    measured = side_by_side.measured(NAMED[named], side_by_side.CLIENTS[client])
    assert measured == getattr(TOLD[named], client)
