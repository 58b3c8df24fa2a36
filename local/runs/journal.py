"""The journal: one folder a run under `.k2l/runs/`, so that nothing is pushed twice and nothing is lost.

A run is written down before it is pushed (its intent), after it (its version), and after every step since. Each step
is a line added to `run.jsonl`, the whole run as it then stood: the last line that is whole counts, so that a kill, a
full disk or a file cut short costs one step at most, and that step is taken again. Beside it lie the notebook as it was
pushed, the log, and what a run that failed left behind.
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

# intended -> pushed -> complete -> pulled -> done; or swept, where a sweep read its scores and took nothing home; or
# failed, or cancelled.
UNFINISHED = ("intended", "pushed", "complete", "pulled")
STATES = (*UNFINISHED, "done", "swept", "failed", "cancelled")
STEPS = "run.jsonl"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One push of ours. `version` is 0 until the service has given one; `remote` is the service's label.

    `sweep` is the study whose trial it trains, if it is one of a search's; `accelerator` is "" where it is not known;
    `time_limit` is in seconds, 0 if unknown. `failed_pushes` counts how often the service failed over the push.
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
    def parts(self) -> Path:
        """Where files gather until they are whole."""
        return self.folder / "parts"

    @property
    def partial(self) -> Path:
        """What a run that failed or was cancelled left behind; nobody vouches for it."""
        return self.folder / "partial"

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

    @property
    def idle(self) -> timedelta:
        """Since the last step that was written down."""
        return datetime.now(UTC) - datetime.fromisoformat(self.updated_at)

    def keep_log(self, text: str) -> None:
        """Keeps the log, unless there is nothing to keep."""
        if text:
            files.write(self.log, text.encode())

    def record(self, **changes: Any) -> "Run":
        """The run with these fields changed, as it now stands in the journal."""
        run = dataclasses.replace(self, **changes, updated_at=manifest.now())
        run.folder.mkdir(parents=True, exist_ok=True)
        path = run.folder / STEPS
        with files.room_for(path), open(path, "ab", opener=files.unfollowed) as steps:
            # The line break first: what a kill or a full disk left of the line before ends there.
            steps.write(("\n" + json.dumps(dataclasses.asdict(run), ensure_ascii=False)).encode())
            steps.flush()
            os.fsync(steps.fileno())
        return run


def folder() -> Path:
    """The journal's folder."""
    return workspace.state() / "runs"


def new_id() -> str:
    """A run's name: when (UTC), and four random bytes against two in one second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def intend(run: Run, notebook: str) -> Run:
    """Writes a run down, with its notebook, before anything leaves. Raises KernelError or DiskFullError where not."""
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
    """All runs, oldest first; those that cannot be read are left to `damaged`."""
    found = filter(None, map(_read, folder().glob(f"*/{STEPS}")))
    return sorted(found, key=lambda run: (run.created_at, run.run_id))


def damaged() -> list[Path]:
    """The folders of runs of which no step can be read."""
    return sorted(path.parent for path in folder().glob(f"*/{STEPS}") if _read(path) is None)


def accuracies() -> dict[str, float]:
    """Test accuracy by run id, of every run whose manifest is here: at home, replaced since, or read by a sweep."""
    found = {}
    for path in (*workspace.models().glob("*/"), *folder().glob("*/replaced*/"), *folder().glob("*/pull/")):
        with suppress(ModelError, KeyError, TypeError, ValueError):
            stated = manifest.read(path)
            found[stated.run_id] = float(stated.test_accuracy)
    return found


def unwritten(seconds: float) -> list[Path]:
    """Folders so old in which no run was written down: their push was never sent."""
    found = (path for path in folder().glob("*/") if not (path / STEPS).exists())
    return sorted(path for path in found if time.time() - path.stat().st_mtime > seconds)


def get(run_id: str) -> Run:
    """The run of that id, or of the only one that begins so. Raises KernelError with the ids there are."""
    found = [run for run in every() if run.run_id.startswith(run_id)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(run.run_id for run in every()[-5:]) or "none"
    problem = f"{len(found)} runs begin with {run_id!r}" if found else f"there is no run {run_id!r}"
    broken = "".join(f"\n{path / STEPS} is damaged: no step of it can be read." for path in damaged())
    raise KernelError(f"{problem}. The latest are: {there}. All: k2l runs{broken}")


def latest(*states: str) -> Run:
    """The latest run in one of these states, but for those of a search. Raises KernelError if none is."""
    found = [run for run in every() if run.state in states and not run.sweep]
    if not found:
        none = f"no run is {' or '.join(states)}" if len(states) < len(STATES) else "there is no run"
        raise KernelError(f"{none}. Start one with k2l push or k2l loop; all: k2l runs")
    return found[-1]


def unfinished(*, remote: str, owner: str, slug: str, name: str, bundle_sha256: str) -> Run | None:
    """The latest run of the same bundle to the same place that has not come to its end: the one to go on with."""
    if run := same(remote=remote, owner=owner, slug=slug, name=name, bundle_sha256=bundle_sha256):
        return run if run.state in UNFINISHED else None
    for path in damaged():
        _check_other(path, bundle_sha256)
    return None


def same(**key: str) -> Run | None:
    """The latest run of the same bundle to the same place, however it stands."""
    found = [run for run in every() if all(getattr(run, name) == value for name, value in key.items())]
    return found[-1] if found else None


def lock(name: str) -> AcquireReturnProxy[FileLock]:
    """Held (`with lock(name):`) while a model is being made, so that a second command says so instead of racing it."""
    folder().mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(folder() / f"{name}.lock").acquire(timeout=0)
    except Timeout:
        raise KernelError(f"another command of k2l is at work on {name!r}. Wait for it, or end it first.") from None


def _read(path: Path) -> Run | None:
    """The run as its last whole line has it; None where there is none."""
    known = {field.name for field in dataclasses.fields(Run)}
    for line in reversed(path.read_bytes().splitlines()):
        try:
            run = Run(**{key: value for key, value in json.loads(line).items() if key in known})
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        if run.run_id == path.parent.name and _sound(run):
            return run
    return None


def _sound(run: Run) -> bool:
    """Whether each field is of its type, and times are times: any JSON can stand in a line that was damaged."""
    typed = all(
        isinstance(getattr(run, one.name), get_origin(one.type) or one.type)  # type: ignore[arg-type]
        for one in dataclasses.fields(Run)
    )
    try:
        return typed and run.seconds is not None and run.age is not None and run.idle is not None
    except (ValueError, TypeError, OverflowError):
        return False


def _check_other(path: Path, bundle_sha256: str) -> None:
    """KernelError where a run that cannot be read may be the very one that is about to be pushed."""
    notebook = path / "notebook.ipynb"
    if notebook.is_file() and bundle_sha256 in notebook.read_text(encoding="utf-8", errors="replace"):
        raise KernelError(
            f"{path / STEPS} is damaged, and was of this very training: it may have been pushed already.\n"
            "Look at the kernel's page. If it is not there, move that folder away and push again; else --again."
        )
