"""How fast model files run on this machine's processor, side by side in one process.

    rows = bench(models.files("compact-torch"), batches=(1, 256), threads=1)
    print(rows[0].p50_us, rows[0].as_dict())

A row is a file at a batch size. All rows take turns in rounds of shuffled order until the time is up, so that what else
happens on the machine falls on all alike; warm-up is left out, and the garbage collector stands still. What is timed is
`Runtime.logits`: uint8 images in, logits out, so what a user waits for. Absolute times hold for this machine and this
hour, the ratios of one run for longer. Accuracy is not looked at here. A torch row is PyTorch eager in its default
memory layout; `local.runtimes.torch_runtime` says what that leaves.
"""

import gc
import json
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.core import workspace
from local.models import registry
from local.runtimes import loading
from shared.core.errors import ConfigError, ModelError
from shared.core.events import Progress, Report, each, silent, within
from shared.core.input_spec import InputSpec

SECONDS = 10.0  # of timing, cold starts and loading not counted
COLD_STARTS = 3
FEWEST_ROUNDS = 5
SLOWER = 1.05  # times another's median, from which on it is more than noise
WARM_UP_CALLS, WARM_UP_SECONDS = 20, 0.25  # whichever is reached first
# One turn of a row: long enough for many calls of a fast one, so that its p99 is that of hundreds.
TURN_SECONDS, MOST_CALLS = 0.01, 40

START = """
import json, sys, time
from pathlib import Path
import numpy as np
from local.runtimes import loading
from shared.core.input_spec import InputSpec
path, told = Path(sys.argv[1]), json.loads(sys.argv[2])
runtime = loading.load(path, **told | {"spec": InputSpec.from_dict(told["spec"])})
runtime.logits(np.zeros((1, *runtime.spec.shape_of_bytes), np.uint8))
print(time.time())
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One file at one batch size; times of a whole batch in microseconds, the cold start in seconds.

    `ratio` is p50 over that of the first file at this batch size. `overhead_us` is what this package adds, at batch 1,
    to the framework's own call: from uint8 image to digit, less the call with its float input ready, both undisturbed
    (their 10th percentiles).
    """

    model: str
    file: str
    runtime: str
    batch: int
    threads: int
    p50_us: float
    p90_us: float
    p99_us: float
    images_per_second: float
    cold_start_s: float | None
    bytes: int
    ratio: float
    overhead_us: float | None
    calls: int

    def as_dict(self) -> dict[str, Any]:
        """What `k2l bench --json` prints: numbers to a few digits."""
        rounded = {key: round(value, 4) for key, value in asdict(self).items() if isinstance(value, float)}
        return asdict(self) | rounded


