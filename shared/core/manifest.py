"""`manifest.json`: what a folder holds, where it came from, and the proof that nothing was swapped or lost.

    found = read(folder)                     # TrainingManifest, checked; its files are not read
    found = verify(folder)                   # the same, and every byte was read again
    write(folder, TrainingManifest(…))       # hashes the folder, and writes the manifest last

It is written last, so its existence means that the rest is complete. The JSON is flat: the fields of `Manifest`, and
for a training those of `TrainingManifest`. Keys that this release does not know are kept in `more`.
Standard library only; it runs in the notebook, at the pull, and before the use of a model.
"""

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from shared.core.errors import ModelError, plain
from shared.core.file_names import safe_name, stays_inside
from shared.core.files import read as read_file
from shared.core.files import write as write_file
from shared.core.input_spec import InputSpec

NAME = "manifest.json"
SCHEMA = 2  # 1 had no `input`, `classes` and `read_by`
READ_BY = "0.1"  # the first release of k2l that reads this schema
LARGEST = 10_000_000  # bytes; parsed, the worst JSON takes 25 times as much
DEEPEST = 50  # nested lists and objects; Python reads deeper ones than it writes
_SHA256 = re.compile(r"[0-9a-f]{64}")
_AGAIN = "Pull or train the model again."


@dataclass(frozen=True, kw_only=True)
class File:
    """A file's SHA-256 in hex and its size; `name_in_run` if the run's name for it cannot be stored on every system."""

    sha256: str
    bytes: int
    name_in_run: str = ""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What any run leaves: whose it is, what it was started with, and its files by name.

    `left_out` names files that exist but could not be verified; `more` has the keys without a field.
    """

    schema: int = SCHEMA
    read_by: str = READ_BY
    run_id: str
    name: str
    parameters: dict[str, Any]
    bundle_sha256: str
    source_commit: str
    environment: dict[str, str]
    files: dict[str, File] = field(default_factory=dict)
    created_at: str = ""
    left_out: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it: every required key, and the others that are not empty."""
        facts = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "more"}
        known = {
            name: value for name, value in facts.items() if name in REQUIRED or value not in (None, "", (), {}, [])
        }
        files = {
            name: {key: value for key, value in vars(file).items() if value != ""} for name, file in self.files.items()
        }
        known |= {"files": files} | {name: list(known[name]) for name in ("left_out", "classes") if name in known}
        if isinstance(known.get("input"), InputSpec):
            known["input"] = known["input"].as_dict()
        return known | self.more


@dataclass(frozen=True, kw_only=True)
class TrainingManifest(Manifest):
    """What a training leaves: `metrics` has the figures of "validation" and "test", `training` its seconds.

    Schema 1 has no `input` and `classes`: they follow from the data set's name. What comes after the training is
    optional: `seeds` (a row a seed), `threshold` (the least probability of an answer) and `threshold_of` (the data that
    it was chosen on), `published`, `bench`.
    """

    framework: str
    architecture: str
    trainable_parameters: int
    dataset: str
    metrics: dict[str, dict[str, Any]]
    input: InputSpec | None = None
    classes: tuple[str, ...] = ()
    training: dict[str, float] = field(default_factory=dict)
    interrupted: dict[str, int] | None = None
    seeds: list[dict[str, Any]] = field(default_factory=list)
    kept: str = ""
    processor: str = ""
    threshold: float | None = None
    threshold_of: dict[str, Any] = field(default_factory=dict)
    published: dict[str, Any] = field(default_factory=dict)
    bench: dict[str, Any] = field(default_factory=dict)

    @property
    def test_accuracy(self) -> float:
        """The share of the test images that was right, 0 to 1."""
        return float(self.metrics["test"]["accuracy"])


M = TypeVar("M", bound=Manifest)

# The keys that a manifest must have, with the type of the value in JSON; then those of a training; then optional ones.
ENVELOPE: dict[str, type] = {
    "schema": int, "run_id": str, "name": str, "parameters": dict, "bundle_sha256": str, "source_commit": str,
    "environment": dict, "files": dict, "created_at": str,
}  # fmt: skip
OF_TRAINING: dict[str, type] = {
    "framework": str, "architecture": str, "trainable_parameters": int, "dataset": str, "metrics": dict,
}  # fmt: skip
OPTIONAL: dict[str, type] = {
    "read_by": str, "left_out": list, "input": dict, "classes": list, "training": dict, "interrupted": dict,
    "seeds": list, "kept": str, "processor": str, "threshold_of": dict, "published": dict, "bench": dict,
}  # fmt: skip
REQUIRED = ENVELOPE | OF_TRAINING
_WORDS = {str: "text", int: "a whole number", dict: "an object", list: "a list"}


