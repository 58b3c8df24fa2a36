import pytest

from local.core.outputs import gathered


def test_files_appear_together_over_those_of_the_same_name(tmp_path):
    out = tmp_path / "a" / "b"
    out.mkdir(parents=True)
    (out / "one.txt").write_text("old")
    (out / "mine.txt").write_text("mine")
    with gathered(out) as stage:
        (stage / "one.txt").write_text("new")
        (stage / "sub").mkdir()
        (stage / "sub" / "two.txt").write_text("two")
        assert (out / "one.txt").read_text() == "old"
    texts = {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()}
    assert texts == {"one.txt": "new", "mine.txt": "mine", "sub/two.txt": "two"}
    assert sorted(path.name for path in out.iterdir()) == ["mine.txt", "one.txt", "sub"]


def test_nothing_is_left_of_what_failed(tmp_path):
    with pytest.raises(RuntimeError), gathered(tmp_path) as stage:
        (stage / "half.txt").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
