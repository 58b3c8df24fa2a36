"""What a model that has come home is worth: exported, evaluated here, and held against what its run said of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import convert, evaluate, models
from shared import manifest
from shared.data import load
from shared.errors import DataError, ModelError
from shared.results import read_history

# Another processor rounds otherwise and may flip an image or two of 10,000; more is another network.
TOLERANCE = 0.001


@dataclass(frozen=True, kw_only=True)
class Report:
    """A model's manifest, the evaluation here (None where the data is not on this machine, with the reason)."""

    manifest: dict[str, Any]
    seconds_training: float
    here: evaluate.Evaluation | None
    why_not: str = ""


def report(folder: Path) -> Report:
    """Exports the weights to model.onnx, vouches for it, and evaluates it on the test images of its data set.

    What was done before is not done again. Raises ModelError where the accuracy here is not the one of the run.
    """
    stated = manifest.verify(folder)
    if "model.onnx" not in stated["files"]:
        convert.export_onnx(folder / "model.pth", folder / "model.onnx", architecture=stated["architecture"])
        stated = manifest.add_files(folder, ["model.onnx"])
    seconds = sum(row["seconds"] for row in read_history(folder / "history.csv"))
    try:
        data = load(stated["dataset"])
    except DataError as error:
        return Report(manifest=stated, seconds_training=seconds, here=None, why_not=str(error).partition("\n")[0])
    here = evaluate.evaluate(models.find(str(folder)), data)
    there = stated["metrics"]["test"]["accuracy"]
    if abs(here.scores.accuracy - there) > TOLERANCE:
        raise ModelError(
            f"{folder} reads {here.scores.accuracy:.2%} of {data.name} here, and its run said {there:.2%}: "
            "these are not its weights, or not its data.\n"
            f"Pull it again (k2l pull --again {stated['run_id']}), or look at the data (k2l data)."
        )
    return Report(manifest=stated, seconds_training=seconds, here=here)
