"""What tests of publishing need: a model folder with a file of each framework, and what an emulator has of it.

folder = published.model(tmp_path / "k2l" / "models" / "mine")
published.versions(emulator)          {"pyTorch": 1, …}
"""

from local.kaggle_api.models_api import ENUMS
from shared.core import manifest

FACTS = {
    "schema": 1, "run_id": "r1", "name": "mine", "framework": "torch", "architecture": "compact",
    "trainable_parameters": 206_922, "dataset": "mnist", "parameters": {}, "bundle_sha256": "b", "source_commit": "",
    "environment": {}, "metrics": {"test": {"accuracy": 0.99}}, "created_at": "2026-01-01T00:00:00+00:00",
}  # fmt: skip
FILES = {
    "model.pth": b"torch" * 40_000,
    "model.onnx": b"onnx" * 100,
    "model.int8.onnx": b"int8",
    "model.int8.tflite": b"",
    "history.csv": b"epoch,loss\n",
    "plots/curve.png": b"png",
}
FRAMEWORKS = ("pyTorch", "onnx", "tfLite")
SLUG = "k2l-mine"


def model(folder, files=FILES, **changes):
    """A model folder of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    found = {"files": manifest.describe(folder, files)}
    manifest.save(folder, manifest.TrainingManifest(**FACTS | found | changes))
    return folder


def versions(emulator, slug=SLUG):
    """How many versions of each framework the emulator has."""
    there = emulator.service.models.model(emulator.username, slug)
    names = {enum: framework for framework, enum in ENUMS.items()}
    return {names[one.framework]: len(one.versions()) for one in there.instances()} if there else {}


def files(emulator, framework, slug=SLUG):
    """The bytes of the latest version's files."""
    there = emulator.service.models.model(emulator.username, slug).instance(ENUMS[framework], "default")
    return {name: path.read_bytes() for name, path in there.versions()[-1].files().items()}
