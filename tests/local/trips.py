"""What tests of a trip need: a service on the emulator, a kernel whose notebook is tiny, runs that have ended.

    service = trips.service_of(emulator)
    write = trips.tiny_kernel(folder, monkeypatch)
    run = push.push(service, trips.submission_of(write(trips.LEAVES_A_MODEL)))

Plain functions; conftest makes fixtures of those that most tests want. `K2L_HOME` must be a folder of the test's own.
"""

import hashlib
import json

from local.core import workspace
from local.jobs import connect, push
from local.kaggle_api import kernel_spec
from local.runs.journal import Run
from shared.core import manifest
from shared.training.config import TrainConfig

SLUG, NAME = "k2l-mine", "mine"
CONFIG = TrainConfig.create(dataset="digits")
FACTS = {
    "framework": "torch", "architecture": "compact", "trainable_parameters": 1, "dataset": "digits",
    "parameters": {}, "source_commit": "", "environment": {}, "metrics": {"test": {"accuracy": 0.5}},
}  # fmt: skip
TOML = """
slug = "k2l-mine"
title = "k2l mine"
accelerator = "none"
time_limit = 60
[data_sources]
digits = []
mnist = ["no/such-set"]
"""
SCRATCH = """
import os, tempfile
CODE = tempfile.mkdtemp()
os.mkdir(CODE + "/shared")
"""
LEAVES_A_MODEL = f"""
import hashlib, json
from pathlib import Path
Path("model.pth").write_bytes(b"weights")
print("trained")
facts = {FACTS!r} | {{"schema": 1, "run_id": run_id, "bundle_sha256": bundle_sha256, "name": name, "created_at": "now"}}
files = {{"model.pth": {{"sha256": hashlib.sha256(b"weights").hexdigest(), "bytes": 7}}}}
Path("manifest.json").write_text(json.dumps(facts | {{"files": files}}))
"""


def tree(folder):
    """Every file below a folder, with its bytes and when it was last written."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def service_of(emulator):
    """The emulator through the real SDK, over HTTP."""
    return connect.at_loopback(emulator.url, username=emulator.username, key=emulator.key)


def tiny_kernel(folder, monkeypatch):
    """`write(code)` gives a kernel whose notebook runs that code: no training, so a trip takes a second or two."""
    submission = folder / "submission" / "torch"
    submission.mkdir(parents=True)
    monkeypatch.setattr(workspace, "kernels", lambda: submission.parent)
    (submission / "kernel.toml").write_text(TOML)
    (submission / "cells.py").write_text("# %% nothing\n")
    head = '# %% tags=["parameters"]\n\n# %% nothing tags=["framework"]\n'

    def write(code):
        (submission.parent / "notebook.py").write_text(f'{head}\n# %% tags=["shared"]\n{SCRATCH}\n# %%\n{code}\n')
        return kernel_spec.load("torch")

    return write


def submission_of(kernel, config=CONFIG):
    """What is pushed for that kernel."""
    return push.prepare(kernel, name=NAME, config=config)


def stated(**changes):
    """The manifest of a run, before its files are hashed."""
    return manifest.TrainingManifest(**FACTS | {"run_id": "r1", "bundle_sha256": "b", "name": NAME} | changes)


def manifest_text(files, /, **changes):
    """The manifest that a run of these files leaves."""
    listed = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()}
    facts = {**FACTS, "schema": 1, "run_id": "r1", "bundle_sha256": "b", "name": NAME, "created_at": "now"}
    return json.dumps({**facts, "files": listed, **changes}).encode()


def finished(emulator, files, *, stated=None, state="complete", **changes):
    """A run whose version has ended on the emulator with these files, without anything having run."""
    run = Run(
        run_id="r1", remote="emulator", owner=emulator.username, slug=SLUG, name=NAME, framework="torch",
        dataset="digits", bundle_sha256="b", source_commit="", parameters={}, version=1, state=state,
    )  # fmt: skip
    text = manifest_text(files, **({} if stated is None else {"files": stated}), **changes)
    emulator.finished(SLUG, {**files, "manifest.json": text})
    return run.record(created_at=manifest.now())


def installed():
    """The files of the model as they lie under `models/`, by name; empty where there is no such folder."""
    folder = workspace.models() / NAME
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def nothing_installed():
    return not workspace.models().exists() or not any(workspace.models().iterdir())
