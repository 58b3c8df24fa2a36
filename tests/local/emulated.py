"""A real emulator on a free loopback port, for tests and for scripts: `Emulated(folder)`, and `close()` in the end."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
import uvicorn.server

from local.emulator.serving import Running
from local.emulator.sessions.session import write_json
from local.emulator.storage.kernels import ENDED, Version

# uvicorn looks every tenth of a second whether it is to end, and then waits another: hundreds of tests end a server.
uvicorn.server.asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": lambda seconds: asyncio.sleep(seconds / 20)})


def as_notebook(*cells: str, kernelspec: bool = True) -> str:
    """A notebook's JSON with these code cells."""
    made = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": text,
        }
        for n, text in enumerate(cells)
    ]
    spec = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    metadata = spec if kernelspec else {}
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


KAGGLE = Path(sys.executable).with_name("kaggle")


class Emulated:
    """A running emulator as tests use it: `url`, `username`, `key`, `store`, `service`, `faults`, and calls."""

    def __init__(self, state: Path, **options: Any) -> None:
        self.state, self.options = state, options
        self.http = requests.Session()
        self.http.trust_env = False
        self.start()

    def start(self, **options: Any) -> None:
        ready = threading.Event()
        self.running = Running(self.state, **{**self.options, **options})
        self.thread = threading.Thread(target=self.running.serve, args=(ready.set,))
        self.thread.start()
        assert ready.wait(10)
        self.url, self.username, self.key = self.running.url, self.running.username, self.running.key
        self.service, self.faults = self.running.service, self.running.faults
        self.store = self.service.store

    def leave(self) -> None:
        """The server goes, its sessions stay: as if it had been killed."""
        self.running.stop()
        self.thread.join()

    def close(self) -> None:
        self.leave()
        self.store.close()
        self.http.close()

    def call(self, method: str, service: str = "kernels.KernelsApiService", **fields: Any) -> requests.Response:
        """One method, with the right key."""
        return self.http.post(
            f"{self.url}/api/v1/{service}/{method}", json=fields, auth=(self.username, self.key), timeout=30
        )

    def push(self, slug: str, /, *cells: str, **fields: Any) -> requests.Response:
        """Pushes a notebook of these cells."""
        usual = {
            "slug": f"{self.username}/{slug}",
            "newTitle": slug.replace("-", " ").title(),
            "text": as_notebook(*cells),
            "language": "python",
            "kernelType": "notebook",
        }
        return self.call("SaveKernel", **{**usual, **fields})

    def status(self, slug: str, **fields: Any) -> str:
        answer = self.call("GetKernelSessionStatus", userName=self.username, kernelSlug=slug, **fields)
        answer.raise_for_status()
        return str(answer.json().get("status", "QUEUED"))

    def wait(self, slug: str, patience: float = 30, wanted: frozenset[str] = ENDED, **fields: Any) -> str:
        """Waits until the session has one of the wanted statuses, an end unless said otherwise."""
        deadline = time.monotonic() + patience
        while (status := self.status(slug, **fields)) not in wanted:
            assert time.monotonic() < deadline, f"{slug} is still {status}"
            time.sleep(0.03)
        return status

    def outputs(self, slug: str, **fields: Any) -> dict[str, Any]:
        answer = self.call("ListKernelSessionOutput", userName=self.username, kernelSlug=slug, **fields)
        answer.raise_for_status()
        return dict(answer.json())

    def said(self, slug: str, stream: str = "stdout") -> str:
        """What the log holds of one stream."""
        records = json.loads(self.outputs(slug)["log"])
        return "".join(record["data"] for record in records if record["stream_name"] == stream)

    def version(self, slug: str, number: int | None = None) -> Version:
        return self.service.find_version(self.username, slug, number)

    def finished(self, slug: str, files: dict[str, bytes] | None = None, status: str = "COMPLETE") -> Version:
        """A version that has ended, without running anything: for tests of what comes after."""
        inputs = self.state / f"{slug}.{time.time_ns()}"
        inputs.mkdir()
        push = {"gpu": False, "timeout_seconds": 60, "language": "python"}
        version = self.store.add_version(
            self.username,
            slug,
            title=slug,
            source=as_notebook("1"),
            push=push,
            inputs=inputs,
            remarks=["it ran"],
        )
        for name, content in (files or {}).items():
            (version.working / name).parent.mkdir(parents=True, exist_ok=True)
            (version.working / name).write_bytes(content)
        ended = {"status": status, "started_at": time.time(), "ended_at": time.time()}
        write_json(version.folder / "status.json", ended)
        return version

    def kaggle(self, home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The unmodified `kaggle` command, in a home of its own."""
        return subprocess.run(
            [str(KAGGLE), *arguments],
            env=self.environment(home) | environment,
            cwd=home,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def environment(self, home: Path) -> dict[str, str]:
        """With these variables alone the unmodified `kaggle` command and kagglehub reach this emulator."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "KAGGLE_USERNAME": self.username,
            "KAGGLE_KEY": self.key,
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "HTTP_PROXY": self.url,
            "NO_PROXY": "",
            "KAGGLEHUB_CACHE": str(home / "kagglehub"),
        }
