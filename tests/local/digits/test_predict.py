import csv
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from local.apps.camera.window import Window
from local.digits import glyphs, reader
from local.export import export
from local.pictures import picture, sources
from local.pictures.film import Film
from local.runtimes import loading
from scripts.predict import as_csv, as_text
from scripts.steps.options import open_reader
from shared.data.registry import GLYPH
from tests.local.digits.drawn_digits import Knows, page
from tests.local.model_folders import write_folder
from tests.local.model_formats import images

PICTURES = Path(__file__).resolve().parents[2] / "data" / "pictures"
DRAWN = PICTURES / "7-light.png"


class Sure:
    """A runtime that is sure of one class."""

    name, classes, spec = "sure", 10, GLYPH

    def __init__(self, label):
        self.label = label

    def logits(self, images_nhw):
        assert images_nhw.shape[1:] == (28, 28) and images_nhw.dtype == np.uint8
        return np.float32([[20.0 if label == self.label else 0.0 for label in range(self.classes)]] * len(images_nhw))


@pytest.fixture
def named(home, small_model):
    shutil.copytree(small_model, home / "models" / "small")
    return "small"


def test_a_reading_holds_the_digit_its_confidence_and_its_box():
    reading = reader.Reader(Sure(4)).read(picture.read(DRAWN))
    assert reading.text == "4"
    facts = reading.as_dict()
    assert list(facts) == ["text", "digits", "rejected"] and facts["rejected"] == []
    (digit,) = facts["digits"]
    assert list(digit) == ["digit", "confidence", "box"]
    assert digit["digit"] == 4 and digit["confidence"] > 0.999
    x, y, w, h = digit["box"]
    height, width = cv2.imread(str(DRAWN), cv2.IMREAD_GRAYSCALE).shape
    assert 0 < x < x + w < width and 0 < y < y + h < height


def test_probabilities_are_ten_numbers_that_add_up():
    (digit,) = reader.Reader(Sure(4)).read(picture.read(DRAWN)).as_dict(probabilities=True)["digits"]
    assert len(digit["probabilities"]) == 10 and sum(digit["probabilities"]) == pytest.approx(1, abs=1e-4)


def test_a_blank_page_has_no_digits():
    assert reader.Reader(Sure(4)).read(picture.read(PICTURES / "blank.png")).as_dict() == {
        "text": "",
        "digits": [],
        "rejected": [],
    }


def test_rows_are_read_in_order_and_what_is_unsure_is_rejected():
    grey = page("12", "345")

    class Doubtful(Sure):
        """Of the third glyph it says nothing."""

        def logits(self, images_nhw):
            return super().logits(images_nhw) * (np.arange(len(images_nhw)) != 2)[:, None]

    reading = reader.Reader(Doubtful(7)).read(grey)
    assert reading.text == "77|77" and len(reading.digits) == 4
    (rejected,) = reading.as_dict()["rejected"]
    assert list(rejected) == ["box", "confidence"] and rejected["confidence"] == pytest.approx(0.1)
    assert rejected["box"][0] < reading.rows[1][0].box[0] and rejected["box"][1] > reading.rows[0][0].box[1]
    assert reader.Reader(Doubtful(7), sure=0).read(grey).text == "77|077"
    assert len(reader.Reader(Sure(7)).read(grey, single=True).digits) == 1


@pytest.mark.parametrize(("row", "sure", "text"), [("12345", 2, ""), ("1234", 2, "77"), ("123", 1, "7")])
def test_a_long_row_of_which_most_is_no_digit_is_words(row, sure, text):
    """An O in a word is no 0, however sure the network is; a short row, or one of digits for the most part, is read."""

    class SureOfTheFirst(Sure):
        def logits(self, images_nhw):
            return super().logits(images_nhw) * (np.arange(len(images_nhw)) < sure)[:, None]

    reading = reader.Reader(SureOfTheFirst(7)).read(page(row))
    assert reading.text == text
    assert len(reading.digits) + len(reading.rejected) == len(row)


def test_an_eleventh_class_is_no_digit():
    class Background(Sure):
        classes = 11

    reading = reader.Reader(Background(10)).read(page("12"))
    assert reading.text == "" and len(reading.rejected) == 2
    (digit, _) = reader.Reader(Background(4)).read(page("12")).digits
    assert digit.digit == 4 and len(digit.probabilities) == 10


def test_the_verb_prints_one_object_a_picture(named, k2l):
    done = k2l(
        "predict", PICTURES / "0-dark.png", PICTURES / "blank.png", "--model", named, "--json", "--single", "--conf", 0
    )
    digit, blank = (json.loads(line) for line in done.stdout.splitlines())
    assert list(digit) == ["file", "text", "digits", "rejected"]
    assert digit["file"] == str(PICTURES / "0-dark.png")
    assert len(digit["digits"]) == 1 and digit["text"] == str(digit["digits"][0]["digit"])
    assert blank["digits"] == [] and blank["text"] == ""
    assert done.stderr == ""


