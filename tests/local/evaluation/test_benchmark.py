import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from local.evaluation import benchmark, benchmark_plots
from local.models import registry
from shared.core import manifest
from shared.core.errors import ModelError
from shared.data.registry import GLYPH
from shared.training import plots
from tests.heard import Heard

FIELDS = [
    "model", "file", "runtime", "batch", "threads", "p50_us", "p90_us", "p99_us", "images_per_second", "cold_start_s",
    "bytes", "ratio",
]  # fmt: skip


@pytest.fixture
def named(home, small_model):
    shutil.copytree(small_model, home / "models" / "small")
    return "small"


def row(file, batch=1, p50_us=100.0, model="small", runtime="onnxruntime"):
    return benchmark.Row(
        model=model, file=f"models/{model}/{file}", runtime=runtime, batch=batch, threads=1, p50_us=p50_us,
        p90_us=p50_us * 1.2, p99_us=p50_us * 2, images_per_second=batch * 1e6 / p50_us, cold_start_s=0.5, bytes=1000,
        ratio=1.0, overhead_us=None, calls=100,
    )  # fmt: skip


class Clock:
    """Stands in for the module `time`: it moves only where it is told to, so a busy machine changes nothing."""

    def __init__(self):
        self.us = 0

    def perf_counter_ns(self):
        return self.us * 1000

    def perf_counter(self):
        return self.us / 1e6


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(benchmark, "time", clock)
    return clock


class Sleeper:
    """A runtime that takes its time by that clock: some on top of its own call, and far more for its first calls."""

    name, classes = "sleeper", 10

    def __init__(self, clock, us, *, added=0, slow_calls=0, log=None):
        self.clock, self.us, self.added, self.slow_calls = clock, us, added, slow_calls
        self.log = [] if log is None else log

    def logits(self, images_nhw):
        self.log.append(self)
        self.slow_calls -= 1
        self.clock.us += 50_000 if self.slow_calls >= 0 else self.us + self.added
        return np.zeros((len(images_nhw), 10), np.float32)

    def bare(self, images_nhw):
        def call():
            self.clock.us += self.us

        return call


def subject(runtime, batch=2):
    return benchmark.Subject(model=None, runtime=runtime, images=np.zeros((batch, 28, 28), np.uint8))


def test_rows_are_by_batch_size_and_hold_to_the_first_file(named):
    heard = Heard()
    rows = benchmark.bench(registry.files(named), batches=(1, 4), cold_start=False, seconds=0.2, report=heard)
    assert [(row.batch, row.runtime) for row in rows] == [
        (1, "onnxruntime"), (1, "torch"), (4, "onnxruntime"), (4, "torch"),
    ]  # fmt: skip
    for one in rows:
        assert 0 < one.p50_us <= one.p90_us <= one.p99_us and one.calls >= 5 and one.threads == 1
        assert one.images_per_second == pytest.approx(one.batch * 1e6 / one.p50_us)
        first = next(row for row in rows if row.batch == one.batch)
        assert one.ratio == pytest.approx(one.p50_us / first.p50_us)
        assert (one.overhead_us is None) == (one.batch > 1) and one.cold_start_s is None
        assert list(one.as_dict())[: len(FIELDS)] == FIELDS
    assert rows[0].ratio == rows[2].ratio == 1.0
    shares = heard.all("share")
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_all_take_turns_and_warm_up_is_left_out(clock):
    log = []
    quick, slow = Sleeper(clock, 1, log=log), Sleeper(clock, 2000, log=log, slow_calls=1)
    subjects = [subject(quick), subject(slow)]
    benchmark.race(subjects, seconds=0.3)
    assert subjects[0].calls == benchmark.MOST_CALLS and subjects[1].calls == 5  # 2 ms each, in turns of 10 ms
    assert set(subjects[0].times) == {1000} and set(subjects[1].times) == {2_000_000}  # its first call is not there
    rounds = len(subjects[1].times) // subjects[1].calls
    assert rounds == 25  # 12 ms each, with a call that is left out
    assert len(subjects[0].times) == rounds * benchmark.MOST_CALLS
    changes = sum(one is not other for one, other in itertools.pairwise(log))
    assert changes >= rounds


def test_there_are_a_few_rounds_however_short_the_time(clock):
    one = subject(Sleeper(clock, 400_000))
    benchmark.race([one], seconds=0)
    assert (one.calls, len(one.times)) == (1, benchmark.FEWEST_ROUNDS)


def test_the_overhead_is_what_is_added_to_the_bare_call_undisturbed(clock):
    one, many = subject(Sleeper(clock, 1000, added=3), batch=1), subject(Sleeper(clock, 1000, added=3))
    benchmark.race([one, many], seconds=0.1)
    few = len(one.pairs) // 4
    one.pairs += few * [(9_000_000, 1_000_000)] + few * [(1_003_000, 8_000_000)]  # another program's doing
    assert one.overhead_us() == pytest.approx(3) and many.overhead_us() is None


