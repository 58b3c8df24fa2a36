import shutil
import subprocess
import sys

import pytest

from local.evaluation import evaluate
from local.experiments.after_pull import receive
from local.export import export
from local.models import registry
from shared.core import manifest
from shared.core.errors import ModelError
from shared.training.results import write_history
from tests.heard import Heard
from tests.local.model_folders import write_manifest


@pytest.fixture
def folder(small_model, tmp_path, digits):
    """A model folder as it comes home: nothing exported, its accuracy as its run said."""
    folder = shutil.copytree(small_model, tmp_path / "m")
    accuracy = evaluate.evaluate(registry.find(str(folder)), digits).scores.accuracy
    (folder / "model.onnx").unlink()
    write_history(folder / "history.csv", [{"epoch": 1, "seconds": 1.5}, {"epoch": 2, "seconds": 2.5}])
    write_manifest(folder, "lite", metrics={"validation": {}, "test": {"accuracy": accuracy}})
    return folder


def test_a_model_that_came_home_is_exported_evaluated_and_quantized(folder):
    heard = Heard()
    told = receive(folder, report=heard)
    assert [text.split()[0] for text in heard.all("text")] == ["exporting", "evaluating", "quantizing"]
    assert told.seconds_training == 4.0 and told.why_not == ""
    assert told.here.scores.accuracy == told.manifest.metrics["test"]["accuracy"]
    assert told.quantized.file.name == "model.int8.onnx" and told.quantized.base.name == "model.onnx"
    # An untrained network guesses: int8 may guess worse, which is told and no error.
    assert ("model.int8.onnx" in told.manifest.files) == told.quantized.kept
    assert told.manifest == manifest.verify(folder)
    exported = (folder / "model.onnx").stat()
    again = receive(folder)
    assert (folder / "model.onnx").stat() == exported and again.quantized.right == told.quantized.right


def test_an_export_that_was_killed_is_made_again(folder, monkeypatch):
    def kill(folder, names):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(manifest, "add_files", kill)
        export.export(folder, ["onnx"])
    assert receive(folder).manifest == manifest.verify(folder) and "model.onnx" in manifest.read(folder).files


def test_another_accuracy_than_the_runs_is_an_error(folder):
    write_manifest(folder, "lite", metrics={"validation": {}, "test": {"accuracy": 0.99}})
    with pytest.raises(ModelError, match=r"its run said 99\.00%"):
        receive(folder)


def test_without_the_data_set_there_is_still_an_export_and_the_reason(folder, home, monkeypatch):
    monkeypatch.delenv("K2L_DATA", raising=False)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")  # nothing is downloaded
    write_manifest(folder, "lite", dataset="kmnist")
    told = receive(folder)
    assert told.here is None and told.quantized is None and "kmnist was not found" in told.why_not
    assert "model.onnx" in manifest.verify(folder).files


@pytest.mark.slow
def test_torch_weights_are_received_without_tensorflow(folder):
    code = (
        "import sys; from pathlib import Path; from local.experiments.after_pull import receive; "
        "receive(Path(sys.argv[1])); assert not {'tensorflow', 'keras'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
