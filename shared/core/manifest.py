"""`manifest.json`: what a model folder holds, where it came from, and the proof that nothing was swapped or lost.

It is written last, so its existence means that the rest is whole. `verify` reads every byte again.
Standard library only; it runs in the notebook, at the pull, and before a model is used.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.core.errors import ModelError, plain
from shared.core.files import read as read_file
from shared.core.files import write as write_file

NAME = "manifest.json"
SCHEMA = 1
LARGEST = 10_000_000  # bytes; parsed, the worst JSON takes 25 times as much
DEEPEST = 50  # lists and objects in each other; Python reads more of them than it writes

KEYS = (
    "schema", "run_id", "name", "framework", "architecture", "trainable_parameters", "dataset", "parameters",
    "bundle_sha256", "source_commit", "environment", "metrics", "files", "created_at",
)  # fmt: skip

# What every reader counts on; `metrics` and `threshold` are looked into besides.
_TYPES: dict[str, type] = dict.fromkeys(KEYS, str) | {
    "schema": int, "trainable_parameters": int, "parameters": dict, "environment": dict, "metrics": dict, "files": dict,
}  # fmt: skip
_WORDS = {str: "text", int: "a whole number", dict: "an object"}

# One path segment or more below the folder; no drive letters, no backslashes, no control characters. Windows drops
# dots and spaces at an end, so that "..  " would be "..", and keeps some names for its devices.
_SAFE = re.compile(r"[^\x00-\x1f\\:*?\"<>|/]+(/[^\x00-\x1f\\:*?\"<>|/]+)*")
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}
_LONGEST, _LONGEST_PART = 1000, 200  # bytes; systems take 255 a part, and our own may come behind it
_LONGEST_PATH, _LONGEST_SEGMENT = 4096, 255  # bytes; no run can write more, for Linux takes no more
_SHA256 = re.compile(r"[0-9a-f]{64}")


def now() -> str:
    """The time in UTC, to the millisecond, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def safe_name(name: str) -> bool:
    """True for a relative path that stays in its folder, and can be made and shown, on every system."""
    parts = name.split("/")
    return (
        name.isprintable()
        and bool(_SAFE.fullmatch(name))
        and len(name.encode()) <= _LONGEST
        and all(len(part.encode()) <= _LONGEST_PART for part in parts)
        and all(part == part.rstrip(" .") and part.split(".")[0].upper() not in _DEVICES for part in parts)
    )


def stays_inside(name: str) -> bool:
    """True for a name that a run can give a file below its folder; not every system can hold such a name."""
    parts = name.split("/")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return False
    return (
        "\0" not in name
        and not {"", ".", ".."} & set(parts)
        and max(sizes) <= _LONGEST_SEGMENT
        and sum(sizes) + len(parts) <= _LONGEST_PATH
    )


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Writes JSON so that a reader sees the old file or the new one, never half of one, even after a crash."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # JSON knows halves of characters, UTF-8 does not: they are written as the escapes they came as.
    write_file(path, text.encode(errors="backslashreplace"), sync=True)


