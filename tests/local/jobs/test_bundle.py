"""The bundle: readable, deterministic, small, compiled, and the proof of what was sent."""

import json
import subprocess
import sys
import time

import nbformat
import pytest

from local.core import workspace
from local.jobs import bundle
from local.kaggle_api import kernel_spec
from local.models import registry
from shared.core.errors import ConfigError, KernelError
from shared.training.config import TrainConfig

PARAMETERS = {"name": "n", **TrainConfig.create(dataset="digits").as_dict()}


@pytest.fixture(scope="module", params=["torch", "keras"])
def framework(request):
    return request.param


@pytest.fixture(scope="module")
def packed(framework):
    return bundle.build(kernel_spec.load(framework), PARAMETERS)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel of one's own: `kernel(notebook_text)` gives its spec."""
    monkeypatch.setattr(workspace, "kernels", lambda: tmp_path)
    (tmp_path / "mine").mkdir()
    toml = 'slug="k2l-mine"\ntitle="k2l mine"\naccelerator="none"\ntime_limit=60\n[data_sources]\n'
    (tmp_path / "mine" / "kernel.toml").write_text(toml)

    def write(text):
        (tmp_path / "mine" / "notebook.py").write_text(text)
        return kernel_spec.load("mine")

    return write


def cells(text, start):
    return [cell["source"] for cell in json.loads(text)["cells"] if cell["source"].startswith(start)]


