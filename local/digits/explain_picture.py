"""A model and a picture -> the picture's way through the network, from weights of either framework.

    model = open_weights("compact")                    # model.pth, or model.keras where PyTorch is not installed
    subject = find("photo.png", model, digit=2)        # also "test:8", a test image, and "misread:1", one it misread
    told = explain(subject, model)                     # shared.explain.explanation.Explanation

A file made for running (ONNX, LiteRT, int8) has its layers fused or rounded and cannot be looked into. The values
between the layers are worked out in numpy, so that both frameworks' weights are explained by the same code.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.digits.reader import Reader
from local.model_files import content, formats, memory_limit
from local.models import registry
from local.pictures import picture, sources
from local.runtimes import loading
from shared.core.errors import ConfigError, ModelError, PictureError, UserError
from shared.data import datasets
from shared.data.normalise import median
from shared.data.registry import DATASETS, reads_digits
from shared.explain.explanation import Explanation
from shared.explain.explanation import explain as explain_image
from shared.networks import architectures, weights
from shared.networks.architectures import Architecture
from shared.training.metrics import surest_mistakes

SUFFIXES = (".pth", ".keras")
OF_A_TEST = re.compile(r"(test|misread):(\d{1,9})")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A model that can be looked into: its file, its network, its arrays by PyTorch's names, and itself at work."""

    model: registry.Model
    network: Architecture
    arrays: weights.Arrays
    runtime: loading.Runtime

    @property
    def called(self) -> str:
        """Its name, and its network's where that is another."""
        name, network = self.model.name, self.network.name
        return name if name == network else f"{name} ({network})"

    @property
    def dataset(self) -> str:
        """Whose test images it is asked about: mnist's for `camera`, which is made of them."""
        name = self.model.dataset or "mnist"
        return DATASETS[name].source if name in DATASETS else name

    @property
    def classes(self) -> Sequence[str]:
        """What its answers are called."""
        known = self.model.classes or DATASETS["mnist"].classes
        many = self.runtime.classes
        return known if len(known) == many else [str(number) for number in range(many)]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An image uint8 as the network takes it, to be explained, where it is from, and its class where that is known.

    `stem` is what a file about it may be called; `box` where in the picture it was found: x, y, width, height.
    """

    name: str
    stem: str
    image: NDArray[np.uint8]
    true: int | None = None
    box: tuple[int, int, int, int] | None = None
    fellows: int = 0  # other digits of the same picture

    def as_dict(self) -> dict[str, Any]:
        """What `k2l explain --json` prints of it."""
        return {"file": self.name, "box": None if self.box is None else list(self.box)}


def explain(subject: Subject, model: Weights) -> Explanation:
    """The subject's way through the network."""
    return explain_image(
        model.network,
        model.arrays,
        subject.image,
        logits_of=model.runtime.logits,
        classes=model.classes,
        true=subject.true,
        name=model.called,
    )


def open_weights(name: str) -> Weights:
    """The trained weights of that model.

    Raises ModelError: no such model, no weights but deployed files, not a network of `shared.networks.architectures`,
    or its framework is not installed.
    """
    model = _trained(name)
    network, arrays = _read(model)
    return Weights(model=model, network=network, arrays=arrays, runtime=registry.open_runtime(model))


def find(name: str, model: Weights, *, digit: int = 1, sure: float | None = None) -> Subject:
    """What is meant: the `digit`-th digit of a picture in reading order, `test:N` (from 0) or `misread:N` (from 1).

    Raises ConfigError for a number that is not there, PictureError where there is no digit, DataError without images.
    """
    asked = OF_A_TEST.fullmatch(name)
    if asked and not Path(name).exists():
        return _of_the_test(asked[1], int(asked[2]), model)
    names = sources.expanded([name])
    if len(names) > 1:
        raise ConfigError(f"{name}: {len(names)} pictures; name the one to explain.")
    shot = next(iter(sources.shots(names)))
    if isinstance(shot, UserError):
        raise shot
    stem = "stdin" if name == sources.STANDARD_INPUT else sources.path_of(names[0]).stem or "picture"
    facts = model.model.manifest
    if shot.grey.shape == model.network.input.shape_of_bytes and facts and not reads_digits(facts.dataset):
        return Subject(name=shot.name, stem=stem, image=_as_it_stands(shot.grey))
    return _of_a_page(shot, stem, model, digit, model.model.sure if sure is None else sure)


