"""The doctor: what this machine has of all that `k2l` can use, and what to do about the rest.

    for one in examine():
        one.check, one.verdict, one.found, one.fix

`CHECKS` says what is looked at. A check looks and no more: it asks nothing of the network, opens no camera and no
window, imports no framework, and tells where credentials lie, never what they are. What is BAD stands in the way of
what was installed; WARN is what some verbs cannot do here.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from local.core import hardware, installation, workspace
from local.core.checks import BAD, GOOD, WARN, Finding, Result, outcome
from shared.core.errors import UserError, plain
from shared.core.home import ANOTHER

LINUX = sys.platform.startswith("linux")
ROOM, LEAST_ROOM = 2e9, 2e8  # bytes: for data sets and a few rehearsals; for one model that comes home
GPU_SECONDS = 10
AGAIN = "Run it again; if it stays so, that is a fault of k2l doctor and not of this machine."
# What Linux calls instructions, and what they buy here.
INSTRUCTIONS = {
    "bfloat16": ("avx512_bf16", "amx_bf16"),  # as `shared.frameworks.device` asks
    "int8": ("avx512_vnni", "avx_vnni", "amx_int8"),
}


class Group(NamedTuple):
    """Packages that serve one end, and what cannot be done without them: everything, where that is empty."""

    packages: tuple[str, ...]
    without: str = ""


GROUPS = {
    "command line": Group(("typer", "rich", "packaging")),
    "reading digits": Group(("numpy", "opencv-python", "onnxruntime", "ai-edge-litert")),
    "training": Group(("matplotlib", "scikit-learn", "filelock", "psutil"), "no training, no data set digits"),
    "PyTorch": Group(("torch", "torchvision"), "no training in PyTorch, no .pth"),
    "Keras": Group(("tensorflow", "keras"), "no training in Keras, no .keras"),
    "conversion": Group(("onnx", "onnxscript"), "no export, no quantize"),
    "search": Group(("optuna",), "no sweep"),
    "the trip": Group(
        ("kagglesdk", "requests", "urllib3", "python-slugify", "jupytext", "nbformat"), "no trip to Kaggle"
    ),
    "rehearsals": Group(("papermill", "ipykernel", "starlette", "uvicorn"), "no --remote emulator, no k2l web"),
    "menu": Group(("questionary",), "no arrow keys in k2l interactive"),
    "kaggle command": Group(("kaggle", "six"), "no command of Kaggle's own; k2l needs none"),
}


def examine() -> list[Result]:
    """Runs every check and returns what each came to; one that fails itself says so, and stops no other."""
    return [look(name) for name in CHECKS]


def look(name: str) -> Result:
    """What the check of that name came to."""
    return outcome(name, partial(_guarded, CHECKS[name]))


def _guarded(check: Callable[[], Finding]) -> Finding:
    """What the check finds, or that it could not; what it raises for the user goes through."""
    try:
        return check()
    except UserError:
        raise
    except ModuleNotFoundError as error:
        name = str(error.name).partition(".")[0]  # of those that the checks import, also what pip calls it
        return Finding(WARN, f"cannot be told: {name} is missing", f"pip install {name}")
    except Exception as error:  # noqa: BLE001 - whatever this machine lacks; its text could quote a credential
        return Finding(WARN, f"cannot be told: the check itself failed ({type(error).__name__})", AGAIN)


def _python() -> Finding:
    from packaging.specifiers import SpecifierSet

    due = installation.python_range()
    found = f"{platform.python_version()}, {sys.executable}"
    if SpecifierSet(due).contains(platform.python_version(), prereleases=True):
        return Finding(GOOD, found)
    return Finding(BAD, f"{found}; due is {due}", f"Make the environment anew with Python {due}.")


def _code() -> Finding:
    commit = installation.commit()
    return Finding(GOOD, f"{installation.version()}{commit and f', commit {commit}'}, {workspace.CHECKOUT}")


def _packages(group: Group) -> Finding:
    """Whether all are there, in the range that is asked for; the range decides before what is missing does."""
    asked = installation.requirements()
    found, missing, wrong = [], [], []
    for name in filter(asked.get, group.packages):  # an older installation may ask for fewer
        version = installation.installed(name)
        if version is None:
            missing.append(name)
            found.append(f"no {name}")
        elif version and asked[name].specifier.contains(version, prereleases=True):
            found.append(f"{name} {version}")
        else:
            wrong.append(name)
            found.append(f"{name} {version or 'is broken'}, due is {asked[name].specifier}")
    said = ", ".join(found)
    if not missing and not wrong:
        return Finding(GOOD, said)
    pip = "pip install " + " ".join(f'"{asked[name]}"' for name in (*wrong, *missing))
    if wrong or not group.without:
        return Finding(BAD, said, pip)
    return Finding(WARN, f"{said}: {group.without}", pip)


def _data() -> Finding:
    """Which data sets lie where. Of their files the labels alone are read: `k2l data` reads them whole."""
    from shared.data.datasets import locate
    from shared.data.registry import DATASETS

    on_kaggle = [one.name for one in DATASETS.values() if one.kaggle_ref]
    places = {name: found.source for name in on_kaggle if (found := locate(name))}
    said = "; ".join(f"{name} in {place}" for name, place in places.items())
    if "mnist" in places:
        return Finding(GOOD, said)
    none = f"none of {', '.join(on_kaggle)} is here" if not said else f"no mnist; {said}"
    return Finding(WARN, none, "k2l data mnist, or set K2L_DATA to a folder that has it")


def _disk() -> Finding:
    """The room where everything is kept. `models/` can be a link to another disk."""
    rooms: dict[int, tuple[int, Path]] = {}  # by disk: what is free, and a folder there
    for folder in dict.fromkeys((workspace.home(), workspace.models())):
        there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
        if not (there.is_dir() and os.access(there, os.W_OK)):
            return Finding(BAD, f"{there} cannot be written to", ANOTHER)
        rooms.setdefault(there.stat().st_dev, (shutil.disk_usage(there).free, folder))
    said = ", ".join(f"{free / 1e9:,.1f} GB free at {folder}" for free, folder in rooms.values())
    least = min(free for free, _ in rooms.values())
    if least > ROOM:
        return Finding(GOOD, said)
    return Finding(BAD if least < LEAST_ROOM else WARN, said, f"k2l runs --gc. {ANOTHER}")


def _display() -> Finding:
    """Whether there is a display that OpenCV could use, as `local.apps.camera.window` asks; no window is tried."""
    instead = "k2l camera --no-show, k2l predict --save FOLDER"
    if installation.installed("opencv-python-headless") and not installation.installed("opencv-python"):
        return Finding(WARN, "this build of OpenCV has no windows", f"pip install opencv-python; or {instead}")
    if not LINUX:
        return Finding(GOOD, "the desktop's")
    if display := os.environ.get("DISPLAY"):
        return Finding(GOOD, f"DISPLAY is {display}")
    if os.environ.get("WAYLAND_DISPLAY"):
        return Finding(WARN, "Wayland alone, and OpenCV needs X", f"Install Xwayland; or {instead}")
    return Finding(WARN, "none: DISPLAY is not set", instead)


def _camera() -> Finding:
    """The devices that are listed. None is opened: that would light its lamp, and can take seconds."""
    if not LINUX:
        return Finding(GOOD, "this system lists none without opening them; k2l camera tries the first")
    devices = list(_devices())
    if not devices:
        return Finding(WARN, "none is listed", "k2l camera --source FILE, FOLDER or ADDRESS (a telephone's)")
    said = ", ".join(f"{device} ({_camera_name(device)})" for device in devices)
    if all(os.access(device, os.R_OK | os.W_OK) for device in devices):
        return Finding(GOOD, said)
    return Finding(WARN, f"{said}, not yours to open", "sudo usermod -aG video $USER, and log in again")


def _devices() -> Iterator[Path]:
    """A camera's first device; its others have no pictures."""
    for device in sorted(Path("/dev").glob("video[0-9]*"), key=lambda path: int(path.name[5:])):
        index = Path("/sys/class/video4linux", device.name, "index")
        if not index.exists() or index.read_text(encoding="utf-8").strip() == "0":
            yield device