def test_garbage_is_kept_while_timing_and_not_longer():
    import gc

    with benchmark.without_gc():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_cold_start_is_that_of_a_fresh_process(named, monkeypatch):
    monkeypatch.setattr(benchmark, "COLD_STARTS", 1)
    model = registry.find(named)
    (seconds,) = benchmark.cold_starts([model], threads=1).values()
    assert 0.05 < seconds < 30
    model.file.write_bytes(b"")
    with pytest.raises(ModelError, match=r"model\.onnx does not run in a fresh process"):
        benchmark.cold_starts([model], threads=1)


def test_the_images_are_like_digits_and_always_the_same():
    images = benchmark.strokes(50, GLYPH)
    assert images.shape == (50, 28, 28) and images.dtype == np.uint8
    assert np.array_equal(images, benchmark.strokes(50, GLYPH))
    ink = (images > 127).mean(axis=(1, 2))
    assert 0.03 < ink.mean() < 0.3 and ink.min() > 0 and images.max() == 255


def test_it_is_said_where_int8_is_slower_in_the_same_runtime():
    rows = [row("model.onnx"), row("model.int8.onnx", p50_us=166), row("model.int8.tflite", p50_us=900)]
    rows += [row("model.onnx", batch=256, p50_us=900), row("model.int8.onnx", batch=256, p50_us=600)]
    (sentence,) = benchmark.slow_int8(rows)
    assert "small/model.int8.onnx takes 1.66 times as long as model.onnx in onnxruntime at batch 1" in sentence


@pytest.mark.parametrize(("p50_us", "said"), [(90.0, 0), (104.0, 0), (105.0, 1)])
def test_int8_is_not_called_slow_for_what_may_be_noise(p50_us, said):
    assert len(benchmark.slow_int8([row("model.onnx"), row("model.int8.onnx", p50_us=p50_us)])) == said


def test_the_chart_has_a_bar_for_each_row_with_its_time(tmp_path):
    times = {"model.onnx": 30.0, "model.int8.tflite": 14.0, "model.pth": 400.0}
    rows = [row(file, batch, p50 * batch) for batch in (1, 256) for file, p50 in times.items()]
    figure = benchmark_plots.latencies(rows)
    one, many = figure.axes
    assert one.get_title(loc="left") == "1 image: median, line to p99"
    assert many.get_title(loc="left") == "256 images: median, line to p99"
    assert [text.get_text() for text in one.texts] == ["30 µs  ×1.00", "14 µs  ×1.00", "400 µs  ×1.00"]
    assert one.get_yticklabels()[0].get_text() == "model.onnx  (onnxruntime)"
    assert all(axes.get_xscale() == "log" and len(axes.patches) == 3 for axes in figure.axes)
    plots.save(figure, tmp_path / "bench.png")
    with Image.open(tmp_path / "bench.png") as picture:
        assert picture.width > 800


def test_the_verb_prints_one_object_a_file_and_batch_size(named, home, k2l, tmp_path):
    folder, chart = home / "models" / "small", tmp_path / "bench.png"
    shutil.copy(folder / "model.onnx", folder / "model.int8.onnx")
    manifest.remove_files(folder, ["model.pth"])  # importing torch takes longer than all the rest
    manifest.add_files(folder, ["model.int8.onnx"])
    done = k2l(
        "bench", "small", "small/model.onnx", "--json", "--seconds", "0.1", "--batch", "2,1", "--no-cold-start",
        "--chart", chart,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["batch"], Path(one["file"]).name) for one in rows] == [
        (2, "model.onnx"), (2, "model.int8.onnx"), (1, "model.onnx"), (1, "model.int8.onnx"),
    ]  # fmt: skip
    assert all(list(one)[: len(FIELDS)] == FIELDS and one["bytes"] > 0 for one in rows)
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_the_verb_prints_a_table_for_people(named, k2l):
    done = k2l("bench", "small/model.onnx", "--seconds", "0.1", "--batch", "1")
    assert all(word in done.stdout for word in ("p50 µs", "images/s", "ratio", "start s", "model.onnx", "1.00"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "No model 'nothing'"),
        (["small", "--batch", "1,x"], "--batch '1,x': whole numbers"),
        (["small", "--batch", "0"], "--batch '0'"),
        (["small", "--chart", "absent/b.png"], "--chart absent/b.png"),
        (["small", "--chart", "b.pdf"], "must be a .png"),
    ],
)
def test_the_verb_says_what_is_wrong_in_a_line(named, error_of, arguments, said):
    assert said in error_of("bench", *arguments)
