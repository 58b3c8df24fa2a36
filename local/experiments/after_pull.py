"""What a model that has come home is worth: exported, evaluated, quantized, and held against what its run said."""

from dataclasses import dataclass
from pathlib import Path

from local.core.events import Message
from local.evaluation import evaluate
from local.export import export
from local.export.quantize import Quantized, quantize
from local.models import registry
from shared.core import manifest
from shared.core.errors import DataError, ModelError
from shared.core.events import Report, silent
from shared.core.manifest import TrainingManifest
from shared.data.datasets import DataSet, load
from shared.training.results import read_history

# Another processor rounds otherwise and may flip an image or two of 10,000; more is another network.
TOLERANCE = 0.001


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A model's manifest; its evaluation here, and its int8 file, which `quantized.kept` says whether it was kept.

    The last two are None where the data set is not on this machine, with the reason.
    """

    manifest: TrainingManifest
    seconds_training: float
    here: evaluate.Evaluation | None
    quantized: Quantized | None = None
    why_not: str = ""


def receive(folder: Path, *, report: Report = silent) -> Arrival:
    """Exports the weights to model.onnx, evaluates it on the test images of its data set, and quantizes it to int8.

    What is exported is not exported again. Raises ModelError where the accuracy here is not the one of the run; an
    int8 file that loses too much is only reported.
    """
    stated = manifest.verify(folder)
    report(Message("exporting to model.onnx …"))
    seconds = sum(row["seconds"] for row in read_history(folder / "history.csv"))
    try:
        data = load(stated.dataset)
    except DataError as error:
        export.ensure(folder, ["onnx"])
        why_not = str(error).partition("\n")[0]
        return Arrival(manifest=manifest.read(folder), seconds_training=seconds, here=None, why_not=why_not)
    export.ensure(folder, ["onnx"], images=data.test_images[: export.CHECKED_IMAGES])
    report(Message(f"evaluating here, on {len(data.test_images):,} test images of {data.name} …"))
    here = _evaluated(folder, stated, data)
    report(Message("quantizing to model.int8.onnx …"))
    (quantized,) = quantize(folder, ["onnx"], dataset=data)
    return Arrival(manifest=manifest.read(folder), seconds_training=seconds, here=here, quantized=quantized)


def _evaluated(folder: Path, stated: TrainingManifest, data: DataSet) -> evaluate.Evaluation:
    """The evaluation of model.onnx, once it is known to be what the run said."""
    here = evaluate.evaluate(registry.find(str(folder)), data)
    there = stated.test_accuracy
    if abs(here.scores.accuracy - there) > TOLERANCE:
        raise ModelError(
            f"{folder} reads {here.scores.accuracy:.2%} of {data.name} here, and its run said {there:.2%}: "
            "these are not its weights, or not its data.\n"
            f"Pull it again (k2l pull --again {stated.run_id}), or look at the data (k2l data)."
        )
    return here
