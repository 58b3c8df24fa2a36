"""The journal: one folder a run under `.k2l/runs/`, so that nothing is pushed twice and nothing is lost.

A run is written down before it is pushed (its intent), after it (its version), and after every step since. Each
writing replaces the file in one step; a process killed at any moment leaves the last step that was finished.
Beside `run.json` lie the notebook as it was pushed, and the log.
"""

import dataclasses
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

from local import paths
from shared import manifest
from shared.errors import KernelError

# intended -> pushed -> complete -> pulled -> done; or swept, where a sweep read its scores and took nothing home; or
# failed, or cancelled.
UNFINISHED = ("intended", "pushed", "complete", "pulled")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One push of ours. `version` is 0 until the service has given one; `remote` is the service's label.

    `sweep` is the study whose trial it trains, if it is one of a search's. `accelerator` is "" for runs of old.
    """

    run_id: str
    remote: str
    owner: str
    slug: str
    name: str
    framework: str
    dataset: str
    bundle_sha256: str
    source_commit: str
    parameters: dict[str, Any]
    state: str = "intended"
    version_before: int = 0
    version: int = 0
    url: str = ""
    message: str = ""
    created_at: str = ""
    updated_at: str = ""
    sweep: str = ""
    accelerator: str = ""

    @property
    def folder(self) -> Path:
        """Where this run's papers lie."""
        return folder() / self.run_id

    @property
    def notebook(self) -> Path:
        """The notebook, byte for byte as it is pushed."""
        return self.folder / "notebook.ipynb"

    @property
    def log(self) -> Path:
        """The run's log as plain text, once there is one."""
        return self.folder / "run.log"

    @property
    def stage(self) -> Path:
        """Where a pull gathers the files, outside `models/`, until all are there and checked."""
        return self.folder / "pull"

    @property
    def title(self) -> str:
        """`owner/slug version n` for people."""
        return f"{self.owner}/{self.slug}" + (f" version {self.version}" if self.version else "")

    @property
    def seconds(self) -> float:
        """From the intent to the last step that was written down."""
        begin, end = (datetime.fromisoformat(when) for when in (self.created_at, self.updated_at))
        return (end - begin).total_seconds()

    @property
    def age(self) -> float:
        """Seconds since the intent was written down."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.created_at)).total_seconds()

    def keep_log(self, text: str) -> None:
        """Keeps the log, unless there is nothing to keep."""
        if text:
            self.log.write_text(text, encoding="utf-8")

    def record(self, **changes: Any) -> "Run":
        """The run with these fields changed, as it now stands in the journal."""
        run = dataclasses.replace(self, **changes, updated_at=manifest.now())
        run.folder.mkdir(parents=True, exist_ok=True)
        manifest.write_json(run.folder / "run.json", dataclasses.asdict(run))
        return run


def folder() -> Path:
    """The journal's folder."""
    return paths.state() / "runs"


def new_id() -> str:
    """A run's name: when (UTC), and four random bytes against two in one second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def intend(run: Run, notebook: str) -> Run:
    """Writes a run down, with its notebook, before anything leaves. Raises KernelError where that cannot be done."""
    try:
        run.folder.mkdir(parents=True)
        run.notebook.write_bytes(notebook.encode())
        return run.record(created_at=manifest.now())
    except OSError as error:
        raise KernelError(f"the journal cannot be written ({error}). Nothing was pushed.") from None


def every() -> list[Run]:
    """All runs, oldest first."""
    return sorted(_readable(), key=lambda run: (run.created_at, run.run_id))


def get(run_id: str) -> Run:
    """The run of that id, or of the only one that begins so. Raises KernelError with the ids there are."""
    found = [run for run in every() if run.run_id.startswith(run_id)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(run.run_id for run in every()[-5:]) or "none"
    problem = f"{len(found)} runs begin with {run_id!r}" if found else f"there is no run {run_id!r}"
    raise KernelError(f"{problem}. The latest are: {there}. All: k2l runs")


def latest(*states: str) -> Run:
    """The latest run in one of these states, but for those of a search. Raises KernelError if none is."""
    found = [run for run in every() if run.state in states and not run.sweep]
    if not found:
        raise KernelError(f"no run is {' or '.join(states)}. Start one with k2l push or k2l loop; all: k2l runs")
    return found[-1]


def unfinished(*, remote: str, owner: str, slug: str, name: str, bundle_sha256: str) -> Run | None:
    """The latest run of the same bundle to the same place that has not come to its end: the one to go on with."""
    key = (remote, owner, slug, name, bundle_sha256)
    same = [run for run in every() if (run.remote, run.owner, run.slug, run.name, run.bundle_sha256) == key]
    return same[-1] if same and same[-1].state in UNFINISHED else None


def lock(name: str) -> AcquireReturnProxy[FileLock]:
    """Held (`with lock(name):`) while a model is being made, so that a second command says so instead of racing it."""
    folder().mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(folder() / f"{name}.lock").acquire(timeout=0)
    except Timeout:
        raise KernelError(f"another command of k2l is at work on {name!r}. Wait for it, or end it first.") from None


def _readable() -> Iterator[Run]:
    """Runs whose file is whole; a folder whose run was never written down holds nothing that left this machine."""
    known = {field.name for field in dataclasses.fields(Run)}
    for path in folder().glob("*/run.json"):
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            yield Run(**{key: value for key, value in table.items() if key in known})
        except (ValueError, TypeError) as error:
            raise KernelError(
                f"{path} is damaged ({error}). Move that folder away; the other runs are whole."
            ) from None
