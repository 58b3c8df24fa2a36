"""Whole trips by command with secrets all around them: no file and no line of output holds any."""

import base64
import getpass
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.core import workspace
from local.emulator import daemon

pytestmark = pytest.mark.slow

SECRETS = {
    "KAGGLE_USERNAME": "user-of-the-environment",
    "KAGGLE_KEY": "0123key0of0the0environment",
    "KAGGLE_API_TOKEN": "KGAT_token0of0the0environment",
    "AWS_SECRET_ACCESS_KEY": "value0of0another0variable",
}
FILED = {"username": "user-of-the-file", "key": "4567key0of0the0file"}
# Whatever is logged anywhere is written down, and a call of the service may be where a bug lies.
TALKATIVE = """
import logging, os
logging.basicConfig(level=logging.DEBUG)
if os.environ.get("BREAK"):
    from kagglesdk.kaggle_http_client import KaggleHttpClient
    def call(self, *arguments, **more):
        raise RuntimeError("a bug")
    KaggleHttpClient.call = call
"""
OPTIONS = ("--dataset", "digits", "--epochs", "1", "--name", "small")


class Place:
    """A machine of the test's own: HOME, K2L_HOME and the folder of temporary files, with secrets in and around it."""

    def __init__(self, folder):
        self.folder, self.home, self.k2l = folder, folder / "home", folder / "k2l"
        self.state = self.k2l / ".k2l" / "emulator"
        self.said = []
        for path in (self.home / ".kaggle", folder / "tmp", folder / "site"):
            path.mkdir(parents=True)
        (self.home / ".kaggle" / "kaggle.json").write_text(json.dumps(FILED))
        (folder / "site" / "usercustomize.py").write_text(TALKATIVE)
        (folder / "site" / "sitecustomize.py").write_text(TALKATIVE)

    def run(self, *command, without=(), **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE_", "K2L_", "XDG_"))}
        there = {
            "HOME": self.home,
            "K2L_HOME": self.k2l,
            "TMPDIR": self.folder / "tmp",
            "PYTHONPATH": self.folder / "site",
        }
        # Where a service is asked for, there is none: nothing may leave this machine.
        there |= {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", **SECRETS, **more}
        environment = kept | {name: str(value) for name, value in there.items() if name not in without}
        done = subprocess.run(
            [sys.executable, "-m", "scripts", *command],
            cwd=workspace.CHECKOUT, env=environment, capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        self.said.append(done.stdout + done.stderr)
        return done

    def files(self):
        """Everything that lies here and was not put here by the test itself."""
        ours = (self.home / ".kaggle" / "kaggle.json", *(self.folder / "site").iterdir())
        return [path for path in self.folder.rglob("*") if path.is_file() and path not in ours]


def written(text):
    """A secret as it may be written: plain, as the password of a Basic header, and from the middle of one."""
    pairs = [f"{user}:{text}" for user in ("", SECRETS["KAGGLE_USERNAME"], FILED["username"], "emulator")]
    return [one.encode() for one in (text, *(base64.b64encode(pair.encode()).decode().rstrip("=") for pair in pairs))]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The machine after a whole trip, pushes that nobody answers or that meet a bug, and a model published twice."""
    place = Place(tmp_path_factory.mktemp("place"))
    failures = [
        ((), {}, "could not check the access token"),
        (("KAGGLE_API_TOKEN",), {}, "error: "),
        (("KAGGLE_API_TOKEN", "KAGGLE_KEY"), {}, "error: "),
        (("KAGGLE_API_TOKEN",), {"BREAK": "1"}, "RuntimeError: a bug"),
    ]
    with ThreadPoolExecutor() as pool:  # for what fails mostly waits to try again
        trip = pool.submit(place.run, "-vv", "loop", "--remote", "emulator", *OPTIONS)
        pushes = [
            pool.submit(place.run, "-vv", "push", *OPTIONS[:-1], f"not-{n}", without=without, **more)
            for n, (without, more, _) in enumerate(failures)
        ]
    assert trip.result().returncode == 0, trip.result().stderr
    for _ in range(2):
        assert place.run("-vv", "publish", "small", "--remote", "emulator").returncode == 0, place.said[-1]
    assert "StartBlobUpload 200" in place.said[-2] and "DownloadModelInstanceVersion 302" in place.said[-1]
    for push, (_, _, said) in zip(pushes, failures, strict=True):
        assert push.result().returncode == 1 and said in push.result().stderr, push.result().stderr
    assert "Traceback" in "".join(place.said) and "DEBUG:" in "".join(place.said)
    daemon.stop(place.state)
    return place


def test_no_secret_of_the_caller_is_written_or_said(place):
    for secret in (*SECRETS.values(), *FILED.values()):
        forms = written(secret)
        assert [path for path in place.files() if any(form in path.read_bytes() for form in forms)] == []
        assert not any(form.decode() in said for form in forms for said in place.said)


def test_the_emulators_key_is_in_its_own_private_files_alone(place):
    kept = json.loads((place.state / "credentials.json").read_text())
    for secret in (kept["key"], kept["secret"]):
        holders = [path for path in place.files() if any(form in path.read_bytes() for form in written(secret))]
        # server.json, which holds the key too, is there only while the emulator is.
        assert holders == [place.state / "credentials.json"]
        assert not any(form.decode() in said for form in written(secret) for said in place.said)
    assert holders[0].stat().st_mode & 0o777 == 0o600


def test_what_a_run_tells_of_its_machine_is_what_the_manifest_lists(place):
    """Versions and the processor, and neither who ran it nor where."""
    folder = place.k2l / "models" / "small"
    stated = json.loads((folder / "manifest.json").read_text())
    assert set(stated["environment"]) == {"python", "torch", "numpy", "accelerator"}
    private = [
        str(Path.home()),
        str(place.folder),
        str(workspace.CHECKOUT),
        sys.prefix,
        os.path.realpath(sys.prefix),
        "/tmp/",
    ]
    names = [name for name in (getpass.getuser(), socket.gethostname()) if len(name) > 3]
    assert not [name for name in names if name in " ".join(stated["environment"].values())]
    for name in ("manifest.json", "metrics.json", "history.csv"):
        text = (folder / name).read_text()
        assert [one for one in private if one in text] == [], name
