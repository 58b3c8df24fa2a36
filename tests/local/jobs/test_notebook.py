"""The notebook of a framework is put together of what all say and what it alone says; what does not fit is named."""

import re

import pytest

from local.core import workspace
from local.jobs import notebook
from shared.core.errors import KernelError
from shared.training.config import PARAMETERS, TrainConfig

COMMON = '''"""About the file."""

# %% [markdown]
# # A lesson

# %% tags=["parameters"]

# %% device tags=["framework"]

# %% tags=["shared"]
x = 1

# %% training tags=["framework"]
'''
OWN = '''"""About this file."""

# %% device [markdown]
# It has a device.

# %%
device = "mine"

# %% training
train()
'''


@pytest.fixture
def read(tmp_path, monkeypatch):
    """`read(common, own)`: the cells made of these two texts."""
    monkeypatch.setattr(workspace, "kernels", lambda: tmp_path)
    (tmp_path / "mine").mkdir()

    def read(common=COMMON, own=OWN):
        (tmp_path / "notebook.py").write_text(common)
        (tmp_path / "mine" / "cells.py").write_text(own)
        return notebook.read("mine", {"seed": 3, "epochs": 2})

    return read


def test_a_frameworks_cells_stand_in_the_places_of_their_names(read):
    assert [(cell["cell_type"], cell["source"]) for cell in read() if "parameters" not in str(cell["metadata"])] == [
        ("markdown", "# A lesson"), ("markdown", "It has a device."), ("code", 'device = "mine"'), ("code", "x = 1"),
        ("code", "train()"),
    ]  # fmt: skip


def test_the_cell_of_parameters_says_what_each_is(read):
    (cell,) = (cell["source"] for cell in read() if "parameters" in str(cell["metadata"]))
    assert cell.splitlines()[0] == f"seed = 3  # {PARAMETERS['seed'].about}"
    assert cell.splitlines()[1].startswith("epochs = 2  # how often")


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_cell_of_parameters_is_no_wider_than_a_screen(framework):
    values = {"name": "n" * 64, **TrainConfig.create(dataset="fashion-mnist").as_dict()}
    (cell,) = (cell for cell in notebook.read(framework, values) if "parameters" in str(cell["metadata"]))
    lines = cell["source"].splitlines()
    assert len(lines) >= len(values) and max(map(len, lines)) <= 120
    found = {}
    exec(cell["source"], {}, found)
    assert found == values


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "common",
            '# %% device tags=["framework"]\n',
            "",
            r"cells\.py, cell 1: place 'device' does not exist.*training",
        ),
        ("own", "# %% training\ntrain()\n", "", r"cells\.py has no cells for .*notebook\.py, cell 5.*`# %% training`"),
        ("own", "# %% training", "# %% trainin", r"cells\.py has no cells for"),
        (
            "own",
            "train()\n",
            "train()\n# %% extra\n1\n",
            r"cells\.py, cell 4: place 'extra' does not exist; there are: device, t",
        ),
        ("own", "# %% training", "# %% device", r"cells\.py, cell 3: there are cells named 'device' before"),
        ("own", "# %% device [markdown]", "# %% [markdown]", r"cells\.py, cell 1: it has no name"),
        (
            "own",
            "# %% training",
            '# %% training tags=["framework"]',
            r"cells\.py, cell 3: tag 'framework' does not exist",
        ),
        ("common", "# %% training", "# %% device", r"notebook\.py, cell 5: a place 'device' is there already"),
        ("common", '"shared"', '"sharde"', r"notebook\.py, cell 4: tag 'sharde' does not exist; did you mean 'shared'"),
        ("common", '"shared"', '"parameters"', r"notebook\.py must have one cell tagged 'parameters'; it has 2"),
        ("common", ' tags=["parameters"]', "", r"notebook\.py must have one cell tagged 'parameters'; it has 0"),
        ("common", ' tags=["shared"]', "", r"notebook\.py must have one cell tagged 'shared'; it has 0"),
        (
            "common",
            '# %% device tags=["framework"]\n',
            '# %% device tags=["framework"]\ny = 2\n',
            r"cell 3: a place is empty",
        ),
        ("common", "x = 1", "for in", r"notebook\.py, cell 4 does not compile"),
        ("own", "train()", "for in", r"cells\.py, cell 3 does not compile: invalid syntax \(its line 1\)"),
    ],
)
def test_what_does_not_fit_is_named_with_its_file_and_cell(read, file, old, new, said):
    texts = {"common": COMMON, "own": OWN}
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new)
    with pytest.raises(KernelError, match=said):
        read(**texts)


def test_a_file_that_is_missing_is_named(read, tmp_path):
    read()
    (tmp_path / "mine" / "cells.py").unlink()
    with pytest.raises(KernelError, match=re.escape(f"{tmp_path / 'mine' / 'cells.py'} cannot be read")):
        notebook.read("mine", {})
