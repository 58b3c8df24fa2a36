"""A zoo of its own for a test: a checkout with its pages, and a model folder that is ready to be published."""

import dataclasses
import shutil

from local.models import published
from local.zoo import pages
from shared.training.config import TrainConfig
from tests.local.model_folders import write_manifest

ACCURACIES = [0.990, 0.992, 0.991, 0.993, 0.989]


def write_checkout(folder):
    """An empty models/ beside pages and a .gitignore with places for what is written there; returns models/."""
    folder.mkdir()
    (folder / "docs").mkdir()
    for name, places in {"README.md": pages.SHORT, "docs/zoo.md": (*pages.ZOO, *pages.NETWORKS)}.items():
        (folder / name).write_text("\n".join(["# before\n", *places, "\nafter\n"]), encoding="utf-8")
    (folder / ".gitignore").write_text("\n".join(["/models/*/", *pages.KEPT, "/build/\n"]), encoding="utf-8")
    (folder / "models").mkdir()
    return folder / "models"


def write_ready(small_model, folder, **changed):
    """`small_model` as five seeds of `lite`, exported and quantized (in name only), at `folder`."""
    shutil.copytree(small_model, folder)
    (folder / "model.pth").unlink()
    for name in {*published.entry("lite").files, "model.pt2"} - {published.FLOAT}:
        (folder / name).write_bytes(name.encode())
    rows = [
        {
            "seed": seed, "validation_loss": 0.1, "validation_accuracy": 0.99, "test_accuracy": accuracy,
            "seconds": 20.0 + seed, "cpu_seconds": 40.0 + seed,
        }
        for seed, accuracy in enumerate(ACCURACIES)
    ]  # fmt: skip
    facts = {
        "name": "lite",
        "parameters": TrainConfig.create(architecture="lite", dataset="digits", epochs=7).as_dict(),
        "environment": {"accelerator": "CPU, 2 threads"},
        "metrics": {"validation": {}, "test": {"accuracy": ACCURACIES[0]}},
        "processor": "Z80",
        "seeds": rows,
    }
    write_manifest_of("lite", folder, **facts | changed)
    return folder


def write_manifest_of(architecture, folder, **facts):
    """As `write_manifest`, where `name` is among the facts."""
    from shared.core import manifest

    return manifest.save(folder, dataclasses.replace(write_manifest(folder, architecture), **facts))
