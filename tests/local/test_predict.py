import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_digits import page
from model_folders import write_folder
from model_formats import images

from local import export, predict, runtimes
from local.vision import picture
from shared.errors import PictureError

PICTURES = Path(__file__).resolve().parent.parent / "data" / "pictures"
DRAWN = PICTURES / "7-light.png"


class Sure:
    """A runtime that is sure of one class."""

    name, classes = "sure", 10

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
    reading = predict.Reader(Sure(4)).read(picture.read(DRAWN))
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
    (digit,) = predict.Reader(Sure(4)).read(picture.read(DRAWN)).as_dict(probabilities=True)["digits"]
    assert len(digit["probabilities"]) == 10 and sum(digit["probabilities"]) == pytest.approx(1, abs=1e-4)


def test_a_blank_page_has_no_digits():
    assert predict.Reader(Sure(4)).read(picture.read(PICTURES / "blank.png")).as_dict() == {
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

    reading = predict.Reader(Doubtful(7)).read(grey)
    assert reading.text == "77|77" and len(reading.digits) == 4
    (rejected,) = reading.as_dict()["rejected"]
    assert list(rejected) == ["box", "confidence"] and rejected["confidence"] == pytest.approx(0.1)
    assert rejected["box"][0] < reading.rows[1][0].box[0] and rejected["box"][1] > reading.rows[0][0].box[1]
    assert predict.Reader(Doubtful(7), sure=0).read(grey).text == "77|077"
    assert len(predict.Reader(Sure(7)).read(grey, single=True).digits) == 1


def test_an_eleventh_class_is_no_digit():
    class Background(Sure):
        classes = 11

    reading = predict.Reader(Background(10)).read(page("12"))
    assert reading.text == "" and len(reading.rejected) == 2
    (digit, _) = predict.Reader(Background(4)).read(page("12")).digits
    assert digit.digit == 4 and len(digit.probabilities) == 10


def test_names_are_files_folders_and_patterns_in_order_and_once(tmp_path, monkeypatch):
    for name in ("b.png", "a.JPG", "notes.txt", "[1].png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    assert [path.name for path in predict.pictures([str(tmp_path)])] == ["[1].png", "a.JPG", "b.png"]
    assert predict.pictures(["b.png", "*.png", "[1].png"]) == [Path("b.png"), Path("[1].png")]
    assert predict.pictures([f"{tmp_path}/*.txt"]) == [tmp_path / "notes.txt"]
    assert predict.pictures(["missing.png"]) == [Path("missing.png")]
    for nothing in ("*.gif", "sub"):
        with pytest.raises(PictureError, match=nothing.replace("*", r"\*")):
            predict.pictures([nothing])


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


def test_one_bad_picture_does_not_stop_the_others(named, k2l):
    done = k2l("predict", PICTURES, PICTURES / "missing.png", "--model", named, "--json", check=False)
    assert done.returncode == 1
    read = [Path(json.loads(line)["file"]).name for line in done.stdout.splitlines()]
    assert read == sorted(path.name for path in PICTURES.iterdir() if path.name != "not-a-picture.png")
    first, second = done.stderr.splitlines()
    assert "not-a-picture.png: not a picture" in first and "missing.png: cannot be read: No such file" in second


def test_the_model_is_said_where_it_was_not_named(named, k2l):
    done = k2l("predict", DRAWN, "--probabilities", "--conf", 0)
    assert "model: small (the newest in models/)" in done.stderr
    assert str(DRAWN) in done.stdout and len(done.stdout.splitlines()) == 11


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
    export.export(folder, ["onnx", "tflite"], images_nhw=images())
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
    assert refused["model.pth"].strip().endswith("not installed here: pip install torch")


def test_a_runtime_of_either_kind_reads(small_model):
    grey = picture.read(DRAWN)
    one, other = (
        predict.Reader(runtimes.load(small_model / name, architecture="lite"), sure=0).read(grey).digits[0]
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
