"""What was begun of a publishing, on this disk, so that the same command goes on with it.

    ledger = Ledger("emulator-me/k2l-compact", manifest_sha256)
    ledger.note_place(shipment, item, place)        an upload was begun there
    ledger.note_sent(shipment, 2, lost=True)        a version is about to be made, after version 2

One file a model and service, in a folder for this user alone: who has the place of an upload can write there. It is
gone once all that it tells can be seen at the service. Nobody is asked anything here.
"""

import json
import re
import time
from typing import Any

from local.core import workspace
from local.kaggle_api.models_api import UploadTarget
from local.publishing.upload_plan import Item, Shipment
from shared.core import manifest

PATIENCE = 900.0  # seconds in which a version that was taken may not be seen yet: the service has to unpack it first
KEPT = 6 * 24 * 3600.0  # seconds; after a week the storage forgets an upload that was begun
KINDS = {
    "uploads": {"sha256": str, "url": str, "token": str, "at": float},
    "sent": {"sha256": str, "before": int, "lost": bool, "at": float},
}


class Ledger:
    """What was begun of publishing a model, whose manifest has that hash, to one place."""

    def __init__(self, where: str, sha256: str) -> None:
        name = re.sub(r"[^\w.-]+", "-", where, flags=re.ASCII)
        self.path = workspace.state() / "publishing" / f"{name}.json"
        self.sha256 = sha256
        self._facts = self._read()

    def sent(self, shipment: Shipment) -> dict[str, Any] | None:
        """What was sent of this very shipment lately: the version before it, and whether its answer was lost."""
        entry = self._facts["sent"].get(shipment.framework)
        fresh = entry and entry["sha256"] == self.sha256 and time.time() - entry["at"] < PATIENCE
        return dict(entry) if fresh else None

    def note_sent(self, shipment: Shipment, version_before: int, *, lost: bool) -> None:
        """Before a shipment is made a version: as lost, and once it was answered, as not."""
        entry = {"sha256": self.sha256, "before": version_before, "lost": lost, "at": time.time()}
        self._write("sent", shipment.framework, entry)

    def forget_sent(self, shipment: Shipment) -> None:
        """The service said no, or shows it."""
        if shipment.framework in self._facts["sent"]:
            self._write("sent", shipment.framework, None)

    def place(self, shipment: Shipment, item: Item) -> UploadTarget | None:
        """Where the upload of a file was begun."""
        entry = self._facts["uploads"].get(f"{shipment.framework}/{item.name}")
        fresh = entry and entry["sha256"] == item.sha256 and time.time() - entry["at"] < KEPT
        return UploadTarget(url=entry["url"], token=entry["token"]) if fresh else None

    def note_place(self, shipment: Shipment, item: Item, place: UploadTarget | None) -> None:
        """That the upload of a file was begun, or, with None, that it begins anew."""
        entry = {"sha256": item.sha256, "url": place.url, "token": place.token, "at": time.time()} if place else None
        self._write("uploads", f"{shipment.framework}/{item.name}", entry)

    def forget_uploads(self, shipment: Shipment) -> None:
        """What was uploaded is of no use any more."""
        for item in shipment.items:
            self.note_place(shipment, item, None)

    def clear(self) -> None:
        """All is there: nothing but what was answered, and may not be seen yet, has to be known."""
        for key in list(self._facts["uploads"]):
            self._write("uploads", key, None)
        if not self._facts["sent"]:
            self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            facts = json.loads(self.path.read_text(encoding="utf-8"))
            sound = all(_kinds(entry) == KINDS[key] for key in KINDS for entry in facts[key].values())
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            sound = False
        return facts if sound else {key: {} for key in KINDS}

    def _write(self, key: str, name: str, entry: dict[str, Any] | None) -> None:
        self._facts[key].pop(name, None)
        if entry:
            self._facts[key][name] = entry
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        manifest.write_json(self.path, self._facts)


def _kinds(entry: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in entry.items()}
