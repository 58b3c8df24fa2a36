"""Where the public data sets are on Kaggle is said in `shared.data`, and nowhere else otherwise."""

import tomllib
from types import SimpleNamespace

import numpy as np
import pytest

from local import paths
from local.kernels.emulator import mounts
from shared import data


@pytest.mark.parametrize("path", sorted(paths.kernels().glob("*/kernel.toml")), ids=lambda path: path.parent.name)
def test_a_kernel_attaches_the_data_sets_that_shared_data_names(path):
    attached = tomllib.loads(path.read_text(encoding="utf-8"))["data_sources"]
    refs = {name: data.KAGGLE_REFS.get(data.MADE_OF.get(name, name)) for name in attached}
    assert attached == {name: [ref] if ref else [] for name, ref in refs.items()}
    assert set(attached) <= set(data.NAMES)


@pytest.mark.parametrize("name", data.KAGGLE_REFS)
def test_the_emulator_mounts_each_of_them_so_that_it_is_found(name, tmp_path, monkeypatch):
    arrays = {field: np.zeros((3, 28, 28) if "images" in field else 3, np.int64) for field in mounts.PARTS}
    monkeypatch.setattr(data, "load", lambda *args, **more: SimpleNamespace(**arrays))
    ref = data.KAGGLE_REFS[name]
    known = mounts.Mounts(tmp_path / "state")
    assert known.knows(ref)
    assert known.mount(ref, tmp_path / "input") is None
    found = data.locate(name, data_dir=tmp_path / "input" / "datasets" / ref)
    assert found is not None
    assert len(data.read(found.files)[0]) == 3
