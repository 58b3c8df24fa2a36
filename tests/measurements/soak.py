"""Trip after trip on a bad day: a fifth of all calls fails, in every way the emulator knows.

    python -m tests.measurements.soak [--loops 200] [--seed 0] [--share 0.2]

Each trip pushes a small real notebook whose weights are its own, and gives the same command again while that ends in
an error it has a name for. In the end: were the right weights installed, was anything pushed twice, is anything half
there, was a thread or a file left open? One line a trip on stderr, JSON last.
"""

import argparse
import gc
import hashlib
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from unittest import mock

import psutil
import pytest
import requests

from local.core import workspace
from local.emulator import daemon
from local.jobs import connect, push, watch
from local.jobs.pull import pull
from local.kaggle_api import http
from local.runs import journal
from shared.core import manifest
from shared.core.errors import UserError
from tests.local import trips

COMMANDS = 8  # that a user gives for one trip before giving up
SECONDS = 120.0  # one command may take
WARM = 3  # trips before what is open is counted for the first time
READ, STALL = 3.0, 6.0  # seconds: a time-out that a soak has time for, and what runs into it
HTML = {"headers": {"Content-Type": "text/html"}, "body": "<html><body>Bad gateway</body></html>"}
# What strikes every call, with its weight; then what one kind of call meets besides.
EVERYWHERE = [
    (3, {"fault": "status", "status": 503}),
    (2, {"fault": "status", "status": 500, **HTML}),
    (2, {"fault": "status", "status": 502, **HTML}),
    (3, {"fault": "status", "status": 429, "headers": {"Retry-After": "1"}}),
    (4, {"fault": "drop"}),
    (3, {"fault": "drop", "moment": "after"}),
    (2, {"fault": "truncate"}),
    (1, {"fault": "delay", "seconds": STALL}),
]
BESIDES = [
    {"fault": "corrupt"},
    {"fault": "expired"},
    {"fault": "stall"},
    {"fault": "slow", "rate": 20_000},
    {"fault": "stale_status"},
    {"fault": "empty_log"},
    {"fault": "cut_log"},
    {"fault": "listed", "names": ["../evil", "/tmp/k2l-evil", "a\0b"]},
    {"fault": "unlisted", "names": ["model.pth"]},
    {"fault": "unlisted", "names": ["manifest.json"]},
    {"fault": "no_capacity"},
]
NOTEBOOK = """
import hashlib, json
from pathlib import Path
WEIGHTS = hashlib.sha256(run_id.encode()).digest() * 4000
Path("model.pth").write_bytes(WEIGHTS)
Path("history.csv").write_text("epoch\\n1\\n")
print("trained")
facts = {facts!r} | {{"schema": 1, "run_id": run_id, "bundle_sha256": bundle_sha256, "name": name, "created_at": "now"}}
files = {{path: {{"sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(), "bytes": Path(path).stat().st_size}}
         for path in ("model.pth", "history.csv")}}
Path("manifest.json").write_text(json.dumps(facts | {{"files": files}}))
"""


def rules(share):
    """Rules under which about that share of all calls fails, and a twentieth in ways of its own where it has some."""
    total = sum(weight for weight, _ in EVERYWHERE)
    common = [{**rule, "method": "*", "times": None, "chance": share * weight / total} for weight, rule in EVERYWHERE]
    return common + [{**rule, "times": None, "chance": 0.05} for rule in BESIDES]


class Faulty:
    """The emulator's faults, switched over HTTP while it runs."""

    def __init__(self, server):
        self.url, self.auth = f"{server.url}/emulator/faults", (server.username, server.key)

    def set(self, *wanted):
        requests.delete(self.url, auth=self.auth, timeout=10).raise_for_status()
        requests.post(self.url, auth=self.auth, json=list(wanted), timeout=10).raise_for_status()


def command(service, submission):
    """What `k2l loop` does of it, on the way to the installed model; returns its run."""
    run = push.push(service, submission)
    if run.state == "pushed":
        run = watch.watch(service, run, timeout=SECONDS)
    if run.state == "complete":
        run, _ = pull(service, run)
    return run


