"""The doctor's checks, on machines that lack one thing or another."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from local.core import hardware, installation, workspace
from local.core.checks import BAD, GOOD, WARN
from local.doctor import examine
from local.doctor.examine import CHECKS
from local.runs import journal
from shared.data.idx import write_idx
from shared.data.mnist_layouts import IDX_NAMES, PARTS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine with nothing on it: a fresh HOME and K2L_HOME, no variables."""
    for name in [name for name in os.environ if name.startswith(("KAGGLE", "K2L"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "k2l"))
    return tmp_path


def executable(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_every_check_says_something_and_a_fix_where_one_is_due():
    results = examine.examine()
    assert [one.check for one in results] == list(CHECKS)
    for one in results:
        assert one.verdict in (GOOD, WARN, BAD) and one.found
        assert bool(one.fix) == (one.verdict != GOOD), one


def test_the_groups_are_the_requirements():
    grouped = [name for group in examine.GROUPS.values() for name in group.packages]
    assert sorted(grouped) == sorted(installation.requirements())


def test_what_a_machine_that_only_predicts_needs_is_what_must_be_there():
    lines = (workspace.CHECKOUT / "local" / "requirements.txt").read_text().splitlines()
    needed = {Requirement(line.partition("#")[0]).name for line in lines if line.partition("#")[0].strip()}
    must = {name for group in examine.GROUPS.values() if not group.without for name in group.packages}
    assert must == needed


@pytest.mark.parametrize("error", [RuntimeError("topsecret"), OSError(5, "topsecret"), KeyError("topsecret")])
def test_a_check_that_fails_itself_says_so_and_stops_no_other(monkeypatch, error):
    def broken():
        raise error

    monkeypatch.setitem(CHECKS, "disk", broken)
    results = {one.check: one for one in examine.examine()}
    assert results["disk"].verdict == WARN and type(error).__name__ in results["disk"].found
    assert "topsecret" not in str(results) and len(results) == len(CHECKS)


def test_a_module_that_a_check_needs_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "packaging.specifiers", None)
    found = examine.look("Python")
    assert (found.verdict, found.found) == (WARN, "cannot be told: packaging is missing")
    assert found.fix == "pip install packaging"


@pytest.mark.parametrize(("due", "verdict"), [(">=3.11", GOOD), (">=3.99", BAD)])
def test_a_python_out_of_range_is_bad(monkeypatch, due, verdict):
    monkeypatch.setattr(installation, "python_range", lambda: due)
    assert CHECKS["Python"]().verdict == verdict


@pytest.mark.parametrize(
    ("versions", "verdict", "fix"),
    [
        ({"torch": "2.15.0+cu130", "torchvision": "0.29.1"}, GOOD, ""),
        ({"torch": None, "torchvision": None}, WARN, 'pip install "torch<2.16,>=2.15" "torchvision<0.30,>=0.29"'),
        ({"torch": "2.14.1", "torchvision": "0.29.1"}, BAD, 'pip install "torch<2.16,>=2.15"'),
        ({"torch": "", "torchvision": "0.29.1"}, BAD, 'pip install "torch<2.16,>=2.15"'),
    ],
)
def test_a_package_out_of_range_is_bad_and_one_that_some_can_do_without_a_warning(monkeypatch, versions, verdict, fix):
    monkeypatch.setattr(installation, "installed", versions.get)
    found = CHECKS["PyTorch"]()
    assert (found.verdict, found.fix) == (verdict, fix)
    assert "no training in PyTorch" in found.found or verdict != WARN


def test_without_what_reads_digits_nothing_works(monkeypatch):
    monkeypatch.setattr(installation, "installed", lambda name: None)
    assert CHECKS["reading digits"]().verdict == BAD


def test_no_data_is_a_warning_and_mnist_is_told_with_its_place(home, monkeypatch):
    found = CHECKS["data"]()
    assert found.verdict == WARN and "k2l data mnist" in found.fix
    for part, pattern in zip(PARTS, IDX_NAMES, strict=True):
        shape = (20,) if "labels" in part else (20, 28, 28)
        write_idx(home / pattern.format("-"), np.zeros(shape, np.uint8))
    monkeypatch.setenv("K2L_DATA", str(home))
    found = CHECKS["data"]()
    assert found.verdict == GOOD and f"mnist in {home}" in found.found
    (home / IDX_NAMES[-1].format("-")).unlink()
    found = examine.look("data")
    assert found.verdict == BAD and "missing" in found.found and found.fix


@pytest.mark.parametrize(("free", "verdict"), [(50e9, GOOD), (1e9, WARN), (1e6, BAD)])
def test_room_is_told_for_folders_that_are_not_made_yet(home, monkeypatch, free, verdict):
    monkeypatch.setattr(examine.shutil, "disk_usage", lambda place: type("Usage", (), {"free": free}))
    found = CHECKS["disk"]()
    assert found.verdict == verdict and f"{free / 1e9:,.1f} GB" in found.found
    assert not (home / "k2l").exists()


def test_a_place_that_is_no_folder_is_bad(home):
    (home / "k2l").write_text("")
    assert CHECKS["disk"]().verdict == BAD


@pytest.mark.skipif(not examine.LINUX, reason="other systems tell neither")
def test_display_and_devices_as_linux_tells_them(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert (CHECKS["display"]().verdict, "--no-show" in CHECKS["display"]().fix) == (WARN, True)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert CHECKS["display"]().verdict == WARN
    monkeypatch.setenv("DISPLAY", ":7")
    assert CHECKS["display"]() == (GOOD, "DISPLAY is :7", "")
    monkeypatch.setattr(examine, "_devices", lambda: iter([Path(os.devnull)]))
    assert CHECKS["camera"]() == (GOOD, f"{os.devnull} (unnamed)", "")
    monkeypatch.setattr(examine, "_devices", lambda: iter([Path("/dev/video99")]))
    assert CHECKS["camera"]().verdict == WARN
    monkeypatch.setattr(examine, "_devices", lambda: iter([]))
    assert CHECKS["camera"]().verdict == WARN
    monkeypatch.setattr(examine, "LINUX", False)
    assert CHECKS["camera"]().verdict == CHECKS["display"]().verdict == GOOD


KAGGLE_JSON = json.dumps({"username": "me", "key": "topsecret"})
LOGIN = json.dumps({"refresh_token": "topsecret"})


@pytest.mark.parametrize(
    ("file", "text", "mode", "verdict"),
    [
        ("kaggle.json", KAGGLE_JSON, 0o600, GOOD),
        ("kaggle.json", KAGGLE_JSON, 0o644, WARN),
        ("kaggle.json", KAGGLE_JSON[:-3], 0o600, BAD),
        ("access_token", "topsecret", 0o600, GOOD),
        ("access_token", "topsecret", 0o640, WARN),
        ("access_token", "top\nsecret", 0o600, BAD),
        ("credentials.json", LOGIN, 0o600, GOOD),
        ("credentials.json", LOGIN, 0o604, WARN),
        ("credentials.json", LOGIN[1:], 0o600, BAD),
        ("credentials.json", "[]", 0o600, BAD),
    ],
)
def test_credentials_are_told_by_their_place_and_never_shown(home, file, text, mode, verdict):
    path = home / ".kaggle" / file
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(mode)
    found = examine.look("credentials")
    assert found.verdict == verdict and "secret" not in str(found)
    assert file in found.found or file in found.fix
    assert (f'chmod 600 "{path}"' in found.fix) == (verdict == WARN)


def test_no_credentials_are_a_warning_and_those_of_variables_are_found(monkeypatch):
    found = CHECKS["credentials"]()
    assert found.verdict == WARN and "--remote emulator" in found.fix
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "topsecret")
    assert CHECKS["credentials"]() == (GOOD, "from KAGGLE_USERNAME and KAGGLE_KEY", "")


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell's")
@pytest.mark.parametrize(
    ("script", "torch", "verdict", "said"),
    [
        (None, "2.15.0", GOOD, "Kaggle has them"),
        ("echo 'NVIDIA T4, 15360 MiB'", "2.15.0", GOOD, "NVIDIA T4, 15360 MiB"),
        ("echo 'NVIDIA T4, 15360 MiB'", "2.15.0+cpu", WARN, "CPU build"),
        ("echo 'Driver/library version mismatch'; exit 18", "2.15.0", WARN, "mismatch"),
        ("exit 9", None, WARN, "says nothing"),
        ("exec sleep 5", None, WARN, "does not answer"),
    ],
)
def test_a_gpu_is_told_as_its_driver_tells_it(home, monkeypatch, script, torch, verdict, said):
    if script:
        executable(home / "nvidia-smi", script)
    monkeypatch.setenv("PATH", f"{home}:/bin:/usr/bin" if script else str(home))
    monkeypatch.setattr(installation, "installed", lambda name: torch)
    monkeypatch.setattr(examine, "GPU_SECONDS", 0.5)
    found = CHECKS["GPU"]()
    assert found.verdict == verdict and said in found.found


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"avx512_bf16", "avx_vnni"}, "trains in bfloat16 (avx512_bf16); multiplies int8 in one step (VNNI: avx_vnni)"),
        ({"avx2"}, "float32 (no bf16); int8 has no instruction of its own (no VNNI)"),
        (set(), "cannot be told here"),
    ],
)
def test_the_processors_instructions_are_told(monkeypatch, flags, said):
    monkeypatch.setattr(hardware, "flags", lambda: flags)
    found = CHECKS["CPU"]()
    assert found.verdict == GOOD and said in found.found


