"""The journal: one folder for each run under `.k2l/runs/`, so that nothing is pushed twice and nothing is lost.

A run is recorded before its push (its intent), after it (its version), and after every later step. Each step adds a
line to `run.jsonl` with the complete state of the run. The last complete line counts: a kill, a full disk or a file cut
short costs one step at most, and that step is repeated. The folder also has the notebook as it was pushed, the log, and
the files of a run that failed.
"""

import dataclasses
import json
import os
import secrets
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_origin

from filelock import AcquireReturnProxy, FileLock, Timeout

from local.core import workspace
from shared.core import files, manifest
from shared.core.errors import DiskFullError, KernelError, ModelError
from shared.core.home import ANOTHER

# intended -> pushed -> complete -> pulled -> done; or swept, if a sweep read its scores and installed nothing; or
# failed, or cancelled.
UNFINISHED = ("intended", "pushed", "complete", "pulled")
STATES = (*UNFINISHED, "done", "swept", "failed", "cancelled")
STEPS = "run.jsonl"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One push of ours. `version` is 0 until the service gives one; `remote` is the service's label.

    `sweep` is the study of its trial, if it belongs to a search; `accelerator` is "" if unknown;
    `time_limit` is in seconds, 0 if unknown. `failed_pushes` counts how often the service failed during the push.
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
    time_limit: int = 0
    failed_pushes: int = 0

    @property
    def folder(self) -> Path:
        """The folder of this run's files."""
        return folder() / self.run_id

    @property
    def notebook(self) -> Path:
        """The notebook, byte for byte as pushed."""
        return self.folder / "notebook.ipynb"

    @property
    def log(self) -> Path:
        """The run's log as plain text, once there is one."""
        return self.folder / "run.log"

    @property
    def stage(self) -> Path:
        """Where a pull collects the files, outside `models/`, until all are complete and checked."""
        return self.folder / "pull"

    @property
    def parts(self) -> Path:
        """Where files are until they are complete."""
        return self.folder / "parts"

    @property
    def partial(self) -> Path:
        """The files of a run that failed or was cancelled, not verified."""
        return self.folder / "partial"

    @property
    def title(self) -> str:
        """`owner/slug version n` for people."""
        return f"{self.owner}/{self.slug}" + (f" version {self.version}" if self.version else "")

    @property
    def seconds(self) -> float:
        """From the intent to the last recorded step."""
        begin, end = (datetime.fromisoformat(when) for when in (self.created_at, self.updated_at))
        return (end - begin).total_seconds()

    @property
    def age(self) -> float:
        """Seconds since the intent was recorded."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.created_at)).total_seconds()

    @property
    def idle(self) -> timedelta:
        """Since the last recorded step."""
        return datetime.now(UTC) - datetime.fromisoformat(self.updated_at)

    def save_log(self, text: str) -> None:
        """Saves the log, unless it is empty."""
        if text:
            files.write(self.log, text.encode())

    def record(self, **changes: Any) -> "Run":
        """The run with these fields changed, as it is now recorded in the journal."""
        run = dataclasses.replace(self, **changes, updated_at=manifest.now())
        run.folder.mkdir(parents=True, exist_ok=True)
        path = run.folder / STEPS
        with files.full_disk_error(path), open(path, "ab", opener=files.no_follow) as steps:
            # The line break first: it ends a line that a kill or a full disk cut short.
            steps.write(("\n" + json.dumps(dataclasses.asdict(run), ensure_ascii=False)).encode())
            steps.flush()
            os.fsync(steps.fileno())
        return run


def folder() -> Path:
    """The journal's folder."""
    return workspace.state() / "runs"


