"""Where the public data sets are on Kaggle is said in `shared.data.registry`, and nowhere else otherwise."""

from types import SimpleNamespace

import numpy as np
import pytest

from local.emulator.sessions import mounts
from local.kaggle_api import kernel_spec
from shared.data import datasets, mnist_layouts
from shared.data.registry import DATASETS


@pytest.mark.parametrize("framework", ("torch", "keras"))
def test_a_kernel_attaches_the_data_sets_that_shared_data_names(framework):
    spec = kernel_spec.load(framework)
    refs = {name: DATASETS[info.source].kaggle_ref for name, info in DATASETS.items()}
    assert {name: spec.sources(name) for name in DATASETS} == {name: [ref] if ref else [] for name, ref in refs.items()}
    assert refs["camera"] == refs["mnist"] != "" and refs["digits"] == ""


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
