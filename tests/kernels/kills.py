"""`k2l loop`, killed without warning at random moments, and then the same command: the same model, pushed once.

    python tests/kernels/kills.py [--kills 50] [--seed 0]

A whole loop (a real notebook on the emulator, trained, pulled, exported, evaluated, quantized) is timed first; then
each round starts it in a home of its own, sends SIGKILL at a moment drawn from that time, and gives the same command
once more. One line a round on stderr, JSON last.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from local import paths
from local.kernels.emulator import daemon
from shared import manifest

LOOP = ("loop", "--remote", "emulator", "--dataset", "digits", "--architecture", "lite", "--epochs", "2", "--json")


def environment(home, **more):
    """Ours, without what it says of Kaggle and k2l, for a command that works in `home`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE_", "K2L_"))}
    return {**kept, "K2L_HOME": str(home), **more}


def start(home):
    return subprocess.Popen(
        [sys.executable, "-m", "scripts", *LOOP], cwd=paths.CHECKOUT, env=environment(home),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(home):
    """The same command to its end; what it printed."""
    process = start(home)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


def state(home):
    """How far the journal says the only run is; "" before there is one. One that is being written counts."""
    found = list(home.glob(".k2l/runs/*/run.jsonl"))
    steps = re.findall(r'"state": "(\w+)"', found[0].read_text()) if found else []
    return steps[-1] if steps else ""


def installed(home):
    """The hashes of what is always the same: the weights and every answer on the test images; all files are checked."""
    files = manifest.verify(home / "models" / "lite-torch")["files"]
    return {name: files[name]["sha256"] for name in ("model.pth", "predictions.npy", "labels.npy")}


def half(home):
    """What is under models/ that no manifest vouches for, a moment after the kill."""
    folders = [path for path in (home / "models").glob("*") if path.is_dir()]
    return [str(path) for path in folders if not (path / manifest.NAME).is_file()]


def round_of(home, seconds):
    """One kill after so many seconds, and the same command; what came of it."""
    process = start(home)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    at, broken = state(home), half(home)
    finish(home)
    sources = list((home / ".k2l" / "emulator" / "kernels").glob("*/*/*/source.ipynb"))
    return {"after": round(seconds, 2), "state": at, "half": broken, "pushes": len(sources), "hashes": installed(home)}


def kills(count, seed, folder):
    """The figures of so many kills."""
    random.seed(seed)
    began = time.monotonic()
    finish(folder / "whole")
    seconds, expected = time.monotonic() - began, installed(folder / "whole")
    rounds = []
    for number in range(count):
        home = folder / str(number)
        rounds.append(round_of(home, random.uniform(0, seconds)))
        daemon.stop(home / ".k2l" / "emulator")
        print(number + 1, {key: rounds[-1][key] for key in ("after", "state", "pushes")}, file=sys.stderr, flush=True)
    daemon.stop(folder / "whole" / ".k2l" / "emulator")
    states = [one["state"] for one in rounds]
    return {
        "kills": count, "seed": seed, "seconds_of_a_loop": seconds,
        "killed_in_state": {one: states.count(one) for one in sorted(set(states))},
        "same_hashes": sum(one["hashes"] == expected for one in rounds),
        "half_folders": [path for one in rounds for path in one["half"]],
        "pushed_twice": sum(one["pushes"] > 1 and one["state"] != "done" for one in rounds),
    }  # fmt: skip


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--kills", type=int, default=50)
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(kills(given.kills, given.seed, Path(folder)), indent=1))


if __name__ == "__main__":
    main()
