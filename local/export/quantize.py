"""Quantized files beside a model's own, each kept only if it reads as well: int8 in three runtimes, float16 in one.

    quantize(Path("models/compact-torch"), ["onnx", "tflite"])     # model.int8.onnx, model.int8.tflite

int8 is post-training and static: the range of each activation is found beforehand, by quantization calibration on
training images (Jacob et al. 2018). What a file loses is measured on the validation split; the test set is not
touched. How fast the files are is asked of `local.evaluation.benchmark`: int8 is smaller always, faster not always.
"""

import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.core.outputs import in_manifest
from local.evaluation.evaluate import run
from local.export import export, exporters
from local.export.export import Source
from local.model_files import memory_limit
from shared.core import manifest
from shared.core.errors import ConfigError, ModelError
from shared.core.events import Report, each, silent
from shared.data import datasets
from shared.data.preprocessing import to_float, to_nhwc
from shared.data.splits import split
from shared.frameworks.silence import silent_python

MAX_DROP = 0.2  # points of accuracy, of 100
IMAGES = 512  # for quantization calibration
BATCH = 64
_SPELT = {"litert": "LiteRT", "torch": "PyTorch"}

Images = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """A quantized file and the one it stands in for; `right` of `images` validation images were read by each.

    A file that was refused is not there: `bytes` is what it would have had.
    """

    format: str
    file: Path
    base: Path
    bytes: int
    base_bytes: int
    right: int
    base_right: int
    images: int
    max_drop: float
    seconds: float
    broken: str = ""  # why its own runtime cannot run it; nothing was read then

    @property
    def runtime(self) -> str:
        """What runs it, and the file it stands in for."""
        return METHODS[self.format].runtime

    @property
    def accuracy(self) -> float:
        """On the validation images, as a fraction of 1."""
        return self.right / self.images

    @property
    def drop(self) -> float:
        """What it reads less than the file it stands in for, in points; below 0 where it reads more."""
        return 100 * (self.base_right - self.right) / self.images

    @property
    def kept(self) -> bool:
        """Whether it reads well enough, and so took its place."""
        return not self.broken and self.drop <= self.max_drop

    @property
    def why(self) -> str:
        """The reason why it was refused, in a sentence; "" for one that was kept."""
        lost = f"loses {self.drop:.2f} points on {self.images:,} validation images, more than {self.max_drop:g}"
        stays = f" The {self.file.name} from before stays." if self.file.exists() else ""
        if self.broken:
            runtime = _SPELT.get(self.runtime, self.runtime)
            return f"left out: {self.file.name}: {runtime} cannot run it ({self.broken}).{stays}"
        return "" if self.kept else f"A new {self.file.name} was not kept: it {lost}.{stays}"

    def as_dict(self) -> dict[str, Any]:
        """What `k2l quantize --json` prints of it, less the model's name and the timing."""
        return {
            "file": str(self.file),
            "runtime": self.runtime,
            "base": str(self.base),
            "kept": self.kept,
            "bytes": self.bytes,
            "share": self.bytes / self.base_bytes,
            "validation_images": self.images,
            "validation_accuracy": None if self.broken else self.accuracy,
            "drop": None if self.broken else self.drop,
            "seconds": round(self.seconds, 3),
        }

    def base_as_dict(self) -> dict[str, Any]:
        """The same of the float file that it stands in for."""
        return self.as_dict() | {
            "file": str(self.base),
            "kept": True,
            "bytes": self.base_bytes,
            "share": 1.0,
            "validation_accuracy": self.base_right / self.images,
            "drop": 0.0,
            "seconds": 0.0,
        }


def quantize(
    folder: Path,
    names: Collection[str] | None = None,
    *,
    beside: Collection[str] = (),
    max_drop: float = MAX_DROP,
    images: int = IMAGES,
    data_dir: Path | None = None,
    dataset: datasets.DataSet | None = None,
    report: Report = silent,
) -> list[Quantized]:
    """Quantizes a model folder's network to each format, and vouches in the manifest for what it keeps.

    A file that loses more than `max_drop` points of validation accuracy against its float file in the same runtime, or
    that this cannot run, is refused: what was at its place stays. Float files that are missing are exported first, and
    those of the formats `beside`; training images check them. `dataset` is the one the model was trained on, loaded
    from `data_dir` if it is not given; `images` of its training images calibrate. Reports Progress. Raises ConfigError
    for a format that does not exist, DataError where the data set cannot be had.
    """
    if not 0 <= max_drop <= 100:  # also refuses NaN
        raise ConfigError(f"max_drop={max_drop} is out of range: give 0 to 100 (points of accuracy).")
    wanted = export.chosen(names, METHODS)
    source = export.open_source(folder)
    known = dataset or datasets.load(manifest.read(folder).dataset, data_dir=data_dir)
    samples, held_out, labels = _parts(known, images)
    bases = {METHODS[one].base for one in wanted}
    export.ensure(folder, {*bases, *beside}, images=known.train_images[: export.CHECKED_IMAGES])
    manifest.verify(folder, [f"model.{one}" for one in sorted(bases)])
    count = cache(partial(_count, source, held_out, labels))
    return [
        _quantize(source, one, samples, count, images=len(labels), max_drop=max_drop) for one in each(wanted, report)
    ]


