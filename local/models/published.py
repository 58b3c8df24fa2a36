"""The published networks: `models/<name>/` of the checkout, committed, each vouched for by its manifest.

    for stated in published():                 # their manifests, in the order of the table
        figures(stated).test_accuracy          # mean over seeds, as README states it

What others state of the same networks is written down here, with their words and what is to be said about them.
`local.zoo.build` makes the folders, `local.zoo.cards` and `local.zoo.pages` write about them. Standard library only.
"""

import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from local.core import workspace
from local.core.markdown import count
from shared.core import manifest
from shared.core.errors import one_of
from shared.core.manifest import TrainingManifest

PUBLISHED = "published"  # the key that only the manifests of the zoo have
DEFAULT = "camera"  # what `predict` and `camera` take where none is named: it knows what is no digit
LARGEST = 12_000_000  # bytes of a file that is committed
FEWEST_SEEDS = 5  # that a published mean is of
WEIGHTS = ("model.pth", "model.keras", "model.onnx", "model.int8.onnx", "model.int8.tflite")
FLOAT, INT8, LITERT = WEIGHTS[2:]
PAPERS = ("history.csv", "metrics.json")
CARD = "README.md"  # beside the manifest that it is written from, and so not vouched for by it

Manifest = TrainingManifest


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A network of the zoo: what others state of it, where, and what is to be said.

    `keras`: with Keras weights. `also`: data sets that it is scored on besides its own.
    """

    reference: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    keras: bool = False
    also: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """What is published of its folder, the manifest and the card apart."""
        return tuple(name for name in WEIGHTS if self.keras or name != "model.keras") + PAPERS


TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "kmnist": "KMNIST"}

_DEEPER = "The README that claims it shows this table of layers. But its code has more layers: its log prints {} "
_DEEPER += "parameters, the table has {}. The network here is that of the table."

ZOO: dict[str, Entry] = {
    "compact": Entry(reference="97 to 98 %", source="public READMEs", keras=True),
    "baseline": Entry(reference="98 to 99 %, 30 to 60 minutes on a CPU", source="public READMEs", keras=True),
    "simple": Entry(reference="98.8 to 99.2 %", source="public READMEs"),
    "improved": Entry(reference="99.2 to 99.5 %", source="public READMEs"),
    "ds_cnn_v1": Entry(reference="97.49 %", source="a public README"),
    "ds_cnn_v2": Entry(
        reference="“99.27 % with 4,070 parameters”",
        source="the same README",
        notes=(
            _DEEPER.format("6,590", "4,070"),
            "With the recipe `plain`, the layers of the table give 95.4 %. A value behind the second pool sees only 10 "
            "of 28 pixels each way. The mean over the picture then removes where it was. This limits what it can "
            "learn.",
            "`lite` reaches the claimed figure with no more than the claimed parameters.",
        ),
    ),
    "ds_cnn_v3": Entry(
        reference="“99.25 %”",
        source="the same README",
        notes=(_DEEPER.format("4,538", "6,526"),),
    ),
    "lite": Entry(
        reference="99.27 % with 4,070 parameters, as claimed for ds_cnn_v2",
        source="the same README",
        notes=("Ours: deep and narrow. The table of the claim is shallow and wide.",),
        keras=True,
    ),
    "sprint": Entry(
        reference="99.04 % in 0.76 s on a laptop's GPU",
        source="tuomaso/train_mnist_fast",
        notes=("Made for fast training: one epoch. It sees only the middle 24x24 pixels.",),
    ),
    "best": Entry(
        reference="99.70 to 99.74 % (last epoch, mean over runs)",
        source="An et al. 2020, by their own logs, and ttdoucet/mnist",
        notes=("Made for few mistakes; the time of its training was less important.",),
    ),
    "camera": Entry(
        notes=(
            "`k2l predict`, `k2l camera` and `k2l web` use it if you name no other model.",
            "Its data set is made of MNIST's images by `shared/data/camera_dataset.py`: as a camera sees them, with "
            "digits in other handwriting, and with an eleventh class: no digit.",
        ),
        also=("mnist",),
    ),
}  # fmt: skip


def names() -> list[str]:
    """All that may be published, in the order of the table: every network has a place, also where nothing is said."""
    from shared.networks.architectures import ARCHITECTURES  # here: `predict` starts without it

    return list(dict.fromkeys([*ZOO, *ARCHITECTURES]))


def has_place(name: str) -> bool:
    """Whether a network of that name may be published."""
    return name in ZOO or name in names()


def entry(name: str) -> Entry:
    """The entry of that name; ConfigError with all there are for another."""
    return ZOO.get(one_of("network of the zoo", name, names()), Entry())


def published() -> list[Manifest]:
    """The manifests of what is published, in the order of the table; ModelError for a broken one."""
    folders = [workspace.zoo() / name for name in names() if (workspace.zoo() / name / manifest.NAME).is_file()]
    return [stated for stated in map(manifest.read, folders) if stated.published]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a manifest of the zoo says, counted together: shares are fractions of 1, differences are in points.

    `standard_deviation` is that of the seeds' test accuracies, `standard_error` that of their mean. `seconds` and
    `cpu_seconds` are medians over seeds. `int8_points` and `p50_us` are by file; `p50_us` is empty until measured.
    """

    name: str
    architecture: str
    dataset: str
    trainable_parameters: int
    epochs: int
    seeds: int
    test_images: int
    test_accuracy: float
    standard_deviation: float
    standard_error: float
    seconds: float
    cpu_seconds: float
    trained_on: str
    bytes: dict[str, int]
    int8_points: dict[str, float]
    p50_us: dict[str, float]
    timed_on: str
    reference: str

    @property
    def title(self) -> str:
        """The data set's own name."""
        return TITLES.get(self.dataset, self.dataset)


def figures(stated: Manifest) -> Figures:
    """The figures of a published network."""
    known, rows = stated.published, stated.seeds
    accuracies = [row["test_accuracy"] for row in rows]
    deviation = statistics.stdev(accuracies)
    whole = known["test_accuracy"][FLOAT]
    bench = stated.bench or {"p50_us": {}, "processor": ""}
    return Figures(
        name=stated.name,
        architecture=stated.architecture,
        dataset=stated.dataset,
        trainable_parameters=stated.trainable_parameters,
        epochs=stated.parameters["epochs"],
        seeds=len(rows),
        test_images=known["test_images"],
        test_accuracy=statistics.fmean(accuracies),
        standard_deviation=deviation,
        standard_error=deviation / len(rows) ** 0.5,
        seconds=statistics.median(row["seconds"] for row in rows),
        cpu_seconds=statistics.median(row["cpu_seconds"] for row in rows),
        trained_on=_device(stated),
        bytes={name: file.bytes for name, file in stated.files.items() if name in WEIGHTS} | known["left_out"],
        int8_points={name: round(100 * (known["test_accuracy"][name] - whole), 3) for name in (INT8, LITERT)},
        p50_us=bench["p50_us"],
        timed_on=bench["processor"],
        reference=entry(stated.name).reference,
    )


def _device(stated: Manifest) -> str:
    """The accelerator, and what processor a CPU is, where that was written down."""
    accelerator, processor = stated.environment["accelerator"], stated.processor
    threads = re.fullmatch(r"CPU, (\d+) threads?", accelerator)
    return f"{count(int(threads[1]), 'thread')} of an {processor}" if threads and processor else str(accelerator)


def each(manifests: Iterable[Manifest]) -> dict[str, Figures]:
    """{name: figures} of some."""
    return {one.name: one for one in map(figures, manifests)}
