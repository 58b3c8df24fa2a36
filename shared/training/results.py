"""What a training leaves behind, the same from a notebook on Kaggle and from `k2l train` here.

    figures = draw(history=…, data=…, logits=…)            # name -> matplotlib Figure, shown inline in the notebook
    write(folder, …)                                      # everything but the weights, the manifest last

Framework-free: a torch or Keras training hands in its history and its test logits.
"""

import csv
import io
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.core import files, manifest
from shared.core.manifest import TrainingManifest
from shared.data.datasets import DataSet
from shared.training import plots
from shared.training.config import TrainConfig
from shared.training.loop import Trained, network_for
from shared.training.metrics import Scores

PACKAGES = {"torch": ("torch",), "keras": ("keras", "tensorflow")}  # what a framework's version consists of
SCALARS = ("accuracy", "precision_macro", "recall_macro", "f1_macro", "loss", "ece")


def environment(framework: str, accelerator: str) -> dict[str, str]:
    """The versions and the device a training ran with; `framework` is torch or keras."""
    packages = {name: version(name) for name in (*PACKAGES[framework], "numpy")}
    return {"python": platform.python_version(), **packages, "accelerator": accelerator}


def draw(*, history: list[dict[str, Any]], data: DataSet, logits: NDArray[np.float32], test: Scores) -> dict[str, Any]:
    """The pictures of a training: curves, confusion, samples, misclassified. `logits` are of the test set."""
    images, labels = data.test_images, data.test_labels
    return {
        "curves": plots.curves(history),
        "confusion": plots.confusion(test.confusion, data.classes),
        "samples": plots.samples(images[:32], labels[:32], logits[:32].argmax(1), data.classes),
        "misclassified": plots.misclassified(images, labels, logits, data.classes),
    }


def write(
    folder: Path,
    *,
    config: TrainConfig,
    identity: dict[str, str],
    framework: str,
    environment: dict[str, str],
    trained: Trained,
    test: Scores,
    logits: NDArray[np.float32],
    data: DataSet,
    figures: dict[str, Any],
) -> TrainingManifest:
    """Writes metrics.json, history.csv, predictions.npy, labels.npy and the pictures beside the weights that are
    already in `folder`, hashes all of it, and writes manifest.json last. Returns the manifest.

    `identity` holds name, run_id, bundle_sha256 and source_commit; `logits` float32 [n, classes] are of the test set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scores = {"validation": trained.validation.as_dict(), "test": test.as_dict()}
    manifest.write_json(folder / "metrics.json", scores)
    write_history(folder / "history.csv", trained.history)
    save_array(folder / "predictions.npy", logits.argmax(1).astype(np.int64))
    save_array(folder / "labels.npy", data.test_labels)
    for name, figure in figures.items():
        plots.save(figure, folder / f"{name}.png")
    made = TrainingManifest(
        run_id=identity["run_id"],
        name=identity["name"],
        bundle_sha256=identity["bundle_sha256"],
        source_commit=identity["source_commit"],
        framework=framework,
        architecture=config.architecture,
        trainable_parameters=network_for(config, data).parameters,
        dataset=data.name,
        input=data.input,
        classes=data.classes,
        parameters=config.as_dict(),
        environment=environment,
        training={"seconds": trained.seconds, "cpu_seconds": trained.cpu_seconds},
        metrics={part: {key: values[key] for key in SCALARS} for part, values in scores.items()},
        interrupted=trained.interrupted,
    )
    return manifest.write(folder, made)


def epoch_line(row: dict[str, Any], epochs: int) -> str:
    """An epoch in a line of a narrow terminal: the training loss; loss and accuracy on the validation images."""
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  loss {row['train_loss']:.4f}  "
        f"validation {row['validation_loss']:.4f}, {row['validation_accuracy']:.2%}  {row['seconds']:.1f} s"
    )


def write_history(path: Path, history: list[dict[str, Any]]) -> None:
    """One line an epoch, columns as the training loop names them."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(history[0]))
    writer.writeheader()
    writer.writerows(history)
    files.write(path, text.getvalue().encode())


def save_array(path: Path, array: NDArray[Any]) -> None:
    """An `.npy` file. To a file, numpy would hide that the disk is full."""
    content = io.BytesIO()
    np.save(content, array)
    files.write(path, content.getvalue())


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of a history.csv."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
