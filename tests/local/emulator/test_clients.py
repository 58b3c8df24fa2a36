"""The unmodified clients against the emulator: the `kaggle` command and kagglehub, as they come from PyPI."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from shared.core.errors import KernelError


@pytest.fixture
def command(emulator, tmp_path):
    """Runs `kaggle …` in a home of its own, with the emulator as its proxy."""
    home = tmp_path / "home"
    home.mkdir()

    return partial(emulator.kaggle, home)


@pytest.fixture
def folder(emulator, tmp_path, notebook):
    """A folder that `kaggle kernels push` takes."""
    folder = tmp_path / "push"
    folder.mkdir()
    (folder / "notebook.ipynb").write_text(notebook("print('hello')\nopen('out.txt', 'w').write('result')"))
    metadata = {
        "id": f"{emulator.username}/from-the-command",
        "title": "From the command",
        "code_file": "notebook.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": False,
        "enable_internet": False,
        "dataset_sources": ["nobody/nothing"],
    }
    (folder / "kernel-metadata.json").write_text(json.dumps(metadata))
    return folder


def test_the_kaggle_command_makes_the_whole_trip(emulator, command, folder, tmp_path):
    pushed = command("kernels", "push", "-p", str(folder))
    assert "Kernel version 1 successfully pushed" in pushed.stdout, pushed
    assert "nobody/nothing" in pushed.stdout
    name = f"{emulator.username}/from-the-command"
    followed = command("kernels", "logs", name, "--follow")
    assert "hello" in followed.stdout, followed
    assert 'has status "KernelWorkerStatus.COMPLETE"' in command("kernels", "status", name).stdout
    assert "hello" in command("kernels", "logs", name).stdout
    files = command("kernels", "files", name).stdout
    assert "out.txt" in files
    assert "__notebook__.ipynb" in files
    target = tmp_path / "output"
    fetched = command("kernels", "output", name, "-p", str(target))
    assert fetched.returncode == 0, fetched
    assert (target / "out.txt").read_text() == "result"
    assert json.loads((target / "from-the-command.log").read_text())[0]["data"] == "hello\n"


def test_the_kaggle_command_lists_pulls_counts_and_deletes(emulator, command, tmp_path):
    emulator.finished("to-be-listed")
    name = f"{emulator.username}/to-be-listed"
    assert name in command("kernels", "list", "--mine").stdout
    assert "30.00h" in command("quota").stdout
    command("kernels", "pull", name, "-m", "-p", str(tmp_path / "pulled"))
    assert json.loads((tmp_path / "pulled" / "kernel-metadata.json").read_text())["id"] == name
    assert "deleted successfully" in command("kernels", "delete", name, "--yes").stdout
    assert "Permission 'kernels.get' was denied" in command("kernels", "status", name).stderr


def test_the_kaggle_command_says_when_a_push_is_refused(emulator, command, folder):
    metadata = json.loads((folder / "kernel-metadata.json").read_text())
    (folder / "kernel-metadata.json").write_text(json.dumps(metadata | {"title": "x" * 51}))
    assert "Kernel push error: The title must be" in command("kernels", "push", "-p", str(folder)).stdout


def test_the_kaggle_command_takes_a_token_and_is_refused_a_wrong_one(emulator, command):
    emulator.finished("with-a-token")
    name = f"{emulator.username}/with-a-token"
    nobody = {"KAGGLE_USERNAME": "", "KAGGLE_KEY": ""}
    listed = command("kernels", "list", "--mine", KAGGLE_API_TOKEN=emulator.key, **nobody)
    assert name in listed.stdout, listed
    refused = command("kernels", "list", "--mine", KAGGLE_KEY="wrong")
    assert refused.returncode != 0 or "401" in refused.stdout
    assert name not in refused.stdout


HUB = """
import json, kagglehub
handle = "{handle}"
found = kagglehub.notebook_output_download(handle)
one = kagglehub.notebook_output_download(handle + "/versions/1", path="model.bin")
print(json.dumps([found, one]))
"""


@pytest.mark.parametrize("way", ["as a proxy", "on port 7777"])
def test_kagglehub_downloads_outputs(way, emulator, tmp_path):
    environment = emulator.environment(tmp_path)
    if way == "on port 7777":
        emulator.leave()
        try:
            emulator.start(port=7777)
        except KernelError as error:
            emulator.start()
            pytest.skip(str(error))
        del environment["HTTP_PROXY"]
        environment["KAGGLE_API_ENVIRONMENT"] = "TEST"
    files = {"model.bin": b"m" * 70_000, "plots/curve.png": b"png"}
    emulator.finished("for-kagglehub", {"model.bin": b"old"})
    emulator.finished("for-kagglehub", files)
    code = HUB.format(handle=f"{emulator.username}/for-kagglehub")
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    everything, one = map(Path, json.loads(done.stdout.splitlines()[-1]))
    assert {name: (everything / name).read_bytes() for name in files} == files
    assert one.read_bytes() == b"old"
