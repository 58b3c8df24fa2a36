"""Which trained model is meant, and whether it is still what its manifest vouches for.

    model = find("compact-torch")         # a folder under models/, one of the zoo, any folder, or a file
    runtime = open_runtime(model, threads=1)
    every = files("compact-torch")        # all that run of a folder
    place = folder("compact-torch")       # where it lies, none of it looked at

A file inside a model folder is hashed before anything reads it. One on its own is taken as it is where it carries its
network (ONNX, LiteRT, Keras), and not where it is weights alone. Loads nothing itself; the runtimes do.
"""

import dataclasses
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from local.core import workspace
from local.model_files import formats, memory_limit
from local.models import published
from local.runtimes import loading
from shared.core import manifest
from shared.core.errors import ConfigError, ModelError
from shared.core.file_names import safe_name
from shared.core.input_spec import InputSpec
from shared.core.manifest import TrainingManifest
from shared.data.registry import DATASETS, GLYPH, reads_digits

logger = logging.getLogger(__name__)

MODEL_VARIABLE = "K2L_MODEL"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
SURE = 0.5  # probability; below it, something is called no digit rather than a wrong one
HOW = "Train one with `k2l loop` (on Kaggle or the emulator) or `k2l train` (here)."


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model file. `manifest` is the one of its folder; None for a file that stands alone."""

    name: str
    file: Path
    manifest: TrainingManifest | None = None

    @property
    def place(self) -> Path:
        """Its folder, or the file itself where that stands alone."""
        return self.file if self.manifest is None else self.file.parent

    @property
    def architecture(self) -> str | None:
        """The network's name, where a manifest tells it."""
        return None if self.manifest is None else self.manifest.architecture

    @property
    def dataset(self) -> str | None:
        """The data set it was trained on, where a manifest tells it."""
        return None if self.manifest is None else self.manifest.dataset

    @cached_property
    def input(self) -> InputSpec:
        """What its network takes; a file that stands alone is taken for one of glyphs."""
        return GLYPH if self.manifest is None else taken(self.manifest)[0]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """What its answers are called; () where no manifest and no data set of ours says it."""
        return () if self.manifest is None else taken(self.manifest)[1]

    @property
    def sure(self) -> float:
        """The least probability of a digit, as it was chosen for this model; SURE where none was."""
        chosen = None if self.manifest is None else self.manifest.threshold
        return SURE if chosen is None else float(chosen)


def taken(stated: TrainingManifest) -> tuple[InputSpec, tuple[str, ...]]:
    """What the network of a manifest takes, and the names of its classes.

    Manifests of schema 1 have neither: there it is what the record of their data set says. Where there is none, it is
    a glyph, and the classes are not known.
    """
    info = DATASETS.get(stated.dataset)
    usual = info.input if info else GLYPH
    spec = stated.input or usual
    # The same object where it can be: `to_float` finds that quicker than an equal one.
    return usual if spec == usual else spec, stated.classes or (info.classes if info else ())


def check_name(name: str) -> str:
    """A model's name, fit to be a folder's on every system; ConfigError if it is not."""
    if _NAME.fullmatch(name) and safe_name(name):
        return name
    raise ConfigError(f"name {name!r} cannot be a folder's: use letters, digits, '.', '_' and '-', 64 at most.")


def usual_name(architecture: str, framework: str) -> str:
    """What a model without a name of its own is called: `lite-torch`, or `lite-1.5-torch` where it is lite@1.5."""
    return f"{architecture.replace('@', '-')}-{framework}"


def find(name: str) -> Model:
    """The model of that name or path, checked against its manifest.

    A folder gives its best file: `model.onnx` where there is one. Raises ModelError: no such model, no manifest, a
    file changed after its manifest was written, nothing that runs here.
    """
    path = _locate(name)
    if path.is_dir():
        return _checked(path, _runnable(path)[:1])[0]
    return _single(path)


def files(name: str) -> list[Model]:
    """Every file of the model's folder that runs, best first, as `find` would give it; a file gives itself."""
    path = _locate(name)
    return _checked(path, _runnable(path)) if path.is_dir() else [_single(path)]


def folder(name: str) -> Path:
    """The model folder of that name or path, not looked into: files there may be missing, changed or half made.

    Raises ModelError: no such folder, or a file.
    """
    path = _locate(name)
    if not path.is_dir():
        raise ModelError(f"{name} is a file: name its model folder, with its {manifest.NAME} and what was trained.")
    return path


def write_threshold(model: Model, sure: float, **chosen_on: int) -> None:
    """Writes the least probability of a digit, and what it was chosen on, into the manifest. Raises ModelError.

    The caller holds the model's lock.
    """
    if model.manifest is None:
        raise ModelError(f"{model.file} stands alone: a threshold is kept in the {manifest.NAME} of a model folder.")
    folder = model.file.parent
    manifest.save(folder, dataclasses.replace(manifest.read(folder), threshold=sure, threshold_of=chosen_on))


def open_runtime(model: Model, *, threads: int = 1) -> loading.Runtime:
    """The model, ready to run."""
    return loading.load(
        model.file, threads=threads, architecture=model.architecture, spec=model.input, classes=len(model.classes)
    )


