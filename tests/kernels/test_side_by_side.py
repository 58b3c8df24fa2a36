"""README's table of what goes wrong: it has every fault, and what matters most in it is measured anew."""

from importlib import metadata

import pytest
import side_by_side
from side_by_side_faults import FAULTS, NOT_MEASURED

from local import paths
from local.kernels.emulator.faults import KINDS

NAMED = {fault.named: fault for fault in FAULTS}
TOLD = side_by_side.written(paths.CHECKOUT / "README.md")
MEASURED_ANEW = (
    "push: no room for another run",
    "output: a download is cut short once, over an old good file",
    "output: `../evil` is among the files",
)


def test_every_kind_of_fault_is_measured_and_told():
    met = {rule["fault"] for fault in FAULTS for rule in fault.rules}
    assert met | NOT_MEASURED == set(KINDS) and not met & NOT_MEASURED
    assert list(TOLD) == [side_by_side.HEAD, *NAMED]


@pytest.mark.parametrize("named", MEASURED_ANEW)
@pytest.mark.parametrize("client", side_by_side.CLIENTS)
def test_the_table_tells_what_is_measured(client, named):
    if client == "kaggle" and metadata.version("kaggle") not in TOLD[side_by_side.HEAD].kaggle:
        pytest.skip("the table was measured with another release of the kaggle command")
    measured = side_by_side.measured(NAMED[named], side_by_side.CLIENTS[client])
    assert measured == getattr(TOLD[named], client)