def now() -> str:
    """The time in UTC, to the millisecond, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Writes JSON so that a reader sees the old file or the new one, never a part, even after a crash."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # JSON allows half characters (surrogates), UTF-8 does not: they are written as escapes.
    write_file(path, text.encode(errors="backslashreplace"), sync=True)


def describe(folder: Path, names: Iterable[str]) -> dict[str, File]:
    """The hash and size of files below a folder, sorted by name."""
    return {name: File(sha256=sha256(folder / name), bytes=(folder / name).stat().st_size) for name in sorted(names)}


def contents(folder: Path) -> list[str]:
    """The files below a folder that can be verified, as relative names with slashes.

    Left out are the manifest, hidden files, and what begins with two underscores, which is Kaggle's own: the running
    notebook is in its working folder as `__notebook__.ipynb`, and changes until after the manifest. So is what no
    service lists as an output: a link, a file that cannot be read, and a name that is not text.
    """
    return sorted(name for name in _files(folder) if _goes_out(folder, name))


def write(folder: Path, manifest: M) -> M:
    """Hashes everything in the folder and writes its manifest, last of all files. Returns it with these files.

    Its `left_out` names the files that exist but cannot be verified.
    """
    files = contents(folder)
    left_out = tuple(sorted(set(_files(folder)) - set(files)))
    made = manifest.created_at or now()
    return save(
        folder, dataclasses.replace(manifest, files=describe(folder, files), left_out=left_out, created_at=made)
    )


def save(folder: Path, manifest: M) -> M:
    """Writes a manifest as it is. Returns it."""
    write_json(folder / NAME, manifest.as_dict())
    return manifest


def add_files(folder: Path, names: Iterable[str]) -> Manifest:
    """Adds files made here (an export, an evaluation) to those that came with the manifest. Returns it."""
    manifest = read_any(folder)
    files = manifest.files | describe(folder, names)
    return save(folder, dataclasses.replace(manifest, files=dict(sorted(files.items()))))


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Removes files from the manifest before they are replaced: after a crash they must be made again.

    Names that are not in the manifest are ignored.
    """
    manifest, gone = read_any(folder), set(names)
    if gone & manifest.files.keys():
        left = {name: file for name, file in manifest.files.items() if name not in gone}
        save(folder, dataclasses.replace(manifest, files=left))


def parse(text: str | bytes, where: str, *, fits: Callable[[str], bool] = safe_name) -> Manifest:
    """A manifest from its text: a TrainingManifest where it has a `framework`. `where` is for the error.

    `fits` checks the files' names: `stays_inside` for the manifest of a run whose files are stored under safe names.
    Raises ModelError if the text is not a manifest, or has a newer schema.
    """
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is not JSON ({plain(str(error))}). {_AGAIN}") from None
    if deeper(facts):
        raise ModelError(f"{where} has lists nested more than {DEEPEST} deep. {_AGAIN}")
    facts = facts if isinstance(facts, dict) else {}
    _check_schema(facts, where)
    kind = TrainingManifest if OF_TRAINING.keys() & facts.keys() else Manifest
    needed = REQUIRED if kind is TrainingManifest else ENVELOPE
    if missing := [key for key in needed if key not in facts]:
        raise ModelError(f"{where} is not a manifest of k2l: {', '.join(missing)} missing. {_AGAIN}")
    _check_types(facts, needed, where)
    _check_figures(facts, where)
    _check_files(facts["files"], where, fits)
    return _made(kind, facts, where)


def deeper(value: Any, levels: int = DEEPEST) -> bool:
    """Whether lists and objects are nested more than so many levels deep."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not levels or any(deeper(one, levels - 1) for one in inner)


def read(folder: Path) -> TrainingManifest:
    """The manifest of a model folder; ModelError if the folder or the manifest is missing or broken."""
    return _of_training(read_any(folder), str(folder / NAME))


def parse_training(text: str | bytes, where: str, *, fits: Callable[[str], bool] = safe_name) -> TrainingManifest:
    """As `parse`, for a run that must have trained a model: ModelError if it did not."""
    return _of_training(parse(text, where, fits=fits), where)


def read_any(folder: Path) -> Manifest:
    """The manifest of any run's folder; ModelError as in `read`."""
    path = folder / NAME
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder.")
    if not path.is_file():
        raise ModelError(
            f"{folder} has no {NAME}: it is not a model folder, or its pull was interrupted.\n"
            "Pull it again (k2l pull) or train it here (k2l train)."
        )
    try:
        text = read_file(path, most=LARGEST)
    except ValueError as error:
        raise ModelError(f"{path} is not a manifest of k2l: {error}. {_AGAIN}") from None
    return parse(text, str(path))