def default() -> tuple[Model, str]:
    """The model to use where none is named, and why this one.

    `$K2L_MODEL`, else the zoo's for photographs; where that is not there, the newest that was trained or pulled here
    and knows digits, else the first of the zoo.
    """
    if named := os.environ.get(MODEL_VARIABLE):
        return find(named), f"${MODEL_VARIABLE}"
    if (workspace.zoo() / published.DEFAULT / manifest.NAME).is_file():
        return find(str(workspace.zoo() / published.DEFAULT)), "of the zoo, for photographs; --model names another"
    ours = [(folder, facts) for folder, facts in _trained() if not facts.published]
    for folder, facts in sorted(ours, key=lambda one: one[1].created_at, reverse=True):
        if reads_digits(facts.dataset):
            return find(str(folder)), "the newest in models/"
    for facts in published.published():
        return find(str(workspace.zoo() / facts.name)), "of the zoo"
    raise ModelError(f"No model of digits in {workspace.models()}: {available()} {HOW}")


def of_digits() -> list[str]:
    """The names of all that know digits: what was trained or pulled here, and the zoo, its default first."""
    names = dict.fromkeys(folder.name for folder, facts in _trained() if reads_digits(facts.dataset))
    return sorted(names, key=lambda name: name != published.DEFAULT)


def available() -> str:
    """The names of what lies in models/ and in the zoo, as a sentence."""
    return f"There is {', '.join(names())}." if names() else "It holds no model yet."


def names() -> list[str]:
    """The names of what lies in models/ and in the zoo."""
    return list(dict.fromkeys(folder.name for folder, _ in _trained()))


@dataclass(frozen=True, kw_only=True)
class Held:
    """A model that is here, or that a training was interrupted on: what is stated of it, and how it stands.

    `manifest` is None for one that was interrupted. `stands` is VERIFIED, DAMAGED or INTERRUPTED; `why` says more.
    """

    folder: Path
    manifest: TrainingManifest | None
    stands: str
    why: str = ""
    training: dict[str, Any] = field(default_factory=dict)


VERIFIED, DAMAGED, INTERRUPTED = "verified", "damaged", "interrupted"


def held() -> list[Held]:
    """Every model here and in the zoo, newest first, each file of it hashed; before them what was interrupted."""
    known = [_held(folder, facts) for folder, facts in _trained()]
    known.sort(key=lambda one: one.manifest.created_at if one.manifest else "", reverse=True)
    return [*_interrupted(), *known]


def _held(folder: Path, facts: TrainingManifest) -> Held:
    try:
        manifest.verify(folder)
    except ModelError as error:
        return Held(folder=folder, manifest=facts, stands=DAMAGED, why=str(error).partition("\n")[0])
    return Held(folder=folder, manifest=facts, stands=VERIFIED)


def _interrupted() -> Iterator[Held]:
    """What trainings on this machine can go on from."""
    from local.models import checkpoints

    for path in sorted((workspace.state() / "checkpoints").glob(f"*/{checkpoints.NAME}")):
        if facts := checkpoints.read(path.parent):
            training = facts["training"]
            why = f"after epoch {len(facts['history'])} of {training['parameters']['epochs']}"
            folder = workspace.models() / path.parent.name
            yield Held(folder=folder, manifest=None, stands=INTERRUPTED, why=why, training=training)


def _trained() -> Iterator[tuple[Path, TrainingManifest]]:
    """Each folder under models/ and then of the zoo whose manifest can be read, by name.

    A broken one is told of when it is asked for.
    """
    of_zoo = (workspace.zoo() / name / manifest.NAME for name in published.names())
    for path in dict.fromkeys([*sorted(workspace.models().glob(f"*/{manifest.NAME}")), *of_zoo]):
        try:
            yield path.parent, manifest.read(path.parent)
        except ModelError:
            continue


def _locate(name: str) -> Path:
    """The folder or file meant: under models/ first, then in the zoo, then as a path."""
    path = Path(name)
    named = bool(path.parts) and ".." not in path.parts  # "." and ".." mean this folder, not models/
    places = [workspace.models() / path] if named else []
    # The look at the disk comes first: it spares most commands the import of the networks.
    if named and not path.is_absolute() and (workspace.zoo() / path).exists() and published.has_place(path.parts[0]):
        places.append(workspace.zoo() / path)
    for place in (*places, path):
        if name and place.exists():
            return place
    raise ModelError(f"No model {name!r}, in {workspace.models()} or as a path. {available()} {HOW}")


def _runnable(folder: Path) -> list[str]:
    """The files of a model folder that run here, the best first: `model.onnx` and its like, then the others.

    A quantized `model.int8.onnx` is never taken for `model.onnx`: it has to be asked for. Never empty: ModelError.
    """
    suffixes = list(formats.SUFFIXES)
    names = [name for name in manifest.read(folder).files if Path(name).suffix.lower() in suffixes]
    if not names:
        raise ModelError(f"{folder} holds no model file that runs here: {formats.known()}. Pull or train it again.")

    def rank(name: str) -> tuple[bool, int, bool, str]:
        suffix = Path(name).suffix.lower()
        return name != f"model{suffix}", suffixes.index(suffix), not name.startswith("model."), name

    return sorted(names, key=rank)


def _single(path: Path) -> Model:
    """The model in a file, of a folder with a manifest or standing alone."""
    module = formats.module_of(path)
    if (path.parent / manifest.NAME).is_file():
        return _checked(path.parent, [path.name])[0]
    if module == "torch_runtime":
        raise ModelError(
            f"{path} holds weights without their network: {manifest.NAME} must lie beside it. Pull the whole folder."
        )
    return Model(name=path.stem, file=path)


def _checked(folder: Path, names: list[str]) -> list[Model]:
    """Files of a model folder, once their bytes are those of the manifest."""
    for name in names:
        memory_limit.check_declared(folder / name)  # first: to hash what is far too large takes long
    stated = manifest.verify(folder, names)
    logger.info("model: %s of %s, as its manifest has it", ", ".join(names), folder)
    return [Model(name=folder.resolve().name, file=folder / name, manifest=stated) for name in names]
