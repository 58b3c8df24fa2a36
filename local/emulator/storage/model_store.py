"""Published models on disk, apart from kernels: a model, its instances (one a framework and slug), their versions.

    <state>/models/<owner>/<slug>/model.json                      title, description, private or not …
    <state>/models/<owner>/<slug>/<framework>/<slug>/instance.json    licence, overview, usage …
    <state>/models/<owner>/<slug>/<framework>/<slug>/<n>/version.json  files/

A version appears complete, by renaming. This knows nothing of HTTP or of the rules.
"""

import os
import re
import tarfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.emulator.sessions.folders import remove
from local.emulator.sessions.session import write_json
from local.emulator.storage.blobs import Blob
from local.emulator.storage.kernels import number_of, read_json
from shared.core.files import fresh

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PART = re.compile(r"\w[\w-]{0,99}", re.ASCII)  # longer ones no disk takes
ARCHIVE = "archive.tar.gz"
FIRST = "models"  # what names of signed URLs begin with, and no owner of a kernel is called


@dataclass(frozen=True)
class ModelVersion:
    """One version of an instance: its files, and what was noted of it."""

    folder: Path

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def name(self) -> str:
        """`owner/slug/framework/instance/3`."""
        return "/".join(self.folder.parts[-5:])

    @property
    def about(self) -> dict[str, Any]:
        value: dict[str, Any] = read_json(self.folder / "version.json")
        return value

    def files(self) -> dict[str, Path]:
        """Its files by name."""
        return {path.name: path for path in sorted((self.folder / "files").iterdir())}

    def archive(self) -> Path:
        """All files as one tar.gz, made when it is first asked for."""
        target = self.folder / ARCHIVE
        if not target.exists():
            with fresh(target) as part, tarfile.open(part, "w:gz") as packed:
                for name, path in self.files().items():
                    packed.add(path, name)
        return target


@dataclass(frozen=True)
class Instance:
    """What a model is in one framework."""

    folder: Path

    @property
    def framework(self) -> str:
        """The name of the SDK's enum."""
        return self.folder.parent.name

    @property
    def about(self) -> dict[str, Any]:
        value: dict[str, Any] = read_json(self.folder / "instance.json")
        return value

    def versions(self) -> list[ModelVersion]:
        """The oldest first."""
        found = [path.parent for path in self.folder.glob("*/version.json")]
        complete = [ModelVersion(folder) for folder in found if folder.name.isdigit()]  # others are not complete yet
        return sorted(complete, key=lambda version: version.number)

    def add(self, blobs: list[Blob], notes: str) -> ModelVersion:
        """Files what came as the next version."""
        part = self.folder / f"{uuid.uuid4().hex}.part"
        (part / "files").mkdir(parents=True)
        for blob in blobs:
            os.link(blob.content, part / "files" / blob.name)
        write_json(part / "version.json", {"notes": notes, "created": time.time()})
        target = self.folder / str(max([one.number for one in self.versions()], default=0) + 1)
        part.rename(target)
        return ModelVersion(target)


@dataclass(frozen=True)
class StoredModel:
    """A published model."""

    folder: Path

    @property
    def owner(self) -> str:
        return self.folder.parent.name

    @property
    def slug(self) -> str:
        return self.folder.name

    @property
    def ref(self) -> str:
        return f"{self.owner}/{self.slug}"

    @property
    def id(self) -> int:
        return number_of(FIRST, self.ref)

    @property
    def about(self) -> dict[str, Any]:
        value: dict[str, Any] = read_json(self.folder / "model.json")
        return value

    def describe(self, about: dict[str, Any]) -> None:
        """Writes what is said of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "model.json", about)

    def instances(self) -> list[Instance]:
        """Those that have a version."""
        found = [Instance(path.parent) for path in sorted(self.folder.glob("*/*/instance.json"))]
        return [one for one in found if one.versions()]

    def instance(self, framework: str, slug: str) -> Instance | None:
        """The one of that framework and slug, if it is there."""
        return next((one for one in self.instances() if (one.framework, one.folder.name) == (framework, slug)), None)

    def add(self, framework: str, slug: str, about: dict[str, Any], blobs: list[Blob]) -> Instance:
        """A new instance with its first version."""
        instance = Instance(self.folder / framework / slug)
        remove(instance.folder)  # left behind by a server that was killed before it had a version
        instance.folder.mkdir(parents=True)
        write_json(instance.folder / "instance.json", about)
        instance.add(blobs, "")
        return instance


class ModelStore:
    """The models of a state folder."""

    def __init__(self, state: Path) -> None:
        self.folder = state.resolve() / "models"
        self.folder.mkdir(parents=True, exist_ok=True)

    def model(self, owner: str, slug: str) -> StoredModel | None:
        """The model, if it is there."""
        plain = all(_PART.fullmatch(part) for part in (owner, slug))
        model = self.place(owner, slug)
        return model if plain and (model.folder / "model.json").exists() else None

    def place(self, owner: str, slug: str) -> StoredModel:
        """Where a model of that name is or would be; the caller has looked at the names."""
        return StoredModel(self.folder / owner / slug)

    def models(self) -> list[StoredModel]:
        """All, by name."""
        return [StoredModel(path.parent) for path in sorted(self.folder.glob("*/*/model.json"))]

    def delete(self, folder: Path) -> None:
        """Removes a model or an instance with all its versions."""
        trash = self.folder.parent / "trash" / uuid.uuid4().hex
        folder.rename(trash)
        remove(trash)

    def stored(self, name: str) -> Path | None:
        """The file that a signed URL names, `models/owner/slug/framework/instance/3/model.pth`."""
        *place, file = name.split("/")[1:]
        if len(place) != 5 or not all(_PART.fullmatch(part) for part in place):
            return None
        version = ModelVersion(self.folder.joinpath(*place))
        if not (version.folder / "version.json").exists():
            return None
        return version.archive() if file == ARCHIVE else version.files().get(file)
