"""Which files of a model folder are published on Kaggle Models, and where: known before any service is asked.

    plan = plan_upload("compact", slug="", title="", license="", notes="")
    plan.slug, plan.title               "k2l-compact", "k2l compact"
    for instance in plan.instances:     one a framework: its files, and the manifest with their hashes

The files are checked against their manifest. Only what the tables name is sent; the other files of the manifest are
reported as left out. Nothing of the service is known here but the rules of its names and its licences.
"""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from local.models import published, registry
from local.runs.download import MAX_BYTES
from shared.core import manifest
from shared.core.errors import ConfigError, ModelError
from shared.core.input_spec import InputSpec
from shared.core.manifest import TrainingManifest
from shared.data.registry import GLYPH

# suffix -> framework, in the words of Kaggle's handles
FRAMEWORKS = {".pth": "pyTorch", ".pt2": "pyTorch", ".keras": "keras", ".onnx": "onnx", ".tflite": "tfLite"}
WITH_EACH = published.PAPERS  # small, and sent with each framework, as the manifest is
USAGE = {
    "pyTorch": '`torch.load("${PATH}/model.pth", weights_only=True)` gives the weights of the network that '
    "`manifest.json` calls `architecture`; k2l builds it: `shared.networks.build_torch`.",
    "keras": '`keras.saving.load_model("${PATH}/model.keras")`: images [batch, NHWC] in, logits out.',
    "onnx": '`onnxruntime.InferenceSession("${PATH}/model.onnx")`: "images" float32 [batch, NCHW] in, "logits" '
    "out. `model.int8.onnx` is the same network in int8.",
    "tfLite": '`ai_edge_litert.interpreter.Interpreter("${PATH}/model.int8.tflite")`: images [batch, NHWC] in, '
    "logits out.",
}
GLYPHS = (
    "Pixels are 0 to 1, the digit white on black, its box scaled to 20 pixels and its centre of mass in the middle."
)
PICTURES = "A pixel is (byte * scale - mean) / std, with the numbers that `manifest.json` has under `input`."
INPUTS = "`manifest.json` holds the SHA-256 of every file, also of those that are published under the other frameworks."
# As Kaggle's documentation of a model's metadata has them; no package of Kaggle's has the list.
LICENSES = (
    "Apache 2.0", "Attribution 3.0 IGO (CC BY 3.0 IGO)", "Attribution 3.0 Unported (CC BY 3.0)",
    "Attribution 4.0 International (CC BY 4.0)", "Attribution-NoDerivatives 4.0 International (CC BY-ND 4.0)",
    "Attribution-NonCommercial 4.0 International (CC BY-NC 4.0)",
    "Attribution-NonCommercial-NoDerivatives 4.0 International (CC BY-NC-ND 4.0)",
    "Attribution-NonCommercial-ShareAlike 3.0 IGO (CC BY-NC-SA 3.0 IGO)", "BSD-3-Clause", "CC BY-NC-SA 4.0",
    "CC BY-SA 3.0", "CC BY-SA 4.0", "CC0: Public Domain",
    "Community Data License Agreement - Permissive - Version 1.0",
    "Community Data License Agreement - Sharing - Version 1.0", "GNU Affero General Public License 3.0",
    "GNU Free Documentation License 1.3", "GNU Lesser General Public License 3.0", "GPL 2", "MIT",
    "ODC Attribution License (ODC-By)", "ODC Public Domain Dedication and Licence (PDDL)", "GPL 3",
)  # fmt: skip
DEFAULT_LICENSE = "MIT"  # this project's own
USUAL_LICENSES = ("MIT", "Apache 2.0", "BSD-3-Clause", "GPL 3", "CC BY-SA 4.0", "CC0: Public Domain")
# The client has the slug's pattern; its length and the title's are those that the service states for notebooks.
SLUG, NAME_LENGTH = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*"), range(5, 51)


@dataclass(frozen=True, kw_only=True)
class PlannedFile:
    """A file that is sent; `sha256` is what its manifest states, of the manifest itself what it has."""

    name: str
    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class PlannedInstance:
    """The files of one framework: what Kaggle calls an instance of a model."""

    framework: str
    spec: InputSpec
    files: tuple[PlannedFile, ...]

    @property
    def bytes(self) -> int:
        """All files together."""
        return sum(file.bytes for file in self.files)

    @property
    def usage(self) -> str:
        """How the files are used, as Markdown; Kaggle puts the folder in for ${PATH}."""
        shapes = {"NHWC": self.spec.shape_hwc, "NCHW": self.spec.shape}
        usage = USAGE[self.framework]
        for layout, shape in shapes.items():
            usage = usage.replace(layout, ", ".join(map(str, shape)))
        return f"{usage}\n\n{GLYPHS if self.spec == GLYPH else PICTURES} {INPUTS}\n"


@dataclass(frozen=True, kw_only=True)
class UploadPlan:
    """A model as it is published. `license` is "" where none was asked for: the usual one, or the one that it has."""

    folder: Path
    slug: str
    title: str
    license: str
    description: str
    overview: str
    training_data: str
    notes: str
    manifest: PlannedFile
    instances: tuple[PlannedInstance, ...]
    left_out: tuple[str, ...]