def _trained(name: str) -> registry.Model:
    """The first file of weights that can be read here; ModelError where there is none."""
    found = registry.files(name)
    usable = [one for one in found if one.file.suffix.lower() in SUFFIXES and ".int8" not in one.file.name]
    here = [one for one in usable if formats.installed(one.file)]
    if usable:
        return (here or usable)[0]  # where neither framework is installed, reading it says what to install
    file = found[0].file
    beside = [path.name for path in (file.with_name(f"model{suffix}") for suffix in SUFFIXES) if path.is_file()]
    where = f"here {file.parent / beside[0]}" if beside else f"{' or '.join(SUFFIXES)}, and there is none beside it"
    raise ModelError(f"{file} is made for running: its layers are fused or rounded. Name trained weights: {where}.")


def _read(model: registry.Model) -> tuple[Architecture, weights.Arrays]:
    """The network and its arrays; ModelError where the file is not what it should be."""
    content.check(model.file)
    taken = model.input, len(model.classes)
    with memory_limit.limited(model.file):
        if model.file.suffix.lower() == ".keras":
            return _read_keras(model)
        from local.runtimes import torch_ao, torch_runtime

        state = torch_runtime.build(model.file, model.architecture, *taken).state_dict()
    if torch_ao.is_int8(state):
        raise ModelError(f"{model.file} is in int8. Name the float weights that it was made of: model.pth.")
    return architectures.architecture(str(model.architecture), *taken), weights.of_torch(state)


def _read_keras(model: registry.Model) -> tuple[Architecture, weights.Arrays]:
    """A Keras file that stands alone still bears the name that `build_keras` gave its network."""
    from local.runtimes import keras_runtime

    built = keras_runtime.build(model.file, model.input)
    try:
        name = model.architecture or built.name.replace("-", "@")
        network = architectures.architecture(name, model.input, built.output_shape[-1])
        return network, weights.of_keras(built, network)
    except (ConfigError, ModelError) as error:
        raise ModelError(f"{model.file} is none of the networks of shared/networks/architectures.py: {error}") from None


def _of_the_test(what: str, number: int, model: Weights) -> Subject:
    """A test image by its index, or the number-th of those misread, the one it was surest of first."""
    images = datasets.load(model.dataset, halves=["test"])
    at, last = number, len(images.test_labels) - 1
    if what == "misread":
        wrong = surest_mistakes(model.runtime.logits(images.test_images), images.test_labels)
        if not 1 <= number <= len(wrong):
            count = f"misreads {len(wrong)} of {last + 1:,} test images of {images.name}"
            raise ConfigError(f"misread:{number}: {model.model.name} {count}; count from 1.")
        at = int(wrong[number - 1])
    if at > last:
        raise ConfigError(f"test:{number}: {images.name} has the test images 0 to {last:,}.")
    return Subject(
        name=f"{images.name} test image {at}",
        stem=f"{what}-{number}",
        image=images.test_images[at],
        true=int(images.test_labels[at]),
    )


def _of_a_page(shot: sources.Shot, stem: str, model: Weights, digit: int, sure: float) -> Subject:
    """The digit of that number, cut out as `k2l predict` cuts it."""
    reading = Reader(model.runtime, sure).read(shot.grey)
    if not reading.digits:
        aside = f" ({len(reading.rejected)} rejected: --conf 0 explains them as well)" if reading.rejected else ""
        raise PictureError(f"{shot.name}: no digit in it{aside}.")
    if digit > len(reading.digits):
        raise ConfigError(f"--digit {digit}: {shot.name} has {len(reading.digits)}, read as {reading.text}.")
    one = reading.digits[digit - 1]
    return Subject(
        name=shot.name,
        stem=stem if digit == 1 else f"{stem}-{digit}",
        image=one.glyph.image,
        box=one.box,
        fellows=len(reading.digits) - 1,
    )


def _as_it_stands(grey: picture.Grey) -> NDArray[np.uint8]:
    """A picture of what is no digit, of the network's own size, its background dark."""
    return 255 - grey if median(grey) > 127 else grey
