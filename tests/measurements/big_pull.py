"""What a pull of 500 files and 2 GB costs, beside a plain copy over the same loopback.

    python -m tests.measurements.big_pull [--files 500] [--bytes 2000000000] [--rounds 3]

The emulator is a process of its own. The plain copy is as many threads, each writing to disk what `requests` gives it,
nothing checked. Both run in turns, each in a fresh process; JSON last: seconds, CPU seconds, memory, transfers at once.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from local.core import workspace
from local.emulator import daemon
from local.jobs import connect, pull
from local.runs import download, journal
from tests.local import emulated, trips


class Counted:
    """How many of its calls are under way at once, at most."""

    def __init__(self, call):
        self.call, self.now, self.most, self.lock = call, 0, 0, threading.Lock()

    def __call__(self, *arguments, **options):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            return self.call(*arguments, **options)
        finally:
            with self.lock:
                self.now -= 1


def offer(state, files, total):
    """A run that has ended on the emulator with so many files and bytes."""
    size, served = total // files, emulated.Emulated(state)
    head = os.urandom(size)
    content = {f"{n:03d}.bin": (n, hashlib.sha256(n.to_bytes(4, "big") + head[4:]).hexdigest()) for n in range(files)}
    stated = {name: {"sha256": sha256, "bytes": size} for name, (_, sha256) in content.items()}
    run = trips.finished(served, {}, stated=stated)
    working = served.version(trips.SLUG).working
    for name, (number, _) in content.items():
        (working / name).write_bytes(number.to_bytes(4, "big") + head[4:])
    served.close()
    return run


def service_of(state):
    server = daemon.ensure(state, idle_timeout=600)
    return connect.at_loopback(server.url, username=server.username, key=server.key)


def copy_plainly(service, run):
    """As many threads as a pull has, and nothing checked; how many were at work at once."""
    files, _ = service.outputs(run.slug, run.version)
    target = Path(tempfile.mkdtemp(dir=run.folder))

    def copy(file):
        with requests.get(file.url, stream=True, timeout=60) as answer, (target / file.name).open("wb") as out:
            shutil.copyfileobj(answer.raw, out, 1 << 18)

    counted = Counted(copy)
    with ThreadPoolExecutor(pull.AT_ONCE) as pool:
        list(pool.map(counted, files))
    return counted.most, target


def pull_it(service, run):
    """The pull as it is; how many transfers were under way at once."""
    counted = pull.fetch = Counted(download.fetch)
    pull.pull(service, run, max_bytes=10**11)
    return counted.most, workspace.models() / run.name


def measure(what, state):
    """In a fresh process: one of the two, its time and memory."""
    service, run = service_of(state), journal.every()[0]
    began, cpu = time.monotonic(), time.process_time()
    at_once, target = {"copy": copy_plainly, "pull": pull_it}[what](service, run)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    shutil.rmtree(target)
    return {"what": what, "seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak, "at_once": at_once}


def compare(files, total, rounds, folder):
    """The figures of both, in turns."""
    os.environ["K2L_HOME"] = str(folder / "home")
    state = folder / "emulator"
    offer(state, files, total)
    service_of(state)
    rows = []
    for what in ["copy"] + ["pull", "copy"] * rounds:  # the first warms the server, and is not counted
        done = subprocess.run(
            [sys.executable, __file__, "--measure", what, "--state", str(state)],
            capture_output=True,
            text=True,
            check=True,
        )
        rows.append(json.loads(done.stdout))
        print(rows[-1], file=sys.stderr, flush=True)
    daemon.stop(state)
    figures = {
        what: {key: statistics.median(row[key] for row in rows[1:] if row["what"] == what) for key in list(rows[0])[1:]}
        for what in ("pull", "copy")
    }
    return {
        "files": files, "bytes": total, "rounds": rounds, **figures,
        "throughput_ratio": figures["copy"]["seconds"] / figures["pull"]["seconds"],
        "megabytes_a_second": total / 1e6 / figures["pull"]["seconds"],
    }  # fmt: skip


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--files", type=int, default=500)
    asked.add_argument("--bytes", type=int, default=2_000_000_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--measure", choices=("copy", "pull"), help=argparse.SUPPRESS)
    asked.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.state)))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(compare(given.files, given.bytes, given.rounds, Path(folder)), indent=1))


if __name__ == "__main__":
    main()