def plan_upload(name: str, *, slug: str = "", title: str = "", license: str = "", notes: str = "") -> UploadPlan:
    """The model of that name or path, ready to be published; "" means the usual slug, title, licence and notes.

    Raises ModelError for a folder that is not what its manifest says, a training that was interrupted, and a
    file that is too large; ConfigError for a name or a licence that the service would not take.
    """
    folder = registry.folder(name)
    stated = manifest.verify(folder)
    _check_ended(folder, stated)
    stem = folder.resolve().name
    slug = slug or f"k2l-{re.sub(r'[^a-z0-9]+', '-', stem.lower()).strip('-')}"
    title = title or f"k2l {stem}"
    _check_names(slug, title)
    own = _file(folder, manifest.NAME, manifest.describe(folder, [manifest.NAME])[manifest.NAME])
    files = [_file(folder, one, file) for one, file in stated.files.items()]
    instances = tuple(_instances(folder, registry.taken(stated)[0], files, own))
    sent = {file.name for instance in instances for file in instance.files}
    return UploadPlan(
        folder=folder,
        slug=slug,
        title=title,
        license=_license(license),
        description=_card(folder, stated),
        overview=f"{stated.architecture}, {stated.trainable_parameters:,} parameters, trained on "
        f"{stated.dataset}: {stated.test_accuracy:.2%} of the test images",
        training_data=published.TITLES.get(stated.dataset, stated.dataset),
        notes=" ".join(filter(None, (notes.strip(), f"(k2l run {stated.run_id}, manifest sha256 {own.sha256})"))),
        manifest=own,
        instances=instances,
        left_out=tuple(file.name for file in files if file.name not in sent),
    )


def framework_of(name: str) -> str:
    """The framework that a file belongs to; "" where there is none, or it lies in a folder of its own."""
    return FRAMEWORKS.get(PurePosixPath(name).suffix.lower(), "") if "/" not in name else ""


def _instances(folder: Path, spec: InputSpec, files: list[PlannedFile], own: PlannedFile) -> list[PlannedInstance]:
    along = (own, *(file for file in files if file.name in WITH_EACH))
    weights = {framework: tuple(file for file in files if framework_of(file.name) == framework) for framework in USAGE}
    found = [PlannedInstance(framework=one, spec=spec, files=(*some, *along)) for one, some in weights.items() if some]
    if not found:
        raise ModelError(
            f"{folder} holds no file to publish: there are {', '.join(FRAMEWORKS)}. Train or pull it again."
        )
    return found


def _file(folder: Path, name: str, file: manifest.File) -> PlannedFile:
    if file.bytes > MAX_BYTES:
        raise ModelError(f"{folder / name} has {file.bytes:,} bytes: more than {MAX_BYTES:,} are not published.")
    return PlannedFile(name=name, path=folder / name, sha256=file.sha256, bytes=file.bytes)


def _check_ended(folder: Path, stated: TrainingManifest) -> None:
    if stated.interrupted:
        raise ModelError(f"{folder} is of a training that was interrupted. Train it to the end: k2l train … --resume")


def _check_names(slug: str, title: str) -> None:
    if not SLUG.fullmatch(slug) or len(slug) not in NAME_LENGTH:
        raise ConfigError(
            f"the slug {slug!r} cannot be a model's: lower-case letters and digits with single hyphens between them, "
            f"{NAME_LENGTH[0]} to {NAME_LENGTH[-1]} characters. Name another: --slug"
        )
    if len(title) not in NAME_LENGTH or not title.isprintable():
        raise ConfigError(
            f"the title {title!r} must be {NAME_LENGTH[0]} to {NAME_LENGTH[-1]} characters on one line: --title"
        )


def _license(asked: str) -> str:
    """The licence in Kaggle's own spelling; "" for none."""
    spelt = {one.casefold(): one for one in ("", *LICENSES)}
    if asked.casefold() in spelt:
        return spelt[asked.casefold()]
    near = difflib.get_close_matches(asked.casefold(), spelt, n=1, cutoff=0.4)
    hint = f"Did you mean {spelt[near[0]]!r}? " if near else ""
    raise ConfigError(f"Kaggle knows no license {asked!r}. {hint}Usual are: {', '.join(USUAL_LICENSES)}.")


def _card(folder: Path, stated: TrainingManifest) -> str:
    """The model card, which `k2l report` writes for the zoo; else a few lines from the manifest."""
    card = folder / published.CARD
    if card.is_file():
        return card.read_text(encoding="utf-8", errors="replace")
    rows = "\n".join(f"- `{name}`, {file.bytes:,} bytes" for name, file in stated.files.items())
    return (
        f"# {folder.resolve().name}\n\nThe network `{stated.architecture}` "
        f"({stated.trainable_parameters:,} trainable parameters), trained on {stated.dataset} with "
        f"{stated.framework}. It reads {stated.test_accuracy:.2%} of the test images.\n\n"
        f"{rows}\n\nWritten by `k2l publish` from `manifest.json`: run `{stated.run_id}`.\n"
    )