def describe(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """{name: {sha256, bytes}} of files below a folder, sorted by name."""
    return {name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in sorted(names)}


def contents(folder: Path) -> list[str]:
    """The files below a folder that can be vouched for, as relative names with slashes.

    Left out are the manifest, hidden files, and what begins with two underscores, which is Kaggle's own: the running
    notebook lies in its working folder as `__notebook__.ipynb`, and is written to until after the manifest. So is what
    no service lists as an output: a link, a file that cannot be read, and a name that is no text.
    """
    return sorted(name for name in _files(folder) if _goes_out(folder, name))


def write(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Hashes everything in the folder and writes its manifest, last of all files. Returns the manifest.

    Its `left_out` names the files that are there and cannot be vouched for, where there are any.
    """
    files = contents(folder)
    left_out = sorted(set(_files(folder)) - set(files))
    manifest = {
        "schema": SCHEMA,
        **facts,
        "files": describe(folder, files),
        **({"left_out": left_out} if left_out else {}),
        "created_at": facts.get("created_at") or now(),
    }
    manifest = {key: manifest[key] for key in (*KEYS, *(key for key in manifest if key not in KEYS))}
    write_json(folder / NAME, manifest)
    return manifest


def add_files(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """Vouches for files made here (an export, an evaluation) beside those that came with the manifest."""
    manifest = read(folder)
    manifest["files"] = dict(sorted({**manifest["files"], **describe(folder, names)}.items()))
    write_json(folder / NAME, manifest)
    return manifest


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Vouches no longer for these files, before they are replaced: a crash then leaves files that are to be made.

    Names that are not in the manifest are passed over.
    """
    manifest, gone = read(folder), set(names)
    if gone & manifest["files"].keys():
        manifest["files"] = {name: stated for name, stated in manifest["files"].items() if name not in gone}
        write_json(folder / NAME, manifest)


def parse(text: str | bytes, where: str, *, fits: Callable[[str], bool] = safe_name) -> dict[str, Any]:
    """A manifest from its text; ModelError if it is not one, or one of another schema. `where` is for the error.

    `fits` is what the files' names have to be: `stays_inside` for the manifest of a run, as long as its files are
    stored under safe names.
    """
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is not JSON ({plain(str(error))}). Pull or train the model again.") from None
    if deeper(manifest):
        raise ModelError(f"{where} has lists in lists, more than {DEEPEST} deep. Pull or train the model again.")
    missing = [key for key in KEYS if key not in manifest] if isinstance(manifest, dict) else list(KEYS)
    if missing:
        raise ModelError(f"{where} is no manifest of k2l: {', '.join(missing)} missing. Pull or train the model again.")
    if manifest["schema"] != SCHEMA:
        raise ModelError(f"{where} has schema {plain(manifest['schema'])}, this k2l reads {SCHEMA}. Update k2l.")
    _check_facts(manifest, where)
    _check_files(manifest["files"], where, fits)
    return dict(manifest)


def deeper(value: Any, levels: int = DEEPEST) -> bool:
    """Whether lists and objects stand in each other more than so many deep."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not levels or any(deeper(one, levels - 1) for one in inner)


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder; ModelError if the folder or the manifest is missing or broken."""
    path = folder / NAME
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder.")
    if not path.is_file():
        raise ModelError(
            f"{folder} has no {NAME}: it is not a model folder, or was not pulled whole.\n"
            "Pull it again (k2l pull) or train it here (k2l train)."
        )
    try:
        text = read_file(path, most=LARGEST)
    except ValueError as error:
        raise ModelError(f"{path} is no manifest of k2l: {error}. Pull or train the model again.") from None
    return parse(text, str(path))


def verify(folder: Path, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Checks files against the manifest, all of them or those named, and returns the manifest.

    Raises ModelError with the first file that is missing, unknown to the manifest, or not the one it vouches for.
    """
    manifest = read(folder)
    for name in manifest["files"] if names is None else names:
        stated = manifest["files"].get(name)
        path = folder / name
        if stated is None:
            raise ModelError(f"{path} is not in the folder's {NAME}: nobody vouches for it. Pull or train again.")
        if not path.is_file():
            raise ModelError(f"{path} is missing, though {NAME} names it. Pull or train again.")
        if path.stat().st_size != stated["bytes"] or sha256(path) != stated["sha256"]:
            raise ModelError(f"{path} was changed after its {NAME} was written. Pull or train again.")
    return manifest


def _files(folder: Path) -> Iterator[str]:
    """Every file below a folder but the manifest, hidden ones and Kaggle's own; also a link that leads to a file."""
    for here, _, names in os.walk(folder):
        for path in (Path(here, name) for name in names):
            name = path.relative_to(folder)
            ours = name.as_posix() != NAME and not any(part.startswith((".", "__")) for part in name.parts)
            if ours and path.is_file():
                yield name.as_posix()


def _goes_out(folder: Path, name: str) -> bool:
    path = folder / name
    return stays_inside(name) and not path.is_symlink() and os.access(path, os.R_OK)


def _check_files(files: dict[str, Any], where: str, fits: Callable[[str], bool]) -> None:
    for name, stated in files.items():
        if not stays_inside(name):
            raise ModelError(f"{where} names {plain(repr(name))}, which leaves its folder. Do not use this model.")
        if not fits(name):
            raise ModelError(f"{where} names {plain(repr(name))}, which not every system can hold. Pull it again.")
        good = (
            isinstance(stated, dict)
            and type(stated.get("bytes")) is int
            and stated["bytes"] >= 0
            and _SHA256.fullmatch(str(stated.get("sha256")))
        )
        if not good:
            raise ModelError(f"{where}: {name!r} has no sha256 and bytes. Pull or train the model again.")


def _check_facts(manifest: dict[str, Any], where: str) -> None:
    """What every reader counts on: the types, the accuracy on the test images, and a threshold that can be one."""
    for key, kind in _TYPES.items():
        if type(manifest[key]) is not kind:
            raise ModelError(f"{where}: `{key}` must be {_WORDS[kind]}. Pull or train the model again.")
    test, sure = manifest["metrics"].get("test"), manifest.get("threshold", 0)
    if not _share(test.get("accuracy") if isinstance(test, dict) else None):
        raise ModelError(f"{where} has no test accuracy in 0..1. Pull or train the model again.")
    if not _share(sure):
        raise ModelError(f"{where} has the threshold {plain(sure)}, not 0..1. Pull or train the model again.")


def _share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1
