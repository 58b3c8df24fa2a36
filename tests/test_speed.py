"""What was promised of speed, in figures that other programs on the machine cannot spoil.

Commands are measured in processor seconds, the best of a few. The round trip waits for other processes, so that only
the clock can tell: that test has three outcomes, shown, broken, and not to be told on so busy a machine (skipped).
"""

import dataclasses
import importlib
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from local.apps.camera.tracking import Tracker
from local.core import workspace
from local.digits.reader import Reader
from local.emulator import daemon
from local.models import registry
from local.pictures import sources
from shared.core.events import StepEnded
from shared.data.datasets import load
from shared.training.config import TrainConfig
from tests.local.digits.drawn_digits import in_bad_light, page, write_film

AROUND = 8.0  # seconds a trip may take around its training
SURELY_OURS = 12.0  # seconds that no slower processor explains
PRESSURE = Path("/proc/pressure")


def command(home, *arguments):
    """A verb in a fresh process, without credentials and with a home of its own; its completed process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE_", "K2L_"))}
    done = subprocess.run(
        [sys.executable, "-m", "scripts", *arguments], cwd=workspace.CHECKOUT, env={**kept, "K2L_HOME": str(home)},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def processor_seconds(home, *arguments, times=5):
    """The least of a few runs: the first one compiles, and a shared cache makes any of them slower."""
    least = float("inf")
    for _ in range(times):
        before = os.times()
        command(home, *arguments)
        after = os.times()
        least = min(least, sum(after[2:4]) - sum(before[2:4]))
    return least


def test_help_is_there_in_half_a_second(tmp_path):
    assert processor_seconds(tmp_path, "--help") < 0.5


def test_a_bundle_is_built_in_a_second_by_a_fresh_process(tmp_path):
    assert processor_seconds(tmp_path, "bundle", "--out", str(tmp_path / "notebook.ipynb"), times=3) < 1


def steps_of(framework, data):
    """The processor seconds of each step of a short training of `compact`, its first epoch left out."""
    trainer = importlib.import_module(f"shared.training.train_{framework}")
    ended = []

    def report(event):
        if isinstance(event, StepEnded):
            ended.append(time.process_time())

    config = TrainConfig.create(architecture="compact", dataset="digits", epochs=3, device="cpu")
    trainer.train(config, data, report)
    return np.diff(ended)[len(ended) // 3 :]


@pytest.mark.slow
def test_a_step_of_keras_takes_at_most_half_as_long_again_as_one_of_torch():
    """Turn by turn in one process; the median is not moved by the epochs' ends."""
    digits = load("digits")
    images, labels = (np.tile(part, (4, *[1] * (part.ndim - 1))) for part in (digits.train_images, digits.train_labels))
    data = dataclasses.replace(digits, train_images=images, train_labels=labels)
    steps = {"torch": [], "keras": []}
    for framework in ("torch", "keras") * 3:
        steps[framework].extend(steps_of(framework, data))
    ratio = np.median(steps["keras"]) / np.median(steps["torch"])
    assert ratio <= 1.5, {framework: np.median(taken) for framework, taken in steps.items()}


def stalled():
    """Seconds since the machine's start in which something on it waited for a processor or the disk; None: not told."""
    try:
        lines = [(PRESSURE / kind).read_text().splitlines()[0] for kind in ("cpu", "io")]
    except OSError:
        return None
    return sum(int(line.rpartition("total=")[2]) for line in lines) / 1e6


def trip(home):
    """One trip with a real small training: seconds around the training, and in how many something was held up."""
    training = ("--dataset", "digits", "--epochs", "10", "--name", "small", "--again")
    before = stalled()
    row = json.loads(command(home, "loop", "--remote", "emulator", *training, "--json").stdout)
    assert 0 < row["seconds_training"] < row["seconds_push_to_installed"]
    around = row["seconds_push_to_installed"] - row["seconds_training"]
    return around, None if before is None else stalled() - before


def verdict(around, held_up):
    if around <= AROUND:
        return "shown"
    return "broken" if held_up is not None and around - held_up > SURELY_OURS else "not to be told"


@pytest.mark.slow
def test_a_trip_takes_at_most_eight_seconds_around_its_training(tmp_path):
    """On a quiet machine it shows the promise itself: push to installed in the training's time and eight seconds.

    On a busy one the clock counts the turns of others too. Linux tells how long anything on the machine was held up
    (pressure stall information); a trip that even without all of that takes half as long again, three times in a row,
    is our own doing, and fails. In between nothing can be told, and the test is skipped with its figures. So it cannot
    see a second or two lost, nor anything above eight seconds where the system tells no pressure.
    """
    tried = []
    try:
        while not tried or (len(tried) < 3 and verdict(*tried[-1]) == "broken"):
            tried.append(trip(tmp_path))
    finally:
        daemon.stop(tmp_path / ".k2l" / "emulator")
    said = "seconds around the training, and of something held up: " + ", ".join(str(one) for one in tried)
    if verdict(*tried[-1]) == "not to be told":
        pytest.skip(f"too busy a machine, or none that tells: {said}")
    assert verdict(*tried[-1]) == "shown", said


@pytest.mark.parametrize(
    ("around", "held_up", "said"),
    [
        (7.9, 9.0, "shown"),
        (7.9, None, "shown"),
        (14, 5, "not to be told"),
        (14, None, "not to be told"),
        (14, 1, "broken"),
    ],
)
def test_a_late_trip_is_blamed_on_us_only_without_another_reason(around, held_up, said):
    assert verdict(around, held_up) == said


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """300 frames of 640x480 with 1 to 10 digits."""
    path = tmp_path_factory.mktemp("film") / "clip.mp4"
    write_film(path)
    return path


def follow(clip):
    """What `k2l camera` does with each frame of a film, four times: processor seconds, bytes of memory, and frames."""
    reader, tracker = Reader(registry.open_runtime(registry.find("lite"))), Tracker(0.5)
    shots = [shot.grey for shot in sources.frames(str(clip))]
    taken, memory = [], []
    for grey in itertools.chain.from_iterable([shots] * 4):
        before = time.process_time()
        tracker.follow(reader.read(grey))
        taken.append(time.process_time() - before)
        memory.append(psutil.Process().memory_info().rss)
    return taken, memory, len(shots)


@pytest.mark.slow
def test_a_frame_is_read_in_a_few_milliseconds_and_memory_stays_flat(clip):
    """Promised are 8 ms on a free core. In a process of its own: the memory of other tests would be counted, too."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as own:
        taken, memory, frames = own.submit(follow, clip).result()
    assert np.median(taken) < 0.016 and np.quantile(taken, 0.99) < 0.04
    assert memory[-1] - memory[frames] < 4_000_000, memory[::frames]


@pytest.mark.slow
def test_a_photograph_of_12_megapixels_is_read_from_a_cold_start_in_a_second(tmp_path):
    digits = in_bad_light(page("01234", "56789", height=900))
    cv2.imwrite(str(tmp_path / "photo.jpg"), cv2.resize(digits, (4000, 3000)))
    assert processor_seconds(tmp_path, "predict", str(tmp_path / "photo.jpg"), "--model", "lite", times=3) < 1
