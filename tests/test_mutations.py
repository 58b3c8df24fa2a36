"""The list of changes that a test must notice fits the code; `python tests/mutations.py` tries them."""

from tests import mutations


def test_every_change_can_be_made_and_has_its_test():
    assert [trouble for one in mutations.listed() if (trouble := one.stale())] == []


def test_a_change_that_does_nothing_and_one_that_cannot_be_made_are_told(monkeypatch, tmp_path, capsys):
    listed = tmp_path / "list.toml"
    listed.write_text(
        '[gone]\nfile = "README.md"\nold = "no such text"\nnew = ""\ntest = "tests/test_mutations.py::test_gone"\n'
        '[twice]\nfile = "README.md"\nold = "k2l"\nnew = ""\ntest = "tests/test_mutations.py::test_gone"\n'
        '[untested]\nfile = "README.md"\nold = "## Install"\nnew = ""\ntest = "tests/test_mutations.py::test_gone"\n'
    )
    monkeypatch.setattr(mutations, "LIST", listed)
    assert mutations.main([]) == 1
    told = capsys.readouterr().err.splitlines()
    assert "gone: the old text occurs 0 times in README.md" in told[0] and "twice: " in told[1]
    assert told[2] == "untested: there is no test tests/test_mutations.py::test_gone"
    assert mutations.main(["unheard-of"]) == 2