def _camera_name(device: Path) -> str:
    name = Path("/sys/class/video4linux", device.name, "name")
    return plain(name.read_text(encoding="utf-8", errors="replace").strip()) if name.exists() else "unnamed"


def _credentials() -> Finding:
    """Where they lie, and who else could read them there. Whether Kaggle takes them only Kaggle knows."""
    from local.kaggle_api import credentials

    found = credentials.find()
    origin = found.origin if found else credentials.LOGIN if credentials.login() else ""
    if not origin:
        return Finding(WARN, "none", credentials.how())
    others = credentials.unread(origin)
    origin += f" (not read, as that comes first: {', '.join(others)})" * bool(others)
    # Windows has no such modes.
    open_files = [path for path in credentials.files() if os.name == "posix" and path.stat().st_mode & 0o077]
    if open_files:
        names = " ".join(f'"{path}"' for path in open_files)
        return Finding(WARN, f"from {origin}; others on this machine may read {names}", f"chmod 600 {names}")
    return Finding(GOOD, f"from {origin}")


def _gpu() -> Finding:
    if not shutil.which("nvidia-smi"):
        return Finding(GOOD, "no NVIDIA GPU, and none is needed: Kaggle has them")
    ask = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        told = subprocess.run(ask, capture_output=True, text=True, errors="replace", timeout=GPU_SECONDS)
    except subprocess.TimeoutExpired:
        return Finding(WARN, f"nvidia-smi does not answer in {GPU_SECONDS} s", "Restart the driver, or the machine.")
    names = [plain(line) for line in (told.stdout or told.stderr).splitlines() if line.strip()]
    said = "; ".join(names) or "nvidia-smi says nothing"
    if told.returncode:
        return Finding(WARN, said, "Mend the driver; until then everything runs on the CPU.")
    if (installation.installed("torch") or "").endswith("+cpu"):
        return Finding(WARN, f"{said}, but torch is a CPU build", "pip install --force-reinstall torch torchvision")
    return Finding(GOOD, said)