def trip(service, submission):
    """The same command until it is through; the errors on the way, and the run where it came to one."""
    said = []
    for _ in range(COMMANDS):
        try:
            return command(service, submission).record(state="done"), said
        except UserError as error:
            said.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")
    return None, said


def weights_of(run_id):
    """As the notebook makes them: no two runs' are the same."""
    return hashlib.sha256(run_id.encode()).digest() * 4000


def versions(state):
    """How often each run's notebook lies on the service, by the run's id."""
    known = [one.run_id for one in journal.every()]
    texts = [path.read_text() for path in (state / "kernels").glob("*/*/*/source.ipynb")]
    return Counter(run_id for text in texts for run_id in known if run_id in text)


def wrong(run):
    """What is wrong under models/ after a trip; "" if nothing is."""
    for folder in workspace.models().iterdir() if workspace.models().is_dir() else []:
        stated = manifest.verify(folder)
        if (folder / "model.pth").read_bytes() != weights_of(stated.run_id):
            return f"{folder.name} has weights of another run"
        if run and stated.run_id != run.run_id:
            return "an older run's model is still there"
    return ""


def opened(service):
    """Threads and open files of this process, but for connections kept for the next call, and what is garbage."""
    service._session.close()
    service._files.close()
    gc.collect()
    return threading.active_count(), psutil.Process().num_fds()


def soak(loops, seed, share, folder):
    """The figures of so many trips."""
    random.seed(seed)
    state = folder / "emulator"
    server = daemon.ensure(state, idle_timeout=3600)
    service = connect.at_loopback(server.url, username=server.username, key=server.key)
    faulty, patch = Faulty(server), pytest.MonkeyPatch()
    kernel = trips.tiny_kernel(folder, patch)(NOTEBOOK.format(facts=trips.FACTS))
    ends, errors, trouble, seconds, before = Counter(), Counter(), [], [], None
    try:
        for loop in range(loops):
            began = time.monotonic()
            faulty.set(*rules(share))
            run, said = trip(service, trips.submission_of(kernel))
            faulty.set()
            seconds.append(time.monotonic() - began)
            ends["right at once" if run and not said else "right after the same command" if run else "named error"] += 1
            errors.update(one.partition(":")[0] for one in said)
            trouble += filter(None, [wrong(run)])
            print(f"{loop + 1:4} {seconds[-1]:6.1f} s  {'; '.join(said) or 'right'}", file=sys.stderr, flush=True)
            if run is None:
                trip(service, trips.submission_of(kernel))  # the day is good again: nothing was lost
                ends["right once the day was good"] += wrong(None) == ""
            before = opened(service) if loop + 1 == WARM else before
        struck = daemon.ping(server.url, server.username, server.key)["struck"]
        twice = {run: count for run, count in versions(state).items() if count > 1}
        return {
            "loops": loops, "share": share, "seed": seed, "ends": ends, "errors_named": errors, "wrong": trouble,
            "injected": struck, "pushed_twice": twice, "half_folders": half(),
            "threads_and_files": [before, opened(service)],
            "seconds_median": sorted(seconds)[len(seconds) // 2], "seconds_longest": max(seconds),
        }  # fmt: skip
    finally:
        patch.undo()
        daemon.stop(state)


def half():
    """Temporary files and folders left behind, of models and of runs that are done."""
    done = [one for one in journal.every() if one.state == "done"]
    gathered = [place for one in done for place in (one.stage, one.parts) if place.exists()]
    return [str(path) for path in [*workspace.models().glob(".*"), *gathered]]


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--loops", type=int, default=200)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--share", type=float, default=0.2)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(http, "READ", READ):
        os.environ["K2L_HOME"] = f"{folder}/home"
        print(json.dumps(soak(given.loops, given.seed, given.share, Path(folder)), indent=1))


if __name__ == "__main__":
    main()
