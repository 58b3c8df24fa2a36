"""`k2l report`, on a checkout of its own with nothing published yet."""

import pytest

from local.core import workspace
from local.zoo import pages


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(workspace, "zoo", lambda: tmp_path / "models")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "zoo.md").write_text("".join([*pages.ZOO, *pages.NETWORKS]), encoding="utf-8")
    (tmp_path / "README.md").write_text("".join(pages.SHORT), encoding="utf-8")
    (tmp_path / ".gitignore").write_text("".join(pages.KEPT), encoding="utf-8")
    return tmp_path


def test_it_checks_then_writes_and_is_then_up_to_date(k2l, checkout):
    code, out, err = k2l("report", "--check")
    assert (code, out) == (1, "") and "out of date" in err and "k2l report" in err and err.count("\n") == 1
    assert not (checkout / "models" / "README.md").exists()
    code, out, err = k2l("report", "--json")
    assert (code, out) == (0, "") and err.count("written: ") == 4
    code, _, err = k2l("report", "--check")
    assert code == 0 and "up to date" in err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("report --check --measure", "--check writes nothing"),
        ("report --publish ,", "--publish has no names"),
        ("report --publish nothing", "No model 'nothing'"),
        ("report --measure", "holds nothing that was published"),
    ],
)
def test_what_cannot_be_done_is_said(k2l, checkout, command, said):
    code, out, err = k2l(*command.split())
    assert (code, out) == (1, "") and said in err and "Traceback" not in err
