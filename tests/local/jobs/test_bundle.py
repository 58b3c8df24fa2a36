"""The bundle: readable, deterministic, small, compiled, and the proof of what was sent."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import nbformat
import pytest

from local.core import workspace
from local.jobs import bundle
from local.kaggle_api import kernel_spec
from local.models import registry
from shared.core.errors import ConfigError, KernelError
from shared.training.config import TrainConfig
from tests.local import trips

CONFIG = TrainConfig.create(dataset="digits")
PARAMETERS = {"name": "n", **CONFIG.as_dict()}


def pack(framework, *, name="n", **changes):
    return bundle.pack(kernel_spec.load(framework), name=name, config=replace(CONFIG, **changes))


@pytest.fixture(scope="module", params=["torch", "keras"])
def framework(request):
    return request.param


@pytest.fixture(scope="module")
def packed(framework):
    return pack(framework)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel of one's own: `kernel(notebook_text)` packs it."""
    write = trips.tiny_kernel(tmp_path, monkeypatch)
    return lambda text: bundle.pack(write(text), name="n", config=CONFIG)


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
        "config = TrainConfig.create(dataset='digits');"
        f"print(bundle.pack(kernel_spec.load({framework!r}), name='n', config=config).sha256)"
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
    assert pack(framework, seed=1).sha256 != packed.sha256


def test_another_source_gives_another_hash(kernel):
    assert kernel("x = 1").sha256 != kernel("x = 2").sha256


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
    assert (
        "seed = 0  # decides" in cell
        and "rotation = 8.0  # augmentation: turned by up to so much (0 to 180 degrees)" in cell
    )
    assert "injected-parameters" not in text


def test_papermill_changes_one_parameter_and_leaves_the_others(framework, tmp_path):
    """As `papermill out.ipynb … -p seed 3` does, without the training."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    given = PARAMETERS | {"architecture": "lite", "epochs": 1, "name": "ünï # \" '"}
    packed = pack(framework, name=given["name"], architecture="lite", epochs=1)
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
    assert len(text.encode()) < 320_000
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


def test_a_bundle_that_kaggle_would_refuse_for_its_size_stays_here(kernel):
    with pytest.raises(KernelError, match="900,000"):
        kernel('big = "' + "x" * 900_000 + '"').sign(run_id="r", source_commit="c")


def test_it_is_built_in_under_a_second():
    """Processor time, since the machine is shared; the first build above has paid for the imports."""
    start = time.process_time()
    bundle.pack(kernel_spec.load("torch"), name="n", config=TrainConfig.create())
    assert time.process_time() - start < 1


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "C:x", "x" * 65, "trailing.", "sp ace"])
def test_a_name_that_is_no_folder_name_is_refused(name):
    with pytest.raises(ConfigError, match="cannot be a folder"):
        registry.check_name(name)
