"""The journal: found again, one command at a time, and a damaged file named."""

import dataclasses

import pytest

from local.kernels import runs
from local.kernels.runs import Run
from shared.errors import KernelError

pytestmark = pytest.mark.usefixtures("home")


def test_two_commands_for_one_model_do_not_race(home):
    with runs.lock("mine"), pytest.raises(KernelError, match="another command of k2l"):
        runs.lock("mine")
    with runs.lock("mine"):
        pass


def test_runs_are_found_by_the_beginning_of_their_id():
    with pytest.raises(KernelError, match="there is no run '2'"):
        runs.get("2")
    one = Run(
        run_id="20260101-1", remote="kaggle", owner="me", slug="k2l-mine", name="mine", framework="torch",
        dataset="digits", bundle_sha256="b", source_commit="", parameters={},
    )  # fmt: skip
    runs.intend(one, "{}")
    runs.intend(dataclasses.replace(one, run_id="20260101-2"), "{}")
    assert runs.get("20260101-1").notebook.read_text() == "{}"
    with pytest.raises(KernelError, match="2 runs begin with '2026'"):
        runs.get("2026")
    with pytest.raises(KernelError, match="no run is complete"):
        runs.latest("complete")
    assert (
        runs.unfinished(remote="kaggle", owner="me", slug="k2l-mine", name="mine", bundle_sha256="b").run_id[-1] == "2"
    )
    assert runs.unfinished(remote="emulator", owner="me", slug="k2l-mine", name="mine", bundle_sha256="b") is None


def test_a_damaged_journal_names_its_file(home):
    (runs.folder() / "x").mkdir(parents=True)
    (runs.folder() / "x" / "run.json").write_text('{"run_id": ')
    with pytest.raises(KernelError, match=r"x/run\.json is damaged"):
        runs.every()