def new_id() -> str:
    """A run's id: the time (UTC), and four random bytes in case of two in one second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def intend(run: Run, notebook: str) -> Run:
    """Records a run, with its notebook, before anything is sent. Raises KernelError or DiskFullError if that fails."""
    try:
        run.folder.mkdir(parents=True)
        files.write(run.notebook, notebook.encode())
        return run.record(created_at=manifest.now())
    except DiskFullError as error:
        shutil.rmtree(run.folder)
        raise DiskFullError(f"{error} Nothing was pushed.") from None
    except OSError as error:
        raise KernelError(
            f"the journal cannot be written ({error}). Nothing was pushed. Make room. {ANOTHER}"
        ) from None


def every() -> list[Run]:
    """All runs, oldest first; those that cannot be read are in `damaged`."""
    found = filter(None, map(_read, folder().glob(f"*/{STEPS}")))
    return sorted(found, key=lambda run: (run.created_at, run.run_id))


def damaged() -> list[Path]:
    """The folders of runs without a readable step."""
    return sorted(path.parent for path in folder().glob(f"*/{STEPS}") if _read(path) is None)


def accuracies() -> dict[str, float]:
    """Test accuracy by run id, of every run whose manifest is here: installed, replaced since, or read by a sweep."""
    found = {}
    for path in (*workspace.models().glob("*/"), *folder().glob("*/replaced*/"), *folder().glob("*/pull/")):
        with suppress(ModelError, KeyError, TypeError, ValueError):
            read = manifest.read(path)
            found[read.run_id] = float(read.test_accuracy)
    return found


def unwritten(seconds: float) -> list[Path]:
    """Folders of that age without a recorded run: their push was never sent."""
    found = (path for path in folder().glob("*/") if not (path / STEPS).exists())
    return sorted(path for path in found if time.time() - path.stat().st_mtime > seconds)


def get(run_id: str) -> Run:
    """The run of that id, or the only one that begins with it. Raises KernelError with the latest ids."""
    found = [run for run in every() if run.run_id.startswith(run_id)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(run.run_id for run in every()[-5:]) or "none"
    problem = f"{len(found)} runs begin with {run_id!r}" if found else f"there is no run {run_id!r}"
    broken = "".join(f"\n{path / STEPS} is damaged: none of its steps can be read." for path in damaged())
    raise KernelError(f"{problem}. The latest are: {there}. All: k2l runs{broken}")


def latest(*states: str) -> Run:
    """The latest run in one of these states, except those of a search. Raises KernelError if there is none."""
    found = [run for run in every() if run.state in states and not run.sweep]
    if not found:
        none = f"no run is {' or '.join(states)}" if len(states) < len(STATES) else "there is no run"
        raise KernelError(f"{none}. Start one with k2l push or k2l loop; all: k2l runs")
    return found[-1]


def unfinished(*, remote: str, owner: str, slug: str, name: str, bundle_sha256: str) -> Run | None:
    """The latest unfinished run of the same bundle to the same place: the one to resume."""
    if run := same(remote=remote, owner=owner, slug=slug, name=name, bundle_sha256=bundle_sha256):
        return run if run.state in UNFINISHED else None
    for path in damaged():
        _check_other(path, bundle_sha256)
    return None


def same(**key: str) -> Run | None:
    """The latest run of the same bundle to the same place, in any state."""
    found = [run for run in every() if all(getattr(run, name) == value for name, value in key.items())]
    return found[-1] if found else None


def lock(name: str) -> AcquireReturnProxy[FileLock]:
    """Locks a model's name (`with lock(name):`) while it is made, so that a second command fails at once."""
    folder().mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(folder() / f"{name}.lock").acquire(timeout=0)
    except Timeout:
        raise KernelError(f"another command of k2l is working on {name!r}. Wait for it, or stop it first.") from None


def _read(path: Path) -> Run | None:
    """The run in its last complete line; None if there is none."""
    known = {field.name for field in dataclasses.fields(Run)}
    for line in reversed(path.read_bytes().splitlines()):
        try:
            run = Run(**{key: value for key, value in json.loads(line).items() if key in known})
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        if run.run_id == path.parent.name and _valid(run):
            return run
    return None


def _valid(run: Run) -> bool:
    """Whether each field is of its type, and times are times: a damaged line can have any JSON."""
    typed = all(
        isinstance(getattr(run, one.name), get_origin(one.type) or one.type)  # type: ignore[arg-type]
        for one in dataclasses.fields(Run)
    )
    try:
        return typed and run.seconds is not None and run.age is not None and run.idle is not None
    except (ValueError, TypeError, OverflowError):
        return False


def _check_other(path: Path, bundle_sha256: str) -> None:
    """KernelError if an unreadable run may be the one that is about to be pushed."""
    notebook = path / "notebook.ipynb"
    if notebook.is_file() and bundle_sha256 in notebook.read_text(encoding="utf-8", errors="replace"):
        raise KernelError(
            f"{path / STEPS} is damaged, and belongs to this training: it may have been pushed already.\n"
            "Look at the kernel's page. If the run is not there, move that folder away and push; else use --again."
        )
