"""What a publishing has begun, written to this disk, so that the same command can resume it.

    record = UploadRecord("emulator-me/k2l-compact", manifest_sha256)
    record.note_session(instance, file, session)    the upload of a file was started
    record.note_sent(instance, 2, lost=True)        a version is about to be made, after version 2

One file a model and service, in a folder for this user alone: whoever has the URL of an upload can write there. It is
deleted once the service shows everything in it. Nobody is asked anything here.
"""

import json
import re
import time
from typing import Any

from local.core import workspace
from local.kaggle_api.models_api import UploadSession
from local.publishing.upload_plan import PlannedFile, PlannedInstance
from shared.core import manifest

PATIENCE = 900.0  # seconds in which an accepted version may not be visible yet: the service has to unpack it first
KEPT = 6 * 24 * 3600.0  # seconds; after a week the storage forgets an upload
KINDS = {
    "uploads": {"sha256": str, "url": str, "token": str, "at": float},
    "sent": {"sha256": str, "before": int, "lost": bool, "at": float},
}


class UploadRecord:
    """What was begun of publishing a model, whose manifest has that hash, to one place."""

    def __init__(self, where: str, sha256: str) -> None:
        name = re.sub(r"[^\w.-]+", "-", where, flags=re.ASCII)
        self.path = workspace.state() / "publishing" / f"{name}.json"
        self.sha256 = sha256
        self._facts = self._read()

    def sent(self, instance: PlannedInstance) -> dict[str, Any] | None:
        """What was sent of these very files lately: the version `before` it, and whether its answer was `lost`."""
        return self._fresh("sent", instance.framework, self.sha256, PATIENCE)

    def note_sent(self, instance: PlannedInstance, version_before: int, *, lost: bool) -> None:
        """Before a version is made: as lost; once it was answered: as not."""
        self._write("sent", instance.framework, {"sha256": self.sha256, "before": version_before, "lost": lost})

    def forget_sent(self, instance: PlannedInstance) -> None:
        """The service refused it, or shows it."""
        if instance.framework in self._facts["sent"]:
            self._write("sent", instance.framework, None)

    def session(self, instance: PlannedInstance, file: PlannedFile) -> UploadSession | None:
        """The upload session of a file, if one was started."""
        entry = self._fresh("uploads", f"{instance.framework}/{file.name}", file.sha256, KEPT)
        return UploadSession(url=entry["url"], token=entry["token"]) if entry else None

    def note_session(self, instance: PlannedInstance, file: PlannedFile, session: UploadSession | None) -> None:
        """The upload of a file was started; None: it has to start again."""
        entry = {"sha256": file.sha256, "url": session.url, "token": session.token} if session else None
        self._write("uploads", f"{instance.framework}/{file.name}", entry)

    def forget_sessions(self, instance: PlannedInstance) -> None:
        """The uploads are of no use any more."""
        for file in instance.files:
            self.note_session(instance, file, None)

    def clear(self) -> None:
        """All is published: only versions that were accepted, and may not be visible yet, are kept."""
        for key in list(self._facts["uploads"]):
            self._write("uploads", key, None)
        if not self._facts["sent"]:
            self.path.unlink(missing_ok=True)

    def _fresh(self, kind: str, name: str, sha256: str, seconds: float) -> dict[str, Any] | None:
        entry = self._facts[kind].get(name)
        return entry if entry and entry["sha256"] == sha256 and time.time() - entry["at"] < seconds else None

    def _read(self) -> dict[str, Any]:
        try:
            facts = json.loads(self.path.read_text(encoding="utf-8"))
            sound = all(_types(entry) == KINDS[kind] for kind in KINDS for entry in facts[kind].values())
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            sound = False
        return facts if sound else {kind: {} for kind in KINDS}

    def _write(self, kind: str, name: str, entry: dict[str, Any] | None) -> None:
        self._facts[kind].pop(name, None)
        if entry:
            self._facts[kind][name] = entry | {"at": time.time()}
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        manifest.write_json(self.path, self._facts)


def _types(entry: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in entry.items()}
