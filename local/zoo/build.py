"""Makes the zoo's folders: of a trained model only what is published, its files scored and timed.

    publish("compact")                   # a folder under models/, or a path; leaves models/compact/ of the checkout
    measure()                            # p50 of every published file, side by side, into the manifests

The files are copied, none is made here: `k2l train --seeds`, `k2l export` and `k2l quantize` do that before.
"""

import dataclasses
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from local.core import workspace
from local.core.hardware import processor
from local.evaluation import benchmark
from local.evaluation.evaluate import evaluate_all
from local.experiments.after_pull import TOLERANCE
from local.models import published, registry
from local.models.install import install
from local.zoo import cards
from shared.core import manifest
from shared.core.errors import ModelError
from shared.core.events import Report, silent
from shared.core.files import full_disk_error
from shared.core.manifest import TrainingManifest
from shared.data import datasets

MEASURED = (published.FLOAT, published.INT8, published.LITERT)
SECONDS = 30.0


def publish(name: str, *, data_dir: Path | None = None, report: Report = silent) -> TrainingManifest:
    """Publishes a model folder; what was published under its name before is kept in the checkout's `.k2l/replaced`.

    The test images are run through the ONNX file and the int8 ones, and their accuracies written down. Raises
    ConfigError for a model that has no place in the zoo, ModelError for one that is not ready: seeds or files
    missing, files that are not those of the manifest, an accuracy that is not the training's.
    """
    source = registry.folder(name)
    stated = manifest.verify(source)
    wanted = published.entry(stated.name).files
    _check_ready(source, stated, wanted)
    small = [one for one in wanted if stated.files[one].bytes <= published.LARGEST]
    figures = {
        **_scores(source, stated, data_dir, report),
        "also": _also(source, published.entry(stated.name).also, data_dir),
        "left_out": {one: stated.files[one].bytes for one in wanted if one not in small},
        "at": manifest.now(),
    }
    state = workspace.zoo().parent / ".k2l"  # the checkout's, wherever K2L_HOME is
    stage = state / published.PUBLISHED / stated.name
    shutil.rmtree(stage, ignore_errors=True)  # of a copy that was killed
    stage.mkdir(parents=True)
    with full_disk_error(stage):
        for one in small:
            shutil.copyfile(source / one, stage / one)
    written = manifest.write(stage, dataclasses.replace(stated, published=figures))
    at = workspace.zoo() / stated.name
    install(stage, stated.name, at=at, aside=state / "replaced" / stated.name)
    return written


def _check_ready(source: Path, stated: TrainingManifest, wanted: tuple[str, ...]) -> None:
    """ModelError, with the command, for a training that was ended, too few seeds, and files that are not there."""
    commands = cards.commands(stated)
    if stated.interrupted or len(stated.seeds) < published.FEWEST_SEEDS:
        raise ModelError(
            f"{source} lacks {published.FEWEST_SEEDS} seeds trained to the end: it has no mean to publish.\n"
            f"Train them: {commands[0]}"
        )
    missing = [one for one in wanted if one not in stated.files]
    if missing:
        raise ModelError(f"{source} lacks {', '.join(missing)}. Make them: {'; '.join(commands[1:-1])}")


def _scores(source: Path, stated: TrainingManifest, data_dir: Path | None, report: Report) -> dict[str, Any]:
    """How many test images there are, and the share that each file reads right."""
    images = datasets.load(stated.dataset, data_dir=data_dir, halves=["test"])
    found = evaluate_all([(registry.find(str(source / one)), images) for one in MEASURED], report=report)
    accuracies = {one: result.scores.accuracy for one, result in zip(MEASURED, found, strict=True)}
    trained = stated.test_accuracy
    if abs(accuracies[published.FLOAT] - trained) > TOLERANCE:
        raise ModelError(
            f"{source / published.FLOAT} reads {accuracies[published.FLOAT]:.2%} of {images.name} here, and its "
            f"training said {trained:.2%}: these are not its weights, or not its data. Export it again (k2l export)."
        )
    return {"test_images": len(images.test_labels), "test_accuracy": accuracies}


def _also(source: Path, names: tuple[str, ...], data_dir: Path | None) -> dict[str, dict[str, float]]:
    """The shares of other data sets' test images that the ONNX file reads right, and takes for none of them."""
    model = registry.find(str(source / published.FLOAT))
    images = [datasets.load(name, data_dir=data_dir, halves=["test"]) for name in names]
    found = evaluate_all([(model, one) for one in images])
    return {
        result.data.name: {"accuracy": result.scores.accuracy, "rejected": result.rejected or 0.0} for result in found
    }


def measure(*, seconds: float = SECONDS, threads: int = 1, report: Report = silent) -> list[TrainingManifest]:
    """Times every published file at one image a call, all in turns in one process; returns the manifests.

    The medians are written into the manifests with the processor's name. Raises ModelError where nothing is published.
    """
    folders = [workspace.zoo() / stated.name for stated in published.published()]
    if not folders:
        raise ModelError(f"{workspace.zoo()} holds nothing that was published: k2l report --publish MODEL")
    wanted = [registry.find(str(folder / one)) for folder in folders for one in MEASURED if (folder / one).exists()]
    rows = benchmark.bench(wanted, batches=(1,), threads=threads, cold_start=False, seconds=seconds, report=report)
    surroundings = {
        "processor": processor(),
        "threads": threads,
        "versions": {one: version(one) for one in ("onnxruntime", "ai-edge-litert")},
    }
    done = []
    for folder in folders:
        times = {Path(row.file).name: round(row.p50_us, 2) for row in rows if Path(row.file).parent == folder}
        bench = {**surroundings, "p50_us": times, "at": manifest.now()}
        done.append(manifest.save(folder, dataclasses.replace(manifest.read(folder), bench=bench)))
    return done
