"""What an evaluation leaves behind for people to look at: pictures, logits, answers, figures.

    keep(results, Path("build/evaluate"))

    <model>-<file>/   confusion.png  misclassified.png  logits.npy  predictions.npy  labels.npy  metrics.json
    committee/        the same, of a committee
    <data set>-accuracies.png, <data set>-confusions.png     where several models saw the same images

Every file appears whole or not at all.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from local.core.outputs import gathered
from local.evaluation import comparison_plots
from local.evaluation.evaluate import Answers
from shared.core.manifest import write_json
from shared.training import plots
from shared.training.results import save_array


def keep(results: Sequence[Answers], folder: Path) -> list[Path]:
    """Writes a folder for each evaluation, and the comparisons, below `folder`; returns their folders in order."""
    names = list(_names(results))
    with gathered(folder) as stage:
        for name, result in zip(names, results, strict=True):
            _write(result, stage / name)
        for dataset in dict.fromkeys(result.data.name for result in results):
            _write_comparison([result for result in results if result.data.name == dataset], stage)
    return [folder / name for name in names]


def _names(results: Sequence[Answers]) -> Iterator[str]:
    """A folder for each; the file's suffix stays in it, model.onnx and model.pth being two. A second gets a number."""
    seen: Counter[str] = Counter()
    for result in results:
        name = result.label.replace("/", "-")
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"


def _write(result: Answers, folder: Path) -> None:
    folder.mkdir()
    labels, logits, scores, classes = result.labels, result.logits, result.scores, result.data.classes
    save_array(folder / "logits.npy", logits)
    save_array(folder / "predictions.npy", logits.argmax(1).astype(np.int64))
    save_array(folder / "labels.npy", labels)
    write_json(folder / "metrics.json", result.row() | scores.as_dict())
    plots.save(plots.confusion(scores.confusion, classes), folder / "confusion.png")
    wrong = plots.misclassified(result.images, labels, logits, classes)
    plots.save(wrong, folder / "misclassified.png")


def _write_comparison(results: Sequence[Answers], folder: Path) -> None:
    if len(results) < 2:
        return
    first, dataset = results[0], results[0].data
    points = [
        comparison_plots.Point(label=one.label, accuracy=one.scores.accuracy, error=one.standard_error)
        for one in results
    ]
    title = f"Accuracy on {len(first.labels):,} {first.split} images of {dataset.name} (%)"
    plots.save(comparison_plots.accuracies(points, title=title), folder / f"{dataset.name}-accuracies.png")
    matrices = [(one.label, np.asarray(one.scores.confusion)) for one in results]
    plots.save(comparison_plots.confusions(matrices, dataset.classes), folder / f"{dataset.name}-confusions.png")