def test_a_damaged_run_is_named():
    assert CHECKS["journal"]() == (GOOD, "no runs yet", "")
    folder = journal.folder() / "r1"
    folder.mkdir(parents=True)
    assert CHECKS["journal"]().found.startswith("0 runs")
    (folder / journal.STEPS).write_text("{")
    found = CHECKS["journal"]()
    assert found.verdict == WARN and str(folder) in found.found


def test_an_emulator_that_is_gone_is_told():
    assert "does not run;" in CHECKS["emulator"]().found
    card = workspace.state() / "emulator" / "server.json"
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps({"url": "http://127.0.0.1:9", "username": "a", "key": "b", "instance": "c", "pid": 1}))
    assert "not run any more" in CHECKS["emulator"]().found
    card.write_text("{}")
    assert examine.look("emulator").verdict == WARN


def test_no_framework_and_no_client_is_loaded_and_nobody_is_asked(home):
    """In a fresh process in which no socket can be made."""
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text(KAGGLE_JSON)
    code = (
        "import socket, sys\n"
        "from local.doctor import examine\n"
        "def refuse(*_, **__): raise SystemExit('a socket was made')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "results = examine.examine()\n"
        "print({one.check: one.found for one in results})\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=workspace.CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout and not re.search("topsecret|kaggle_api", done.stdout)
    assert not {"torch", "tensorflow", "keras", "kaggle", "cv2"} & set(done.stdout.splitlines()[-1].split())
    assert {path.name for path in home.iterdir()} == {".kaggle"}
