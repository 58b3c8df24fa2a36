"""Starts session processes, checks whether they run, and ends them with all their child processes.

A session is detached from the server: it gets its own process group and writes its own status and log, so it
outlives the server. Its environment is made from a short list of harmless names; no credential and no setting
of ours is in it.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from local.emulator.sessions import sandbox, session
from local.emulator.sessions.folders import remove
from shared.core import files

KEPT = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "SYSTEMDRIVE",
    "COMSPEC", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
)  # fmt: skip
SCRATCH = "scratch"  # the file that names the folder of a session's temporary files
NEW_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows' own way


def prepare(state: Path) -> None:
    """Writes what every session under `state` shares: the sandbox, and matplotlib's cache (seconds to build)."""
    (state / "sandbox").mkdir(parents=True, exist_ok=True)
    (state / "cache" / "matplotlib").mkdir(parents=True, exist_ok=True)
    files.write(state / "sandbox" / "sitecustomize.py", Path(sandbox.__file__).read_bytes())


def environment(state: Path, folder: Path, *, gpu: bool) -> dict[str, str]:
    """What the session's process sees around it; a GPU only where one was asked for, as on Kaggle."""
    values = {name: os.environ[name] for name in KEPT if name in os.environ}
    values |= {
        "KAGGLE_KERNEL_RUN_TYPE": "Batch",
        "HOME": str(folder / "home"),
        "USERPROFILE": str(folder / "home"),
        "MPLCONFIGDIR": str(state / "cache" / "matplotlib"),
        "PYTHONPATH": str(state / "sandbox"),
        "PYTHONUTF8": "1",
    }
    if not gpu:
        values["CUDA_VISIBLE_DEVICES"] = ""
    return values


def launch(command: list[str], *, folder: Path, environment: dict[str, str], noise: Path) -> subprocess.Popen[bytes]:
    """Starts a process in `folder` that outlives this one, and that Ctrl-C at this terminal does not reach.

    What it says is added to the file `noise`.
    """
    with noise.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            creationflags=NEW_GROUP,
        )


def spawn(state: Path, folder: Path, *, gpu: bool) -> subprocess.Popen[bytes]:
    """Starts the session of a version's folder; its own noise goes to `process.txt` there."""
    (folder / "home").mkdir(exist_ok=True)
    # Not under `folder`: the sockets of Python's own multiprocessing lie here, and their paths must be short.
    scratch = tempfile.mkdtemp(prefix="k2l-")
    (folder / SCRATCH).write_text(os.path.realpath(scratch), encoding="utf-8")
    return launch(
        [sys.executable, "-P", session.__file__, str(folder)],
        folder=folder / "kaggle" / "working",
        environment=environment(state, folder, gpu=gpu) | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch),
        noise=folder / "process.txt",
    )


def clear(folder: Path) -> None:
    """Removes what a session that has ended wrote for itself alone, as it goes with Kaggle's machine."""
    note = folder / SCRATCH
    if note.exists():
        remove(Path(note.read_text(encoding="utf-8")))
        note.unlink()


def forget(child: subprocess.Popen[bytes]) -> None:
    """Lets a detached process be: it is meant to outlive this one, so nothing is to warn of it."""
    child.returncode = 0


def is_over(process: psutil.Process) -> bool:
    """Whether a process has ended; one that its parent has not collected yet has."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait(family: list[psutil.Process], patience: float) -> bool:
    """Waits until all have ended, `patience` seconds at most; whether they have."""
    deadline = time.monotonic() + patience
    while not all(map(is_over, family)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def find(pid: int | None, folder: Path) -> psutil.Process | None:
    """The living process of the session in `folder`, or None; a pid that now belongs to another is not it."""
    try:
        process = psutil.Process(pid) if pid else None
        if process is None or is_over(process) or str(folder) not in process.cmdline():
            return None
    except psutil.Error:
        return None
    return process


def kill(process: psutil.Process, patience: float = 5) -> None:
    """Ends a process and all it started, and waits until they are gone, `patience` seconds at most."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    wait(family, patience)