def test_the_likeliest_classes_are_told_where_more_than_one_is_asked_for(named, k2l):
    done = k2l("predict", DRAWN, "--model", named, "--json", "--top", 3, "--conf", 0, "--single")
    (digit,) = json.loads(done.stdout)["digits"]
    assert [list(one) for one in digit["top"]] == [["digit", "confidence"]] * 3
    assert digit["top"][0] == {"digit": digit["digit"], "confidence": digit["confidence"]}
    shares = [one["confidence"] for one in digit["top"]]
    assert shares == sorted(shares, reverse=True)
    assert len(k2l("predict", DRAWN, "--model", named, "--top", 3, "--conf", 0, "--single").stdout.splitlines()) == 2


def test_a_table_has_a_line_a_digit_and_one_for_a_picture_without(named, k2l, tmp_path):
    cv2.imwrite(str(tmp_path / "page.png"), page("12", "345"))
    done = k2l("predict", tmp_path / "page.png", PICTURES / "blank.png", "--model", named, "--csv", "--conf", 0)
    lines = list(csv.DictReader(done.stdout.splitlines()))
    assert [(line["row"], line["place"]) for line in lines] == [
        ("1", "1"), ("1", "2"), ("2", "1"), ("2", "2"), ("2", "3"), ("", ""),
    ]  # fmt: skip
    assert lines[0]["digit"] in "0123456789" and int(lines[1]["x"]) > int(lines[0]["x"])
    assert lines[-1]["file"].endswith("blank.png") and lines[-1]["digit"] == ""
    assert list(lines[0])[-1] == "rejected" and {line["rejected"] for line in lines} == {"0"}


def test_a_picture_of_rejected_things_is_not_an_empty_one(capsys):
    tell = as_csv()
    for rejected in ([], [1, 2]):
        tell({"file": "a.png", "text": "", "digits": [], "rejected": rejected})
    assert [line.rpartition(",")[2] for line in capsys.readouterr().out.splitlines()] == ["rejected", "0", "2"]


def test_of_the_likeliest_classes_those_that_are_nothing_are_left_out(capsys):
    top = [{"digit": 7, "confidence": 0.99}, {"digit": 1, "confidence": 0.01}, {"digit": 0, "confidence": 1e-5}]
    digit = {"digit": 7, "confidence": 0.99, "top": top}
    as_text({"file": "a.png", "text": "7", "digits": [digit], "rejected": []})
    assert capsys.readouterr().out.splitlines()[1] == "  7 99.0%   1 1.0%"


def test_one_picture_can_be_kept_as_a_file(named, k2l, tmp_path):
    asked = ("--model", named, "--save", tmp_path / "new" / "seen.PNG")
    done = k2l("predict", DRAWN, *asked)
    assert cv2.imread(str(tmp_path / "new" / "seen.PNG")) is not None
    assert done.stderr == f"kept: {tmp_path / 'new' / 'seen.PNG'}\n"
    done = k2l("predict", DRAWN, PICTURES / "blank.png", *asked, check=False)
    assert done.returncode == 1 and "more than one picture. Name a folder." in done.stderr and not done.stdout


def test_two_kinds_of_lines_on_stdout_are_refused(named, k2l):
    done = k2l("predict", DRAWN, "--model", named, "--json", "--csv", check=False)
    assert done.returncode == 2 and "--json and --csv" in done.stderr


def test_readings_are_kept_as_pictures(named, k2l, tmp_path):
    cv2.imwrite(str(tmp_path / "page.png"), page("12"))
    asked = ("--save", tmp_path / "seen", "--save-crops", tmp_path / "crops", "--debug-dir", tmp_path / "steps")
    done = k2l("predict", tmp_path / "page.png", "--model", named, "--conf", 0, "--json", *asked)
    seen = cv2.imread(str(tmp_path / "seen" / "page.png"))
    assert seen.shape == (*page("12").shape, 3) and np.ptp(seen, axis=2).any()
    digits = json.loads(done.stdout)["text"]
    crops = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted((tmp_path / "crops").iterdir())]
    assert sorted(path.name for path in (tmp_path / "crops").iterdir()) == [
        f"page-{place}-is-{digit}.png" for place, digit in enumerate(digits, start=1)
    ]
    assert [crop.shape for crop in crops] == [(28, 28)] * 2
    assert len(list((tmp_path / "steps").iterdir())) == 8