@dataclass(kw_only=True)
class Subject:
    """What is timed: a file on a batch of images. Times are in nanoseconds."""

    model: registry.Model
    runtime: loading.Runtime
    images: NDArray[np.uint8]
    calls: int = 1  # a turn
    times: list[int] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)  # image to digit, and the framework's call alone

    @property
    def batch(self) -> int:
        """Images a call."""
        return len(self.images)

    def warm_up(self) -> None:
        """Runs until caches, arenas and lazy initialisations are what they will be, and learns how long a call is."""
        times: list[int] = []
        while len(times) < WARM_UP_CALLS and sum(times) < WARM_UP_SECONDS * 1e9:
            times.append(timed(lambda: self.runtime.logits(self.images)))
        self.calls = max(1, min(MOST_CALLS, int(TURN_SECONDS * 1e9 / statistics.median(times))))

    def turn(self) -> None:
        """Its calls of one round. Where they are short, a first one is left out: the caches hold another's data."""
        runtime, images = self.runtime, self.images
        if self.calls > 1:
            runtime.logits(images)
        self.times += [timed(lambda: runtime.logits(images)) for _ in range(self.calls)]
        if self.batch == 1:
            bare = runtime.bare(images)
            bare()
            for _ in range(-(-self.calls // 2)):
                self.pairs.append((timed(lambda: runtime.logits(images).argmax()), timed(bare)))

    def overhead_us(self) -> float | None:
        """What is added to the framework's own call, at the fast end of both (the 10th percentile).

        A few microseconds are less than what another program on the same core costs: it would be measured with them.
        """
        if not self.pairs:
            return None
        ours, bare = np.percentile(self.pairs, 10, axis=0)
        return float(ours - bare) / 1e3


def bench(
    wanted: Sequence[registry.Model],
    *,
    batches: Sequence[int] = (1, 256),
    threads: int = 1,
    cold_start: bool = True,
    seconds: float = SECONDS,
    report: Report = silent,
) -> list[Row]:
    """A row for each file at each batch size, by batch size and then in the order given.

    Cold starts come first, while this process is idle; `seconds` bounds the timing that follows. Reports Progress.
    Raises ModelError for a file that does not run here.
    """
    if not 0 <= seconds < math.inf:  # also refuses NaN
        raise ConfigError(f"seconds={seconds} is out of range: give 0 or more.")
    starting = 0.3 if cold_start else 0.0
    colds = cold_starts(wanted, threads=threads, report=within(report, 0, starting)) if cold_start else {}
    images = {spec: strokes(max(batches), spec) for spec in {model.input for model in wanted}}
    subjects = [  # each with a runtime of its own: some lay out their memory anew where the batch size changes
        Subject(model=model, runtime=registry.open_runtime(model, threads=threads), images=images[model.input][:batch])
        for batch in batches
        for model in wanted
    ]
    race(subjects, seconds=seconds, report=within(report, starting, 1))
    first = {batch: next(p50_us(one) for one in subjects if one.batch == batch) for batch in batches}
    return [_row(one, threads=threads, cold=colds.get(str(one.model.file)), first=first[one.batch]) for one in subjects]


def race(subjects: Sequence[Subject], *, seconds: float, report: Report = silent) -> None:
    """Warms all up, then lets them take turns in shuffled rounds for so many seconds, at least a few rounds."""
    order, shuffler = list(subjects), random.Random(0)
    with without_gc():
        for subject in order:
            subject.warm_up()
        start, rounds = time.perf_counter(), 0
        while (spent := time.perf_counter() - start) < seconds or rounds < FEWEST_ROUNDS:
            report(Progress(min(spent / seconds, 1.0) if seconds else 1.0))
            shuffler.shuffle(order)
            for subject in order:
                subject.turn()
            rounds += 1
    report(Progress(1.0))


def timed(call: Callable[[], object]) -> int:
    """Nanoseconds of a call."""
    start = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - start


@contextmanager
def without_gc() -> Iterator[None]:
    """Collects once, and not again while inside."""
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def cold_starts(wanted: Sequence[registry.Model], *, threads: int, report: Report = silent) -> dict[str, float]:
    """{file: seconds from the start of a fresh process to its first prediction}, the median of a few, interleaved."""
    seconds: dict[str, list[float]] = {str(model.file): [] for model in wanted}
    for model in each([*wanted] * COLD_STARTS, report):
        seconds[str(model.file)].append(_start(model, threads))
    return {file: statistics.median(values) for file, values in seconds.items()}


def _start(model: registry.Model, threads: int) -> float:
    """Wall seconds until a process of its own has run one image."""
    how = {
        "threads": threads,
        "architecture": model.architecture,
        "spec": model.input.as_dict(),
        "classes": len(model.classes),
    }
    command = [sys.executable, "-c", START, str(model.file.resolve()), json.dumps(how)]
    start = time.time()
    done = subprocess.run(command, cwd=workspace.CHECKOUT, capture_output=True, text=True)
    if done.returncode:
        reason = next(iter(done.stderr.strip().splitlines()[-1:]), f"exit {done.returncode}")
        raise ModelError(f"{model.file} does not run in a fresh process: {reason[:300]}")
    return float(done.stdout.split()[-1]) - start


def strokes(count: int, spec: InputSpec) -> NDArray[np.uint8]:
    """So many images uint8 of one curved stroke each, as thick and as bright as a digit's; always the same."""
    rng = np.random.default_rng(0)
    sides = np.reshape(spec.shape[1:], (2, 1))
    ends = rng.uniform(5, sides - 5, (count, 3, 2, 1))  # of a quadratic Bézier curve
    t = np.linspace(0, 1, 24)
    curves = (1 - t) ** 2 * ends[:, 0] + 2 * t * (1 - t) * ends[:, 1] + t**2 * ends[:, 2]  # [count, 2, 24]
    rows, columns = np.mgrid[: spec.height, : spec.width][..., None]
    ink = np.zeros((count, spec.height, spec.width), np.uint8)
    for image, (y, x) in zip(ink, curves, strict=True):
        distance = np.hypot(rows - y, columns - x).min(axis=-1)
        image[:] = np.clip(255 * (2.2 - distance), 0, 255)
    return ink if spec.channels == 1 else np.repeat(ink[..., None], spec.channels, axis=-1)


def slow_int8(rows: Sequence[Row]) -> list[str]:
    """A sentence for each quantized file that is slower, from 1.05 times on, than the float one it was made of."""
    known = {(row.file, row.batch): row for row in rows}
    found = []
    for row in rows:
        whole = known.get((row.file.replace(".int8.", "."), row.batch))
        times = row.p50_us / whole.p50_us if whole is not None else 0.0
        if whole is not None and times >= SLOWER:
            found.append(
                f"int8 is slower here: {row.model}/{Path(row.file).name} takes {times:.2f} times as long as "
                f"{Path(whole.file).name} in {row.runtime} at batch {row.batch}."
            )
    return found


def p50_us(subject: Subject) -> float:
    """The median of its calls in microseconds."""
    return statistics.median(subject.times) / 1e3


def _row(subject: Subject, *, threads: int, cold: float | None, first: float) -> Row:
    p50, p90, p99 = (float(value) / 1e3 for value in np.percentile(subject.times, (50, 90, 99)))
    return Row(
        model=subject.model.name,
        file=str(subject.model.file),
        runtime=subject.runtime.name,
        batch=subject.batch,
        threads=threads,
        p50_us=p50,
        p90_us=p90,
        p99_us=p99,
        images_per_second=subject.batch * 1e6 / p50,
        cold_start_s=cold,
        bytes=subject.model.file.stat().st_size,
        ratio=p50 / first,
        overhead_us=subject.overhead_us(),
        calls=len(subject.times),
    )
