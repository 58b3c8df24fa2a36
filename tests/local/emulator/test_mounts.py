"""What lies under a session's `../input`: copies, laid out as on Kaggle, of what is on this machine."""

import os

import pytest


def test_a_data_set_is_mounted_where_kaggle_mounts_it_and_stays_as_it_was(emulator):
    folder = emulator.state / "datasets" / "somebody" / "some-data"
    folder.mkdir(parents=True)
    ours = folder / "a.csv"
    ours.write_text("1,2\n")
    ours.chmod(0o644)
    code = (
        "import os, stat\n"
        "path = '../input/datasets/somebody/some-data/a.csv'\n"
        "print(open(path).read(), end='')\n"
        "assert stat.S_IMODE(os.stat(path).st_mode) == 0o444\n"
        "os.chmod(path, 0o644)\n"
        "open(path, 'r+').write('3')"
    )
    emulator.push("with-data", code, datasetDataSources=["somebody/some-data"])
    assert emulator.wait("with-data") == "COMPLETE", emulator.said("with-data", "stderr")
    assert emulator.said("with-data") == "1,2\n"
    assert ours.read_text() == "1,2\n"
    assert ours.stat().st_mode & 0o777 == 0o644
    assert not (emulator.version("with-data").folder / "kaggle" / "input").exists()


@pytest.mark.usefixtures("plain_sessions")
def test_outputs_of_another_kernel_can_be_an_input(emulator):
    emulator.finished("first-one", {"weights.bin": b"w"})
    source = f"{emulator.username}/first-one"
    code = f"print(open('../input/notebooks/{source}/weights.bin').read())"
    answer = emulator.push("second-one", code, kernelDataSources=[source, "nobody/nothing"]).json()
    assert answer["invalidKernelSources"] == ["nobody/nothing"]
    assert emulator.wait("second-one") == "COMPLETE"
    assert emulator.said("second-one") == "w\n"


@pytest.mark.usefixtures("plain_sessions")
def test_known_data_that_is_not_here_is_mounted_empty_and_said(emulator, monkeypatch):
    from shared.core.errors import DataError
    from shared.data import datasets

    def missing(*args, **more):
        raise DataError("there is no mnist here")

    monkeypatch.setattr(datasets, "load", missing)
    code = "import os\nprint(os.listdir('../input/datasets/hojjatk/mnist-dataset'))"
    answer = emulator.push("without-data", code, datasetDataSources=["hojjatk/mnist-dataset"]).json()
    assert "invalidDatasetSources" not in answer
    assert emulator.wait("without-data") == "COMPLETE"
    assert emulator.said("without-data") == "[]\n"
    assert "there is no mnist here" in emulator.said("without-data", "stderr")


@pytest.mark.usefixtures("plain_sessions")
def test_the_public_mnist_has_kaggles_layout(emulator):
    if "K2L_DATA" not in os.environ:
        pytest.skip("K2L_DATA names no folder with MNIST")
    code = (
        "from pathlib import Path\n"
        "root = Path('../input/datasets/hojjatk/mnist-dataset')\n"
        "print({p.relative_to(root).as_posix(): p.stat().st_size for p in root.rglob('*') if p.is_file()})"
    )
    emulator.push("with-mnist", code, datasetDataSources=["hojjatk/mnist-dataset"])
    assert emulator.wait("with-mnist") == "COMPLETE"
    sizes = eval(emulator.said("with-mnist"))
    assert sizes["train-images.idx3-ubyte"] == 47040016
    assert sizes["t10k-labels-idx1-ubyte/t10k-labels-idx1-ubyte"] == 10008
    assert len(sizes) == 8