def test_no_picture_is_written_over_the_one_that_is_read(named, k2l, tmp_path):
    cv2.imwrite(str(tmp_path / "page.png"), page("12"))
    before = (tmp_path / "page.png").read_bytes()
    done = k2l("predict", tmp_path / "page.png", "--model", named, "--save", tmp_path, check=False)
    assert done.returncode == 1 and "is the very file that is read" in done.stderr
    assert (tmp_path / "page.png").read_bytes() == before
    done = k2l("predict", tmp_path / "page.png", "--model", named, "--save", tmp_path / "page.png", check=False)
    assert done.returncode == 1 and "--save" in done.stderr and done.stdout == ""


def test_a_small_faint_picture_is_looked_at_in_parts_too(tmp_path):
    faint = np.zeros((28, 28), np.uint8)
    faint[8:20, 4:24] = 100
    reading = reader.Reader(Knows(), sure=1.0).read(faint)
    assert not reading.digits and len(reading.rejected) == 1


def test_a_film_is_read_frame_by_frame_and_kept_as_one(named, k2l, tmp_path):
    with Film(tmp_path / "clip.mp4", fps=10) as film:
        for digits in ("12", "345", "6"):
            film.add(cv2.cvtColor(cv2.resize(page(digits), (320, 240)), cv2.COLOR_GRAY2BGR))
    done = k2l("predict", tmp_path / "clip.mp4", "--model", named, "--conf", 0, "--json", "--save", tmp_path / "seen")
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(frame["frame"], len(frame["text"])) for frame in frames] == [(0, 2), (1, 3), (2, 1)]
    assert len(list(sources.frames(str(tmp_path / "seen" / "clip.mp4")))) == 3


def test_standard_input_is_a_picture(named, home):
    command = [sys.executable, "-m", "scripts", "predict", "-", "--model", named, "--json", "--conf", "0"]
    facts = json.loads(subprocess.run(command, input=DRAWN.read_bytes(), capture_output=True, check=True).stdout)
    assert facts["file"] == "-" and len(facts["digits"]) == 1


def test_one_bad_picture_of_many_is_counted_at_the_end(named, k2l, tmp_path):
    for number in range(11):
        shutil.copy(DRAWN, tmp_path / f"{number:02d}.png")
    (tmp_path / "05.png").write_bytes(b"no picture")
    done = k2l("predict", tmp_path, "--model", named, "--conf", 0, check=False)
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 10
    assert done.stderr.splitlines()[-1].startswith("10 pictures, 1 could not be read: 10 digits, 0 rejected; ")


def test_without_a_display_a_window_is_refused_and_nothing_aborts(named, k2l, monkeypatch):
    for display in ("", ":987"):
        monkeypatch.setenv("DISPLAY", display)
        done = k2l("predict", DRAWN, "--model", named, "--show", check=False)
        assert done.returncode == 1 and "error: No window can be opened" in done.stderr, done


def test_pictures_are_shown_one_by_one_until_q(launch, named, display, xdotool):
    environment = {**os.environ, "DISPLAY": display}
    running = launch("-m", "scripts", "predict", PICTURES, "--model", named, "--conf", "0", "--show", env=environment)
    end = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < end:
        for window in xdotool("search", "--name", "k2l predict"):
            xdotool("key", "--window", window, "q")
        time.sleep(0.3)
    told, said = running.communicate(timeout=10)
    assert running.returncode == 0, said
    assert len(told.splitlines()) == 1


def test_a_window_that_the_user_has_closed_is_left_without_a_word(monkeypatch):
    def gone(title):
        raise cv2.error("NULL guiReceiver")

    monkeypatch.setattr(cv2, "destroyWindow", gone)
    closed = Window.__new__(Window)
    closed.title = "k2l"
    closed.__exit__(None, None, None)


def test_one_bad_picture_does_not_stop_the_others(named, k2l):
    done = k2l("predict", PICTURES, PICTURES / "missing.png", "--model", named, "--json", check=False)
    assert done.returncode == 1
    read = [Path(json.loads(line)["file"]).name for line in done.stdout.splitlines()]
    assert read == sorted(path.name for path in PICTURES.iterdir() if path.name != "not-a-picture.png")
    first, second, _ = done.stderr.splitlines()
    assert "not-a-picture.png: not a picture" in first and "missing.png: cannot be read: No such file" in second


def test_the_model_is_said_on_a_terminal_where_it_was_not_named(named, k2l_process, monkeypatch, capfd):
    done = k2l_process("predict", DRAWN, "--probabilities")
    assert done.stderr == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    open_reader("", None)
    assert capfd.readouterr().err == "model: small (the newest in models/)\n"
    assert f"{DRAWN}: 7 (" in done.stdout and len(done.stdout.splitlines()) == 11


