"""Kernels and their versions on disk: a server that is killed and started again loses nothing.

    <state>/kernels/<owner>/<slug>/kernel.json      title, current version, settings of the latest push
    <state>/kernels/<owner>/<slug>/<n>/             one version, which is one Kaggle session
        push.json  source.ipynb                     as pushed
        status.json  log.jsonl                      written by the session's own process
        __notebook__.ipynb                          as executed so far
        kaggle/working  kaggle/input                the notebook's folder, and `../input` beside it until the end
    <state>/live/                                   one marker a session that has not been seen to end
    <state>/quota.jsonl                             ended GPU sessions

Files that can be read while they are written appear by renaming. The store knows nothing of HTTP or of the
rules.
"""

import json
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.emulator.sessions import processes
from local.emulator.sessions.folders import remove
from local.emulator.sessions.session import write_json
from local.emulator.storage.kernels import ENDED, Kernel, Version
from local.emulator.storage.quota import QuotaUse

_PART = re.compile(r"[^/\0]{1,60}")  # an owner or a slug; longer ones no disk takes


class KernelStore:
    """A state folder. Several threads of a server may use it; one server at a time has it."""

    def __init__(self, state: Path) -> None:
        self.state = state.resolve()
        self.ledger = QuotaUse(self.state / "quota.jsonl")
        self._lock = threading.RLock()
        self._children: dict[Path, subprocess.Popen[bytes]] = {}
        for name in ("kernels", "live", "trash", "parts"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        processes.prepare(self.state)

    def kernel(self, owner: str, slug: str) -> Kernel | None:
        """The kernel, if it is there."""
        if not all(map(_PART.fullmatch, (owner, slug))):
            return None
        kernel = Kernel(self.state / "kernels" / owner / slug)
        plain = kernel.folder.resolve().parent.parent == self.state / "kernels"
        return kernel if plain and (kernel.folder / "kernel.json").exists() else None

    def kernels(self) -> list[Kernel]:
        """All kernels, the one pushed last first."""
        found = [Kernel(path.parent) for path in (self.state / "kernels").glob("*/*/kernel.json")]
        return sorted(found, key=lambda kernel: float(kernel.about["saved_at"]), reverse=True)

    def add_version(
        self,
        owner: str,
        slug: str,
        *,
        title: str,
        source: str,
        push: dict[str, Any],
        inputs: Path,
        remarks: list[str],
    ) -> Version:
        """Files a push as the next version, QUEUED. Nothing runs yet: see `start`.

        `inputs` is a folder on the same disk that becomes the session's `../input`; `remarks` begin its log.
        """
        kernel = Kernel(self.state / "kernels" / owner / slug)
        number = kernel.about["current"] + 1 if (kernel.folder / "kernel.json").exists() else 1
        version = Version(kernel.folder / str(number))
        # Left behind by a server that was killed before kernel.json named it.
        remove(version.folder)
        version.working.mkdir(parents=True)
        inputs.rename(version.folder / "kaggle" / "input")
        (version.folder / "source.ipynb").write_text(source, encoding="utf-8")
        lines = [json.dumps({"stream_name": "stderr", "time": 0.0, "data": text + "\n"}) + "\n" for text in remarks]
        (version.folder / "log.jsonl").write_text("".join(lines), encoding="utf-8")
        write_json(version.folder / "status.json", {"status": "QUEUED"})
        write_json(version.folder / "push.json", push)
        about = {"title": title, "current": number, "saved_at": time.time(), "push": push}
        write_json(kernel.folder / "kernel.json", about)
        self._mark(version)
        return version

    @contextmanager
    def undone(self, owner: str, slug: str) -> Iterator[None]:
        """Inside, a version that cannot be written or started on a full disk leaves the kernel unchanged."""
        kernel = Kernel(self.state / "kernels" / owner / slug)
        before = kernel.about if (kernel.folder / "kernel.json").exists() else None
        try:
            yield
        except OSError:
            version = Version(kernel.folder / str(before["current"] + 1 if before else 1))
            (self.state / "live" / str(version.session_id)).unlink(missing_ok=True)
            remove(version.folder)  # first, to free its space
            if before:
                write_json(kernel.folder / "kernel.json", before)
            else:
                remove(kernel.folder)
            raise

    def start(self, version: Version) -> None:
        """Starts the session's process, detached from this one."""
        with self._lock:
            gpu = version.push["gpu"]
            self._children[version.folder] = processes.spawn(self.state, version.folder, gpu=gpu)

    def resume(self) -> None:
        """After a restart: clears what was half done, and starts what was filed but not started."""
        for name in ("trash", "parts"):
            remove(self.state / name)
            (self.state / name).mkdir(exist_ok=True)
        for version in filter(None, (kernel.version() for kernel in self.kernels())):
            if version.status()["status"] == "QUEUED":
                self._mark(version)
        for version in self._marked():
            if version.status()["status"] == "QUEUED":
                self.start(version)

    def status(self, version: Version) -> dict[str, Any]:
        """`status`, `failure_message`, `started_at`, `ended_at`; one whose process is gone becomes ERROR."""
        with self._lock:
            value = version.status()
            if not self._lives(version, value):
                value = version.status()  # it may have written its end between the two looks
                if not self._lives(version, value):
                    value |= {
                        "status": "ERROR",
                        "failure_message": self._epitaph(version),
                        "ended_at": time.time(),
                    }
                    write_json(version.folder / "status.json", value)
            if value["status"] in ENDED:
                self._retire(version, value)
            return value

    def live(self) -> list[Version]:
        """The sessions that are queued or running."""
        with self._lock:
            return [version for version in self._marked() if not self._has_ended(version)]

    def _has_ended(self, version: Version) -> bool:
        try:
            return self.status(version)["status"] in ENDED
        except OSError:  # its end cannot be written down: that is said to whoever asks after it
            return False

    def cancel(self, version: Version) -> None:
        """Ends a session with all it started; what it has written so far stays as its output."""
        with self._lock:
            value = self.status(version)
            if value["status"] in ENDED:
                return
            write_json(version.folder / "status.json", value | {"status": "CANCEL_REQUESTED"})
            self._kill(version, value)
            value |= {"status": "CANCEL_ACKNOWLEDGED", "ended_at": time.time()}
            write_json(version.folder / "status.json", value)
            self._retire(version, value)

    def delete(self, kernel: Kernel) -> None:
        """Ends the kernel's sessions and removes it with all its versions."""
        with self._lock:
            for version in self._marked():
                if version.folder.parent == kernel.folder:
                    self.cancel(version)
            trash = self.state / "trash" / uuid.uuid4().hex
            kernel.folder.rename(trash)
            remove(trash)

    def gpu_seconds(self, now: float) -> float:
        """GPU time used since the quota's last refresh, running sessions included."""
        with self._lock:
            running = [
                (float(value["started_at"]), now)
                for version in self.live()
                if version.push["gpu"] and "started_at" in (value := version.status())
            ]
            return self.ledger.used(now, running)

    def close(self) -> None:
        """Ends every session; for tests, and when the emulator is stopped."""
        for version in self.live():
            self.cancel(version)

    def let_go(self) -> None:
        """Leaves the sessions under way to themselves, for a server that goes; the next one finds them on disk."""
        with self._lock:
            for child in self._children.values():
                processes.forget(child)
            self._children.clear()

    def _mark(self, version: Version) -> None:
        # Renamed into place: who looks through live/ never finds an empty marker.
        part = self.state / "parts" / uuid.uuid4().hex
        part.write_text(version.name, encoding="utf-8")
        part.replace(self.state / "live" / str(version.session_id))

    def _marked(self) -> list[Version]:
        """The versions that have a marker; one whose version is gone loses it."""
        found = []
        for marker in sorted((self.state / "live").iterdir()):
            try:
                version = Version(self.state / "kernels" / marker.read_text(encoding="utf-8"))
            except FileNotFoundError:
                continue
            if (version.folder / "status.json").exists():
                found.append(version)
            else:
                marker.unlink(missing_ok=True)
        return found

    def _lives(self, version: Version, value: dict[str, Any]) -> bool:
        """False for a session that says it is under way while none of its processes is."""
        child = self._children.get(version.folder)
        if value["status"] in ENDED or (child is not None and child.poll() is None):
            return True
        # Not started by this server: QUEUED is for `resume`, and for the rest the process must be there.
        waiting = value["status"] == "QUEUED" and child is None
        return waiting or processes.find(value.get("pid"), version.folder) is not None

    def _kill(self, version: Version, value: dict[str, Any]) -> None:
        child = self._children.get(version.folder)
        process = processes.find(value.get("pid") or (child.pid if child else None), version.folder)
        if process is not None:
            processes.kill(process)

    def _epitaph(self, version: Version) -> str:
        """The failure message of a session that ended without writing one: its last words, but no mere remarks."""
        noise = version.folder / "process.txt"
        text = noise.read_text(encoding="utf-8", errors="replace") if noise.exists() else ""
        lines = [line for line in text.strip().splitlines() if not line.startswith("[")]
        return "The session's process died" + (f": {lines[-1]}" if lines else ".")

    def _retire(self, version: Version, value: dict[str, Any]) -> None:
        """Once a session is seen to have ended: its inputs, temporary files and marker go, its GPU time is booked."""
        child = self._children.pop(version.folder, None)
        if child is not None:
            child.wait()
        marker = self.state / "live" / str(version.session_id)
        if marker.exists():
            if version.push["gpu"] and "started_at" in value:
                self.ledger.book(float(value["started_at"]), float(value["ended_at"]))
            remove(version.folder / "kaggle" / "input")
            processes.clear(version.folder)
            marker.unlink()