def _cpu() -> Finding:
    """What the processor can multiply by itself, as Linux tells it of an x86."""
    cores = f"{hardware.processor()}, {os.cpu_count()} processors"
    flags = hardware.flags()
    if not flags:
        return Finding(GOOD, f"{cores}; whether it has bf16 and VNNI cannot be told here")
    there = {kind: [flag for flag in names if flag in flags] for kind, names in INSTRUCTIONS.items()}
    bfloat16, int8 = (", ".join(there[kind]) for kind in ("bfloat16", "int8"))
    trains = f"trains in bfloat16 ({bfloat16})" if bfloat16 else "trains in float32 (no bf16)"
    runs = f"multiplies int8 in one step (VNNI: {int8})" if int8 else "int8 has no instruction of its own (no VNNI)"
    return Finding(GOOD, f"{cores}; {trains}; {runs}")


def _journal() -> Finding:
    if not (workspace.state() / "runs").is_dir():
        return Finding(GOOD, "no runs yet")
    from local.runs import journal

    if damaged := journal.damaged():
        names = ", ".join(map(str, damaged))
        return Finding(WARN, f"no step can be read of {names}", "Look at the kernel's page, then move that away.")
    count = len(journal.every())
    return Finding(GOOD, f"{count} {'run' if count == 1 else 'runs'} in {journal.folder()}")


def _emulator() -> Finding:
    """Whether ours runs: it is asked on loopback, and only where its card says that it was started."""
    state = workspace.state() / "emulator"
    if not (state / "server.json").is_file():
        return Finding(GOOD, "does not run; --remote emulator starts it")
    from local.emulator import daemon

    if found := daemon.running(state):
        return Finding(GOOD, f"runs at {found[0].url}, process {found[0].pid}")
    return Finding(GOOD, "does not run any more; --remote emulator starts it")


CHECKS: dict[str, Callable[[], Finding]] = {
    "k2l": _code,
    "Python": _python,
    **{name: partial(_packages, group) for name, group in GROUPS.items()},
    "data": _data,
    "disk": _disk,
    "display": _display,
    "camera": _camera,
    "credentials": _credentials,
    "GPU": _gpu,
    "CPU": _cpu,
    "journal": _journal,
    "emulator": _emulator,
}