def test_without_a_model_the_way_to_one_is_told(error_of):
    assert "k2l loop" in error_of("predict", DRAWN)


def test_reading_pictures_starts_without_any_training_framework(small_model):
    script = (
        "import sys; from scripts.__main__ import main; sys.argv[1:] = {arguments!r}\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "print(*sys.modules)"
    )
    arguments = ["predict", str(DRAWN), "--model", str(small_model), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script.format(arguments=arguments)], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert {"cv2", "onnxruntime", "numpy"} <= loaded
    heavy = {"torch", "tensorflow", "keras", "kaggle", "kagglesdk", "rich", "matplotlib", "sklearn", "onnx", "pandas"}
    assert not loaded & heavy


def test_a_machine_without_training_frameworks_reads_and_says_what_others_files_need(tmp_path):
    """In a process that can import neither PyTorch nor TensorFlow, nor what trains, converts or talks to Kaggle."""
    folder = write_folder(tmp_path / "small", "lite")
    export.export(folder, ["onnx", "tflite"], images=images())
    script = (
        "import sys; sys.modules |= dict.fromkeys({absent!r}); from scripts.__main__ import main\n"
        "sys.argv[1:] = {arguments!r}; main()"
    )
    absent = ["torch", "torchvision", "triton", "tensorflow", "keras", "kaggle", "kagglesdk", "onnx", "sklearn"]
    read, refused = [], {}
    for name in ("model.onnx", "model.tflite", "model.pth"):
        arguments = ["predict", str(DRAWN), "--model", str(folder / name), "--json"]
        code = script.format(absent=absent, arguments=arguments)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        if done.returncode:
            refused[name] = done.stderr
        else:
            read.append(json.loads(done.stdout)["text"])
    assert len(read) == 2 and len(set(read)) == 1
    assert list(refused) == ["model.pth"]
    assert refused["model.pth"].strip().endswith("not installed here: pip install torch (in the extra torch)")


def touching(*digits):
    """Digits whose strokes run into each other, on one sheet."""
    first, *others = (page(str(digit), ink=0, paper=255) for digit in digits)
    for other in others:
        left, right = (np.flatnonzero((picture < 128).any(axis=0)) for picture in (first, other))
        wide = np.full((len(first), left[-1] + len(other[0]) - right[0]), 255, np.uint8)
        wide[:, : first.shape[1]] = first[:, : wide.shape[1]]
        start = left[-1] - 6 - right[0]
        wide[:, start : start + other.shape[1]] = np.minimum(wide[:, start : start + other.shape[1]], other)
        first = wide
    return first


@pytest.mark.parametrize("digits", [(3, 5), (2, 7), (5, 0, 3)])
def test_digits_that_touch_are_parted_and_each_is_read(digits):
    grey = touching(*digits)
    assert len(glyphs.several(grey)[0]) == 1
    reading = reader.Reader(Knows(), sure=0.5).read(grey)
    assert reading.text == "".join(map(str, digits)) and not reading.rejected
    boxes = [digit.box for digit in reading.digits]
    assert all(one[0] + one[2] <= other[0] + 4 for one, other in itertools.pairwise(boxes))


def test_what_is_no_digit_in_parts_either_stays_whole_and_rejected():
    grey = page("1", ink=0, paper=255)
    cv2.line(grey, (10, 40), (grey.shape[1] - 10, 44), 0, 9)
    reading = reader.Reader(Knows(), sure=0.5).read(grey)
    assert reading.text == "" and len(reading.rejected) == 1
    assert len(reader.Reader(Knows(), sure=0.5).read(touching(3, 5), single=True).rejected) == 1


def test_a_runtime_of_either_kind_reads(small_model):
    grey = picture.read(DRAWN)
    one, other = (
        reader.Reader(loading.load(small_model / name, architecture="lite"), sure=0).read(grey).digits[0]
        for name in ("model.onnx", "model.pth")
    )
    assert one.digit == other.digit and one.confidence == pytest.approx(other.confidence, abs=1e-4)


@pytest.mark.slow
def test_reading_one_picture_from_a_cold_start_takes_at_most_twice_the_imports(named, home):
    """In processor seconds, pair by pair: other programs on the machine change the wall time of each alone."""
    imports = ["-c", "import cv2, onnxruntime"]
    predict_one = ["-m", "scripts", "predict", str(DRAWN), "--model", named, "--json"]
    ratios = [cpu_seconds(predict_one) / cpu_seconds(imports) for _ in range(7)]
    assert statistics.median(ratios) <= 2, ratios


def cpu_seconds(arguments):
    before = os.times()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])
