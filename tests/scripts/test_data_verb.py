import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from scripts.data import data
from shared.core.errors import DataError, UserError
from shared.data.camera_dataset import count
from shared.data.idx import write_idx

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture
def verb(tmp_path, monkeypatch):
    """Runs the verb on a machine with a small mnist and nothing else."""
    folder = tmp_path / "home" / "data" / "mnist"
    folder.mkdir(parents=True)
    for name, n in zip(IDX, (40, 40, 20, 20), strict=True):
        shape = (n, 28, 28) if "images" in name else (n,)
        write_idx(folder / name, (np.arange(np.prod(shape)) % 10).astype(np.uint8).reshape(shape))
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("K2L_DATA", raising=False)
    monkeypatch.setattr("shared.data.download.download", lambda *_, **__: "could not be downloaded (no network)")
    app = typer.Typer()
    app.command()(data)
    return lambda *arguments: CliRunner().invoke(app, arguments, catch_exceptions=True)


def test_one_data_set_is_described_in_numbers(verb, tmp_path):
    result = verb("mnist", "--json")
    assert result.exit_code == 0
    row = json.loads(result.stdout)
    assert (row["name"], row["train"], row["validation"], row["test"], row["shape"]) == ("mnist", 36, 4, 20, [28, 28])
    assert row["train_per_class"] == [4] * 10 and str(tmp_path) in row["source"]


def test_one_data_set_is_described_for_people(verb):
    result = verb("mnist")
    assert "36 train, 4 validation, 20 test" in result.stdout and "class" in result.stdout


def test_without_a_name_every_data_set_is_listed_found_or_not(verb):
    rows = {row["name"]: row for row in map(json.loads, verb("--json").stdout.splitlines())}
    assert list(rows) == ["mnist", "fashion-mnist", "kmnist", "digits", "camera"]
    assert rows["mnist"]["source"] and rows["digits"]["train"] == 1293
    assert rows["kmnist"]["source"] is None and "not found" in rows["kmnist"]["error"]
    assert rows["camera"]["source"] is None and "k2l data camera" in rows["camera"]["error"]  # a list makes none
    listed = verb().stdout
    assert "k2l data kmnist fetches it" in listed and "k2l data camera makes it" in listed


def test_that_camera_is_made_is_said_before_and_on_the_way(verb, tmp_path, stranger, k2l):
    code, out, err = k2l("data", "camera", "--json", "--data-dir", str(tmp_path / "home" / "data" / "mnist"))
    assert code == 0 and json.loads(out)["name"] == "camera"
    told = err.splitlines()
    total = f"{sum(map(count, (36, 4, 20))):,}"
    assert told[0] == f"NOTE: making the data set camera from mnist, once: {total} images" and len(told) == 4
    assert told[1].startswith(f"NOTE: {count(4)} made in ") and "; the others take about " in told[1]
    assert told[3].startswith(f"NOTE: {total} made in ") and "others" not in told[3]
    assert k2l("data", "camera", "--json", "--data-dir", str(tmp_path / "home" / "data" / "mnist"))[2] == ""


def test_camera_is_made_when_it_is_named(verb):
    made = verb("camera", "--json")
    assert made.exit_code == 0, made.exception
    row = json.loads(made.stdout)
    assert (row["name"], row["train"], row["validation"]) == ("camera", count(36), count(4))
    assert len(row["classes"]) == 11
    assert json.loads(verb("--json").stdout.splitlines()[-1])["test"] == count(20)


def test_what_cannot_be_had_is_an_error_the_user_can_mend(verb):
    result = verb("kmnist")
    assert isinstance(result.exception, DataError) and "no network" in str(result.exception)
    assert isinstance(verb("nonsense").exception, UserError)
    assert isinstance(verb("--download").exception, DataError)


def test_auto_says_loudly_that_digits_take_mnists_place(verb, tmp_path):
    for path in (tmp_path / "home" / "data" / "mnist").iterdir():
        path.unlink()
    result = verb("auto", "--json")
    assert json.loads(result.stdout)["name"] == "digits"
    assert result.stderr.startswith("NOTE: mnist was not found")
