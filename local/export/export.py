"""A model's weights in other formats, each kept only if it says the same as its source.

    export(Path("models/compact-torch"), ["onnx", "tflite"])      # model.onnx, model.tflite, in the manifest

The source is what was trained: `model.pth` of PyTorch, `model.keras` of Keras; formats of the other framework are
reached through `local.export.convert_weights`. An export is written beside its place, run on 256 test images, and moved
there in one step if no logit is off by more than 1e-4. Quantized files are made by `local.export.quantize`.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from local.core.outputs import in_manifest
from local.export import exporters
from local.model_files import formats
from local.models import registry
from local.runtimes import loading
from shared.core import manifest
from shared.core.errors import ConfigError, DataError, ModelError, one_of
from shared.core.events import Report, each, silent
from shared.core.input_spec import InputSpec
from shared.data import datasets
from shared.data.preprocessing import to_float
from shared.networks import architectures
from shared.networks.architectures import Architecture

if TYPE_CHECKING:
    import keras
    from torch import nn

TOLERANCE = 1e-4  # the largest difference of any logit
CHECKED_IMAGES = 256

SOURCES = {"torch": "pth", "keras": "keras"}  # framework -> the format its training leaves


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file that was written; `difference` is the largest between its logits and those of its source."""

    file: Path
    difference: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """What `k2l export --json` prints of it, less the model's name."""
        return {
            "file": str(self.file),
            "bytes": self.file.stat().st_size,
            "difference": self.difference,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Source:
    """The weights that were trained, in either framework: each is loaded when it is first asked for."""

    folder: Path
    format: str
    network: Architecture

    @property
    def file(self) -> Path:
        """The trained weights."""
        return self.folder / f"model.{self.format}"

    @cached_property
    def module(self) -> "nn.Module":
        """The network in PyTorch, in evaluation mode."""
        from local.runtimes import torch_ao, torch_runtime

        if self.format == "pth":
            module = torch_runtime.build(self.file, self.network.name, self.network.input, self.network.classes)
            if torch_ao.is_int8(module.state_dict()):
                raise ModelError(f"{self.file} is in int8 already: exports start from the float weights.")
            return module
        from local.export import convert_weights
        from shared.networks.build_torch import build_torch

        module = build_torch(self.network)
        module.load_state_dict(convert_weights.to_torch(self.model, self.network))
        return module.eval()

    @cached_property
    def model(self) -> "keras.Model":
        """The network in Keras."""
        from local.export import convert_weights

        if self.format == "keras":
            from local.runtimes import keras_runtime

            model = keras_runtime.build(self.file, self.network.input)
            try:
                convert_weights.check(model, self.network)
            except ModelError as error:
                raise ModelError(f"{self.file} is not the {self.network.name} of its manifest: {error}") from None
            return model
        return convert_weights.to_keras(self.module.state_dict(), self.network)

    def runtime(self) -> loading.Runtime:
        """The weights as they were trained, ready to run."""
        return self.loaded(self.file)

    def loaded(self, file: Path) -> loading.Runtime:
        """A file made of it, ready to run."""
        network = self.network
        return loading.load(file, architecture=network.name, spec=network.input, classes=network.classes)


def open_source(folder: Path) -> Source:
    """The trained weights of a model folder, hashed; ModelError where it has none, or its manifest is amiss."""
    facts = manifest.read(folder)
    if facts.framework not in SOURCES:
        raise ModelError(f"{folder} was trained with {facts.framework!r}: exports start from {' or '.join(SOURCES)}.")
    try:
        spec, classes = registry.taken(facts)
        network = architectures.architecture(facts.architecture, spec, len(classes))
    except ConfigError as error:  # of another version of the code
        raise ModelError(f"{folder}: {error}") from None
    source = Source(folder, SOURCES[facts.framework], network)
    manifest.verify(folder, [source.file.name])
    return source


def export(
    folder: Path,
    names: Collection[str] | None = None,
    *,
    images: NDArray[np.uint8] | None = None,
    report: Report = silent,
) -> list[Export]:
    """Writes each format, `model.FORMAT`, into the model folder and vouches for it in the manifest.

    All formats but the source's own by default; what is there is replaced. They are compared on `images`,
    `check_images` by default. Reports Progress. Raises ConfigError for a format that does not exist,
    ModelError for an export that differs from its source: what was at its place then stays.
    """
    wanted = chosen(names, WRITERS)
    source = open_source(folder)
    if names is None:
        wanted.remove(source.format)
    elif source.format in wanted:
        raise ConfigError(f"{source.file} is what was trained: there is nothing to export it from.")
    images = check_images(manifest.read(folder).dataset, source.network.input) if images is None else images
    logits = source.runtime().logits(images)
    return [_export(source, one, images, logits) for one in each(wanted, report)]


def chosen(names: Collection[str] | None, known: Collection[str]) -> list[str]:
    """The formats asked for, each once, or all; ConfigError for none, and for one that does not exist."""
    if names is not None and not names:
        raise ConfigError(f"no format was asked for; there are: {', '.join(known)}.")
    return [one_of("format", one, known) for one in dict.fromkeys(known if names is None else names)]


def ensure(folder: Path, names: Collection[str], *, images: NDArray[np.uint8] | None = None) -> list[Export]:
    """Exports those formats that the manifest does not name yet; the trained one is always there."""
    present = manifest.read(folder).files
    absent = [one for one in WRITERS if one in names and f"model.{one}" not in present]
    return export(folder, absent, images=images) if absent else []


def check_images(dataset: str, spec: InputSpec) -> NDArray[np.uint8]:
    """256 images uint8 that the network takes: the first test images of its data set where that is on this machine.

    Else those of `digits`, or noise for a network that takes other pictures.
    """
    for name in (dataset, "digits"):
        try:
            data = datasets.load(name, download=False, halves=["test"])
        except (DataError, ConfigError):  # not here, or none of ours
            continue
        if data.input == spec:
            return data.test_images[:CHECKED_IMAGES]
    return np.random.default_rng(0).integers(0, 256, (CHECKED_IMAGES, *spec.shape_of_bytes), np.uint8)


def _export(source: Source, name: str, images: NDArray[np.uint8], logits: NDArray[np.float32]) -> Export:
    """One format, kept and in_manifest for if its logits are those of the source."""
    start = time.perf_counter()
    target = source.folder / f"model.{name}"
    with in_manifest(target) as part:
        WRITERS[name](source, part)
        difference = float(np.abs(_run(part, source, images) - logits).max())
        if not difference <= TOLERANCE:
            raise ModelError(
                f"{target} was not kept: its logits differ from those of {source.file.name} by {difference:.2g}, "
                f"more than {TOLERANCE:g}."
            )
    return Export(file=target, difference=difference, seconds=time.perf_counter() - start)


def _write_pth(source: Source, path: Path) -> None:
    from shared.training.train_torch import save_weights

    save_weights(source.module, path)


WRITERS: dict[str, Callable[[Source, Path], None]] = {
    "pth": _write_pth,
    "keras": lambda source, path: source.model.save(path),
    "onnx": lambda source, path: exporters.write_onnx(source.module, source.network.input, path),
    "tflite": lambda source, path: exporters.write_tflite(source.model, path),
    "pt2": lambda source, path: exporters.write_pt2(source.module, source.network.input, path),
}


def _run(file: Path, source: Source, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The logits of an export: in its runtime, or, where none of ours runs it, loaded back by what wrote it."""
    if file.suffix in formats.SUFFIXES:
        return source.loaded(file).logits(images)
    import torch

    with torch.inference_mode():
        module = torch.export.load(file).module()
        return np.asarray(module(torch.from_numpy(to_float(images, source.network.input))).numpy())