def parameters_cell(notebook):
    (cell,) = (cell["source"] for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", []))
    return cell


def assigned(*sources):
    """The values that cells of parameters leave, run one after another."""
    values = {}
    for source in sources:
        exec(source, {}, values)
    return values


def test_the_same_inputs_give_the_same_bytes_in_every_process(packed, framework):
    code = (
        "from local.jobs import bundle; from local.kaggle_api import kernel_spec;"
        "from shared.training.config import TrainConfig;"
        "p = {'name': 'n', **TrainConfig.create(dataset='digits').as_dict()};"
        f"print(bundle.build(kernel_spec.load({framework!r}), p).sha256)"
    )
    shas = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=workspace.CHECKOUT, env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert shas == {packed.sha256}


def test_another_parameter_gives_another_hash(packed, framework):
    assert bundle.build(kernel_spec.load(framework), {**PARAMETERS, "seed": 1}).sha256 != packed.sha256


def test_another_source_gives_another_hash(kernel):
    text = '# %% tags=["parameters"]\nseed = 0\n# %% tags=["shared"]\nx = {}\n'
    one, other = (bundle.build(kernel(text.format(n)), {"seed": 3}).sha256 for n in (1, 2))
    assert one != other


def test_the_identity_does_not_change_the_hash_and_can_be_taken_out_again(packed):
    one, other = (packed.sign(run_id=run, source_commit=run) for run in ("a", "b"))
    assert one != other
    assert bundle.digest(one) == bundle.digest(other) == packed.sha256
    assert bundle.digest(one.replace("epochs = 40", "epochs = 41")) != packed.sha256
    assert f"bundle_sha256 = '{packed.sha256}'" in parameters_cell(json.loads(one))


def test_the_values_stand_in_the_parameters_cell_with_what_it_says_of_them(packed, framework):
    text = packed.sign(run_id="r", source_commit="c")
    cell = parameters_cell(json.loads(text))
    identity = {"run_id": "r", "bundle_sha256": packed.sha256, "source_commit": "c"}
    assert assigned(cell) == PARAMETERS | identity
    assert "seed = 0\n" in cell and "label_smoothing = 0.05  # how much of the target" in cell
    assert "injected-parameters" not in text


def test_papermill_changes_one_parameter_and_leaves_the_others(framework, tmp_path):
    """As `papermill out.ipynb … -p seed 3` does, without the training."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    given = PARAMETERS | {"architecture": "lite", "epochs": 1, "name": "ünï # \" '"}
    packed = bundle.build(kernel_spec.load(framework), given)
    text = packed.sign(run_id="r", source_commit="c")
    (tmp_path / "out.ipynb").write_text(text, encoding="utf-8")
    notebook = parameterize_notebook(load_notebook_node(str(tmp_path / "out.ipynb")), {"seed": 3})
    tags = ("parameters", "injected-parameters")
    sources = [cell.source for cell in notebook.cells if any(tag in cell.metadata.tags for tag in tags)]
    left = assigned(*sources)
    assert len(sources) == 2 and left["bundle_sha256"] == packed.sha256
    assert {name: left[name] for name in given} == given | {"seed": 3}
    with pytest.raises(KernelError, match=r"papermill has changed them.*\n.*k2l bundle"):
        bundle.digest(nbformat.writes(notebook))


def test_what_is_no_bundle_has_no_digest():
    for text in ("", "{}", '{"cells": []}', '{"cells": [1]}', "[]"):
        with pytest.raises(KernelError):
            bundle.digest(text)


def test_it_is_a_valid_notebook_that_kaggle_takes(packed):
    text = packed.sign(run_id="r", source_commit="c")
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python3"
    assert len(text.encode()) < 300_000
    assert all(isinstance(cell["source"], str) for cell in json.loads(text)["cells"])


def test_each_shared_file_is_a_cell_of_its_own_after_those_it_needs(packed, framework):
    files = [source.split("/shared/")[1].split("\n")[0] for source in cells(json.dumps(packed.notebook), "%%writefile")]
    assert files[0] == "__init__.py"
    assert files.index(f"networks/build_{framework}.py") < files.index(f"training/train_{framework}.py")
    assert files.index("core/errors.py") < files.index("networks/architectures.py") < files.index("training/config.py")
    other = {"torch": "keras", "keras": "torch"}[framework]
    assert not any(other in name for name in files)
    sources = cells(json.dumps(packed.notebook), "%%writefile")
    for name, source in zip(files, sources, strict=True):
        written = source.partition("\n")[2]
        assert written == (workspace.CHECKOUT / "shared" / name).read_text(encoding="utf-8")


def test_an_unknown_parameter_is_named_with_all_there_are():
    with pytest.raises(ConfigError, match=r"'sed' does not exist; did you mean 'seed'"):
        bundle.build(kernel_spec.load("torch"), {**PARAMETERS, "sed": 1})
    with pytest.raises(ConfigError, match="run_id"):
        bundle.build(kernel_spec.load("torch"), {**PARAMETERS, "run_id": "mine"})


def test_a_slip_of_the_pen_is_found_here(kernel):
    text = '# %% tags=["parameters"]\na = 1\n# %% tags=["shared"]\nx = 1\n# %%\nfor in\n'
    with pytest.raises(KernelError, match="does not compile"):
        bundle.build(kernel(text), {})


@pytest.mark.parametrize("tag", ["parameters", "shared"])
def test_a_notebook_without_its_marked_cells_is_refused(kernel, tag):
    other = {"parameters": "shared", "shared": "parameters"}[tag]
    with pytest.raises(KernelError, match=f"one cell tagged '{tag}'; it has 0"):
        bundle.build(kernel(f'# %% tags=["{other}"]\na = 1\n'), {})


def test_a_bundle_that_kaggle_would_refuse_for_its_size_stays_here(kernel):
    text = '# %% tags=["parameters"]\na = 1\n# %% tags=["shared"]\nx = 1\n# %%\nbig = "' + "x" * 900_000 + '"\n'
    with pytest.raises(KernelError, match="900,000"):
        bundle.build(kernel(text), {}).sign(run_id="r", source_commit="c")


def test_it_is_built_in_under_a_second():
    """Processor time, since the machine is shared; the first build above has paid for the imports."""
    start = time.process_time()
    bundle.pack(kernel_spec.load("torch"), name="n", config=TrainConfig.create())
    assert time.process_time() - start < 1


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "C:x", "x" * 65, "trailing.", "sp ace"])
def test_a_name_that_is_no_folder_name_is_refused(name):
    with pytest.raises(ConfigError, match="cannot be a folder"):
        registry.check_name(name)