def verify(folder: Path, names: Iterable[str] | None = None) -> TrainingManifest:
    """Checks files of a model folder against its manifest, all of them or those named, and returns the manifest.

    Raises ModelError with the first file that is missing, unknown to the manifest, or changed.
    """
    manifest = read(folder)
    for name in manifest.files if names is None else names:
        file, path = manifest.files.get(name), folder / name
        if file is None:
            raise ModelError(f"{path} is not in the folder's {NAME}: nothing proves its origin. Pull or train again.")
        if not path.is_file():
            raise ModelError(f"{path} is missing, but {NAME} names it. Pull or train again.")
        if path.stat().st_size != file.bytes or sha256(path) != file.sha256:
            raise ModelError(f"{path} was changed after its {NAME} was written. Pull or train again.")
    return manifest


def _files(folder: Path) -> Iterator[str]:
    """Every file below a folder except the manifest, hidden ones and Kaggle's own; also a link to a file."""
    for here, _, names in os.walk(folder):
        for path in (Path(here, name) for name in names):
            name = path.relative_to(folder)
            ours = name.as_posix() != NAME and not any(part.startswith((".", "__")) for part in name.parts)
            if ours and path.is_file():
                yield name.as_posix()


def _goes_out(folder: Path, name: str) -> bool:
    path = folder / name
    return stays_inside(name) and not path.is_symlink() and os.access(path, os.R_OK)


def _of_training(found: Manifest, where: str) -> TrainingManifest:
    if not isinstance(found, TrainingManifest):
        raise ModelError(f"{where} is of a run that did not train a model: {', '.join(OF_TRAINING)} missing. {_AGAIN}")
    return found


def _check_schema(facts: Mapping[str, Any], where: str) -> None:
    schema = facts.get("schema")
    if schema is None:
        raise ModelError(f"{where} is not a manifest of k2l: schema missing. {_AGAIN}")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        release = facts.get("read_by")
        reader = f"k2l {plain(release)} or newer reads it" if isinstance(release, str) else "a newer k2l reads it"
        raise ModelError(f"{where} has schema {plain(schema)}: {reader}, this one reads 1 to {SCHEMA}. Update k2l.")


def _check_types(facts: Mapping[str, Any], needed: Mapping[str, type], where: str) -> None:
    for key, kind in {**needed, **{key: OPTIONAL[key] for key in OPTIONAL if key in facts}}.items():
        if type(facts[key]) is not kind:
            raise ModelError(f"{where}: `{key}` must be {_WORDS[kind]}. {_AGAIN}")


def _check_figures(facts: Mapping[str, Any], where: str) -> None:
    """What every reader of a model needs: the accuracy on the test images, and a valid threshold."""
    if "metrics" in facts:
        test = facts["metrics"].get("test")
        if not _share(test.get("accuracy") if isinstance(test, dict) else None):
            raise ModelError(f"{where} has no test accuracy in 0..1. {_AGAIN}")
    if not _share(facts.get("threshold", 0)):
        raise ModelError(f"{where} has the threshold {plain(facts['threshold'])}, not 0..1. {_AGAIN}")


def _share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def _check_files(files: dict[str, Any], where: str, fits: Callable[[str], bool]) -> None:
    for name, proof in files.items():
        if not stays_inside(name):
            raise ModelError(f"{where} names {plain(repr(name))}, which is outside its folder. Do not use this model.")
        if not fits(name):
            raise ModelError(f"{where} names {plain(repr(name))}, which some systems cannot store. Pull it again.")
        good = (
            isinstance(proof, dict)
            and type(proof.get("bytes")) is int
            and proof["bytes"] >= 0
            and _SHA256.fullmatch(str(proof.get("sha256")))
        )
        if not good:
            raise ModelError(f"{where}: {name!r} has no sha256 and bytes. {_AGAIN}")


def _made(kind: type[M], facts: dict[str, Any], where: str) -> M:
    """The manifest of checked facts."""
    fields = {one.name for one in dataclasses.fields(kind)} - {"more"}
    known = {name: value for name, value in facts.items() if name in fields}
    known["files"] = {
        name: File(sha256=one["sha256"], bytes=one["bytes"], name_in_run=str(one.get("name_in_run", "")))
        for name, one in facts["files"].items()
    }
    known |= {name: tuple(map(str, known[name])) for name in ("left_out", "classes") if name in known}
    try:
        known |= {"input": InputSpec.from_dict(known["input"])} if "input" in known else {}
    except (TypeError, ValueError) as error:
        raise ModelError(f"{where}: `input` is not a valid input ({plain(str(error))}). {_AGAIN}") from None
    return kind(**known, more={name: value for name, value in facts.items() if name not in fields})