def _parts(known: datasets.DataSet, images: int) -> tuple[Images, Images, NDArray[np.int64]]:
    """Training images to calibrate on, the classes in equal shares; the validation images and their labels."""
    inner, held_out = known.split()
    _, chosen = split(known.train_labels[inner], validation=min(images, len(inner) - 1))
    return known.train_images[inner[chosen]], known.train_images[held_out], known.train_labels[held_out]


def _quantize(
    source: Source, name: str, samples: Images, count: Callable[[Path], int], *, images: int, max_drop: float
) -> Quantized:
    """One format, written beside its place, judged, and moved there and in_manifest for, or left out."""
    start = time.perf_counter()
    method = METHODS[name]
    target, base = source.folder / method.file, source.folder / f"model.{method.base}"
    base_right = count(base)  # first: a file that no runtime takes is no file to be read by others
    with in_manifest(target) as part:
        method.write(source, samples, part)
        right, broken = _judged(count, part)
        made = Quantized(
            format=name,
            file=target,
            base=base,
            bytes=part.stat().st_size,
            base_bytes=base.stat().st_size,
            right=right,
            base_right=base_right,
            images=images,
            max_drop=max_drop,
            seconds=time.perf_counter() - start,
            broken=broken,
        )
        if not made.kept:
            part.unlink()
    return made


def _judged(count: Callable[[Path], int], part: Path) -> tuple[int, str]:
    """How many a quantized file reads right, and "", or 0 and why it cannot be run: the user's own file does run."""
    try:
        return count(part), ""
    except ModelError as error:
        why = str(error).removeprefix(f"{part} ").removeprefix("cannot be read: ")
        return 0, why.partition(". ")[0].rstrip(".")


def _count(source: Source, images: Images, labels: NDArray[np.int64], file: Path) -> int:
    """How many of the images a file reads right."""
    logits, _ = run(source.loaded(file), images, batch=256)
    return int((logits.argmax(1) == labels).sum())


def _batches(source: Source, images: Images) -> list[NDArray[np.float32]]:
    """float32 [n, c, h, w] as the network takes them, at most 64 a batch."""
    return [to_float(images[at : at + BATCH], source.network.input) for at in range(0, len(images), BATCH)]


def _write_onnx(source: Source, images: Images, path: Path) -> None:
    """int8 by onnxruntime: its graph with quantize and dequantize steps (QDQ), weights a channel, activations uint8.

    The ranges are the smallest and largest values seen; percentiles, entropy and symmetric ranges gained nothing on
    the validation images. The last layer stays in float: a hundredth more bytes, and logits that are a fifth to two
    fifths nearer to the float file's.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader:
        batches = iter(_batches(source, images))
        name = "images"

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(({self.name: batch} for batch in self.batches), None)

    whole = source.folder / "model.onnx"
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch, silent_python(), memory_limit.limited(whole):
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(whole, prepared)
        graph = onnx.load(prepared).graph
        Reader.name = graph.input[0].name
        quantization.quantize_static(
            prepared,
            path,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            nodes_to_exclude=[graph.node[-1].name],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )


def _write_tflite(source: Source, images: Images, path: Path) -> None:
    """int8 by TensorFlow's converter; it still takes and gives float32."""

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        spec = source.network.input
        for image in to_nhwc(to_float(images, spec), spec):
            yield [image[np.newaxis]]

    def configure(converter: Any) -> None:
        from shared.frameworks.start_keras import tensorflow

        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]

    exporters.write_tflite(source.model, path, configure)


def _write_float16(source: Source, images: Images, path: Path) -> None:
    """Weights in float16, for half the bytes: LiteRT widens them when it loads the file, and computes in float32."""

    def configure(converter: Any) -> None:
        from shared.frameworks.start_keras import tensorflow

        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tensorflow.float16]

    exporters.write_tflite(source.model, path, configure)


def _write_torch(source: Source, images: Images, path: Path) -> None:
    import torch

    from local.runtimes import torch_ao
    from shared.training.train_torch import as_bytes

    batches = (torch.from_numpy(batch) for batch in _batches(source, images))
    path.write_bytes(as_bytes(torch_ao.quantize(source.module, source.network, batches)))


@dataclass(frozen=True)
class Method:
    """How a quantized file is made, the format of the float file it stands in for, and what runs the two."""

    file: str
    base: str
    runtime: str
    write: Callable[[Source, Images, Path], None]


METHODS = {
    "onnx": Method("model.int8.onnx", "onnx", "onnxruntime", _write_onnx),
    "tflite": Method("model.int8.tflite", "tflite", "litert", _write_tflite),
    "float16": Method("model.float16.tflite", "tflite", "litert", _write_float16),
    "torch": Method("model.int8.pth", "pth", "torch", _write_torch),
}
