"""Model folders as a training leaves them, but untrained: what the tests of this folder make for themselves."""

import torch

from shared.core import manifest
from shared.networks.architectures import architecture, count_parameters
from shared.networks.build_torch import build_torch


def write_weights(path, name, seed=0, spec=None, classes=0):
    """An untrained network whose batch norms have seen something, so that every layer shows in the logits."""
    torch.manual_seed(seed)
    network = architecture(name, spec, classes)
    module = build_torch(network)
    module.train()
    with torch.no_grad():
        for _ in range(3):
            module(torch.rand(32, *network.input.shape))
    torch.save(module.state_dict(), path)


def write_folder(folder, name, framework="torch", spec=None, **changed):
    """A model folder with an untrained network of either framework, and its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = len(changed.get("classes", ()))
    write_weights(folder / "model.pth", name, spec=spec, classes=classes)
    if framework == "keras":
        from local.export import convert_weights

        weights = torch.load(folder / "model.pth")
        convert_weights.to_keras(weights, architecture(name, spec, classes)).save(folder / "model.keras")
        (folder / "model.pth").unlink()
    write_manifest(folder, name, framework=framework, input=spec, **changed)
    return folder


def write_manifest(folder, name, **changed):
    """A manifest as a training leaves it."""
    facts = {
        "run_id": "r1",
        "name": folder.name,
        "framework": "torch",
        "architecture": name,
        "trainable_parameters": count_parameters(architecture(name)),
        "dataset": "digits",
        "parameters": {},
        "bundle_sha256": "",
        "source_commit": "",
        "environment": {},
        "metrics": {"validation": {}, "test": {"accuracy": 0.5}},
    }
    return manifest.write(folder, manifest.TrainingManifest(**facts | changed))
