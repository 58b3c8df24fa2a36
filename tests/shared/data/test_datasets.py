"""Where data sets are looked for, which is meant by a name, and how they are split."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from shared.core.errors import ConfigError, DataError
from shared.data import camera_dataset
from shared.data.datasets import choose, load, locate
from shared.data.registry import DATASETS
from shared.data.splits import split
from tests.shared.data.data_folders import DOTS, IDX, PARTS, holds_the_parts, write

REAL = os.environ.get("K2L_DATA")  # before a test hides it
pytestmark = pytest.mark.usefixtures("bare_machine")


# Where it looks


def test_places_are_searched_in_order(tmp_path, monkeypatch):
    places = {
        "--data-dir": tmp_path / "given",
        "$K2L_DATA": tmp_path / "variable",
        "data/": tmp_path / "home" / "data" / "mnist",
        "Kaggle input": tmp_path / "kaggle" / "input" / "datasets" / "hojjatk" / "mnist-dataset",
    }
    for folder in places.values():
        write(folder)
    (tmp_path / "kaggle" / "working").mkdir()
    monkeypatch.chdir(tmp_path / "kaggle" / "working")
    monkeypatch.setenv("K2L_DATA", str(places["$K2L_DATA"]))
    assert locate("mnist", data_dir=places["--data-dir"]).origin == "--data-dir"
    for origin in list(places)[1:]:
        found = locate("mnist")
        assert (found.origin, found.files.folder) == (origin, places[origin])
        for path in found.files.paths.values():
            path.unlink()
    assert locate("mnist") is None


@pytest.mark.parametrize(
    "mount",
    ["datasets/hojjatk/mnist-dataset", "mnist-dataset", "competitions/some-digits", "notebooks/me/fetch"],
)
def test_kaggle_mounts_new_and_old_are_found_from_the_working_folder(tmp_path, monkeypatch, mount):
    write(tmp_path / "kaggle" / "input" / mount, DOTS)
    (tmp_path / "kaggle" / "working").mkdir()
    monkeypatch.chdir(tmp_path / "kaggle" / "working")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    assert holds_the_parts(load("mnist"))


def test_new_mounts_come_before_old_ones(tmp_path, monkeypatch):
    for mount in ("a-mnist", "datasets/z/mnist"):
        write(tmp_path / "kaggle" / "input" / mount)
    (tmp_path / "kaggle" / "working").mkdir()
    monkeypatch.chdir(tmp_path / "kaggle" / "working")
    assert locate("mnist").files.folder == tmp_path / "kaggle" / "input" / "datasets" / "z" / "mnist"


def test_kaggles_own_place_is_searched_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.data.datasets.KAGGLE_INPUT", tmp_path / "mounted")
    write(tmp_path / "mounted" / "mnist-dataset")
    assert locate("mnist").files.folder == tmp_path / "mounted" / "mnist-dataset"


def test_a_folder_beside_any_other_working_folder_is_no_mount(tmp_path, monkeypatch):
    write(tmp_path / "somewhere" / "input" / "mnist")
    (tmp_path / "somewhere" / "else").mkdir()
    monkeypatch.chdir(tmp_path / "somewhere" / "else")
    assert locate("mnist") is None


def test_a_given_folder_without_the_data_set_is_an_error_that_says_what_was_looked_for(tmp_path):
    write(tmp_path / "home" / "data")  # which must not be taken instead
    (tmp_path / "in").mkdir()
    for folder in (tmp_path / "in", tmp_path / "missing"):
        with pytest.raises(DataError, match="train-images-idx3-ubyte") as caught:
            load("mnist", data_dir=folder)
        assert str(folder) in str(caught.value) and len(str(caught.value).splitlines()) == 2


def test_a_variable_that_names_a_folder_without_it_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_DATA", str(tmp_path))
    write(tmp_path / "home" / "data" / "mnist")
    assert locate("mnist").origin == "data/"


def test_a_variable_that_names_no_folder_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_DATA", str(tmp_path / "missing"))
    write(tmp_path / "home" / "data" / "mnist")
    for name in ("mnist", "auto"):
        with pytest.raises(DataError, match=r"K2L_DATA=.*missing is not a folder"):
            load(name)
    assert load("digits").name == "digits"


def test_the_three_sets_that_share_their_file_names_are_told_apart(tmp_path, monkeypatch):
    balanced = np.tile(np.arange(10), 6000).astype(np.uint8)
    fashion = np.concatenate([[9, 0, 0, 3, 0, 2, 7, 2, 5, 5], np.repeat(np.arange(10), 6000)])
    fashion = np.delete(fashion, [10 + 6000 * d for d in (9, 3, 7)]).astype(np.uint8)
    for digit, extra in ((0, 3), (2, 2), (5, 2)):  # the ten first labels again, less the three taken already
        fashion = np.delete(fashion, 10 + np.flatnonzero(fashion[10:] == digit)[:extra])
    images = np.zeros((60_000, 28, 28), np.uint8)
    write(tmp_path / "kmnist", parts=(images, balanced, *PARTS[2:]))
    write(tmp_path / "fashion", parts=(images, fashion, *PARTS[2:]))
    assert np.bincount(fashion).tolist() == [6000] * 10
    for folder, held, wanted in [
        ("kmnist", "kmnist", "mnist"),
        ("kmnist", "kmnist", "fashion-mnist"),
        ("fashion", "fashion-mnist", "mnist"),
        ("fashion", "fashion-mnist", "kmnist"),
    ]:
        with pytest.raises(DataError, match=f"has {held}, not {wanted}"):
            locate(wanted, data_dir=tmp_path / folder)
        monkeypatch.setenv("K2L_DATA", str(tmp_path / folder))
        assert locate(wanted) is None and locate(held) is not None


# Names


def test_an_unknown_name_is_told_which_there_are():
    with pytest.raises(ConfigError, match="there are: auto, mnist, fashion-mnist, kmnist, digits"):
        load("imagenet")


def test_auto_is_mnist_where_it_can_be_found(tmp_path):
    write(tmp_path / "home" / "data" / "mnist")
    assert choose("auto") == ("mnist", "")
    assert load("auto").name == "mnist"


def test_auto_is_digits_with_a_reason_where_it_can_not():
    name, reason = choose("auto")
    assert name == "digits"
    assert "mnist was not found" in reason and "no network" in reason and "digits" in reason
    assert choose("auto", download=False)[0] == "digits"


def test_auto_hides_no_damage_and_no_wrong_folder(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="holds no mnist"):
        choose("auto", data_dir=tmp_path)
    (write(tmp_path / "in") / IDX[1]).write_bytes(b"\xff\xd8 a picture")
    monkeypatch.setenv("K2L_DATA", str(tmp_path / "in"))
    with pytest.raises(DataError, match="damaged"):
        choose("auto")


def test_what_is_nowhere_is_told_where_it_looked_and_the_ways_out(tmp_path, monkeypatch):
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("K2L_DATA", str(tmp_path / "nothing"))
    with pytest.raises(DataError) as caught:
        load("fashion-mnist")
    what, mend = str(caught.value).splitlines()
    for expected in (str(tmp_path / "nothing"), str(tmp_path / "home"), "no network"):
        assert expected in what
    for way in ("k2l data fashion-mnist", "K2L_DATA", "t10k", "-labels-idx1-ubyte.gz", "--dataset digits"):
        assert way in mend
    assert choose("auto")[1].endswith(mend.replace("fashion-mnist", "mnist"))
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    with pytest.raises(DataError, match="Attach the data set zalando-research"):
        load("fashion-mnist")


def test_nothing_is_fetched_on_kaggle_or_against_the_wish(monkeypatch):
    def unwanted(*_, **__):
        raise AssertionError("it went to the network")

    monkeypatch.setattr("shared.data.download.download", unwanted)
    with pytest.raises(DataError, match="not allowed"):
        load("mnist", download=False)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    with pytest.raises(DataError, match="Kaggle does not download"):
        load("mnist")


def test_what_is_fetched_lands_in_the_data_folder_and_is_used(tmp_path, monkeypatch):
    def arrives(name, folder, **_):
        write(folder, [f"{file}.gz" for file in IDX])
        return ""

    monkeypatch.setattr("shared.data.download.download", arrives)
    assert holds_the_parts(load("mnist"))
    assert locate("mnist").files.folder == tmp_path / "home" / "data" / "mnist"


# Digits, and the split


def test_digits_look_like_mnist_and_need_no_file():
    digits = load("digits")
    assert digits.train_images.shape == (1437, 28, 28) and digits.test_images.shape == (360, 28, 28)
    assert digits.train_images.dtype == np.uint8 and digits.train_labels.dtype == np.int64
    assert digits.train_images.max() == 255 and 0.1 < digits.train_images.mean() / 255 < 0.2
    shares = np.bincount(digits.test_labels) / np.bincount(digits.train_labels)
    assert np.abs(shares - 360 / 1437).max() < 0.02
    ink = digits.train_images.astype(float)
    middle = np.tensordot(ink, np.arange(28) + 0.5, ([1], [0])).sum(1) / ink.sum((1, 2))
    assert np.abs(middle - 14).max() <= 0.51  # rows; to the pixel
    again = load("digits")
    assert np.array_equal(digits.test_images, again.test_images)


def test_the_split_is_fixed_disjoint_whole_and_balanced():
    labels = np.random.default_rng(1).integers(0, 10, 60_000)
    train, validation = split(labels, validation=5000)
    assert len(train) == 55_000 and len(validation) == 5000
    assert np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(60_000))
    assert np.abs(np.bincount(labels[validation]) - np.bincount(labels) / 12).max() < 1.01
    assert all(np.array_equal(a, b) for a, b in zip(split(labels, validation=5000), (train, validation), strict=True))
    assert not np.array_equal(split(labels, validation=5000, seed=1)[1], validation)


def test_the_split_never_changes_between_releases():
    """Figures chosen on one split must not be compared with figures from another."""
    assert split(np.arange(20) % 10, validation=5)[1].tolist() == [2, 4, 6, 10, 18]


def test_a_split_without_validation_or_without_training_images():
    assert [len(part) for part in split(np.zeros(7, int), validation=0)] == [7, 0]
    with pytest.raises(ConfigError, match="7 validation images"):
        split(np.zeros(7, int), validation=7)


def test_camera_is_made_of_mnist_once_and_its_parts_share_no_digit(tmp_path, monkeypatch):
    mnist = load("mnist", data_dir=write(tmp_path / "in"))
    camera = load("camera", data_dir=tmp_path / "in")
    inner, held_out = camera.split()
    first, last = mnist.split()
    assert camera.classes == (*"0123456789", "no digit") and "made of" in camera.source
    assert [len(inner), len(held_out)] == [camera_dataset.count(len(part)) for part in (first, last)]
    assert np.array_equal(camera.train_images[inner[: len(first)]], mnist.train_images[first])
    assert np.array_equal(camera.train_images[held_out[: len(last)]], mnist.train_images[last])
    assert np.array_equal(camera.test_labels[:20], mnist.test_labels)
    assert len(camera.test_labels) == camera_dataset.count(20)
    monkeypatch.setattr(camera_dataset, "photographed", None)
    again = load("camera", data_dir=tmp_path / "in")
    assert np.array_equal(again.train_images, camera.train_images) and again.held_out == camera.held_out
    assert np.array_equal(again.test_labels, camera.test_labels) and again.test_labels.max() == 10


def test_a_run_on_kaggle_leaves_no_copy_of_camera_among_its_outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    load("camera", data_dir=write(tmp_path / "in"))
    assert not (tmp_path / "home" / "data").exists()


def test_the_size_of_the_validation_part(tmp_path):
    assert [len(part) for part in load("digits").split()] == [1293, 144]
    assert [len(part) for part in load("mnist", data_dir=write(tmp_path / "in")).split()] == [36, 4]


def test_the_real_mnist_reads_whole_and_quickly():
    if not REAL:
        pytest.skip("K2L_DATA names no folder with the real MNIST")
    begun = time.process_time()
    found = load("mnist", data_dir=Path(REAL))
    assert time.process_time() - begun < 1
    assert np.bincount(found.train_labels).tolist() == list(DATASETS["mnist"].counts)
    assert np.bincount(found.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
