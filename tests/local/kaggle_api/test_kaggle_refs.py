"""Where the public data sets are on Kaggle is said in `shared.data.registry`, and nowhere else otherwise."""

import tomllib
from types import SimpleNamespace

import numpy as np
import pytest

from local.core import workspace
from local.emulator.sessions import mounts
from shared.data import datasets, mnist_layouts
from shared.data.registry import DATASETS


@pytest.mark.parametrize("path", sorted(workspace.kernels().glob("*/kernel.toml")), ids=lambda path: path.parent.name)
def test_a_kernel_attaches_the_data_sets_that_shared_data_names(path):
    attached = tomllib.loads(path.read_text(encoding="utf-8"))["data_sources"]
    refs = {name: DATASETS[DATASETS[name].source].kaggle_ref for name in attached}
    assert attached == {name: [ref] if ref else [] for name, ref in refs.items()}
    assert set(attached) <= set(DATASETS)


@pytest.mark.parametrize("name", [one.name for one in DATASETS.values() if one.kaggle_ref])
def test_the_emulator_mounts_each_of_them_so_that_it_is_found(name, tmp_path, monkeypatch):
    arrays = {field: np.zeros((3, 28, 28) if "images" in field else 3, np.int64) for field in mounts.PARTS}
    monkeypatch.setattr(datasets, "load", lambda *args, **more: SimpleNamespace(**arrays))
    ref = DATASETS[name].kaggle_ref
    known = mounts.Mounts(tmp_path / "state")
    assert known.knows(ref)
    assert known.mount(ref, tmp_path / "input") is None
    found = datasets.locate(name, data_dir=tmp_path / "input" / "datasets" / ref)
    assert found is not None
    assert len(mnist_layouts.read(found.files)[0]) == 3
