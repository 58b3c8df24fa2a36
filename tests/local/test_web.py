"""What `k2l web` shows: every file of a network on one picture, and what becomes of it as HTML. No browser."""

import base64
import socket
import sys

import cv2
import numpy as np
import pytest
from drawn_digits import drawn, page

from local import models, paths
from local.predict import Reader
from local.web import cards, examples, serving
from local.web.answers import Networks, planes, precision_of
from local.web.page import Answering
from local.web.page import drawn as decoded
from shared.errors import ConfigError, PictureError, UserError


@pytest.fixture(scope="module")
def networks():
    return Networks()


def coloured(grey):
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def address(grey):
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", grey)[1].tobytes()).decode()


@pytest.mark.parametrize("digit", range(10))
def test_a_drawn_digit_is_read_by_every_file_of_a_network(networks, digit):
    seen = networks.look("camera", coloured(drawn(digit)), single=True)
    assert seen.text == str(digit) and {answer.reading.text for answer in seen.answers} == {str(digit)}
    assert [(answer.precision, answer.runtime) for answer in seen.answers] == [
        ("fp32", "onnxruntime"), ("int8", "onnxruntime"), ("int8", "litert"),
    ]  # fmt: skip
    assert seen.digits[0].glyph.image.shape == (28, 28) and seen.annotated.shape == seen.bgr.shape
    for answer in seen.answers:
        assert len(answer.shares) == 1 and len(answer.shares[0]) == 10 and 0.9 < sum(answer.shares[0]) < 1.00001
        assert int(np.argmax(answer.shares[0])) == digit and 0 < answer.milliseconds < 100 and answer.bytes > 1000


def test_ink_on_nothing_and_white_on_black_are_read_alike(networks):
    ink = np.zeros((*drawn(4).shape, 4), np.uint8)
    ink[:, :, 3] = 255 - drawn(4, ink=0, paper=255)
    for pixels in (ink, 255 - coloured(drawn(4)), drawn(4)):
        assert networks.look("lite", pixels, single=True).text == "4"


def test_it_reads_rows_as_predict_does(networks):
    sheet = page("0123", "456")
    seen = networks.look("camera", coloured(sheet))
    model = models.find("camera")
    assert seen.reading.as_dict() == Reader(models.open_runtime(model), model.sure).read(sheet).as_dict()
    assert seen.text == "0123|456"
    assert len(seen.digits) == 7 and all(len(answer.shares) == 7 for answer in seen.answers)


def test_a_blank_page_has_no_digit_and_no_time(networks):
    seen = networks.look("camera", np.full((200, 200, 3), 255, np.uint8), single=True)
    assert seen.text == "" and not seen.digits and seen.answers[0].milliseconds is None
    assert "no digit" in cards.shown(seen) and "k2l-card" not in cards.shown(seen)


def test_files_are_loaded_once(monkeypatch):
    opened, once = [], models.open_runtime
    monkeypatch.setattr(models, "open_runtime", lambda model, **how: (opened.append(model.file), once(model, **how))[1])
    networks = Networks()
    for _ in range(2):
        networks.look("lite", coloured(drawn(2)), single=True)
    assert len(opened) == 3 == len(set(opened))


def test_a_file_is_a_network_too(networks):
    seen = networks.look(str(paths.zoo() / "lite" / "model.int8.tflite"), coloured(drawn(3)), single=True)
    assert [answer.file for answer in seen.answers] == ["model.int8.tflite"] and seen.text == "3"


@pytest.mark.parametrize("shape", [(5,), (0, 5, 3), (5, 5, 2), (2, 5, 5, 3)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(PictureError, match="no picture"):
        planes(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("file", "precision"),
    [("model.onnx", "fp32"), ("model.int8.tflite", "int8"), ("model.float16.tflite", "float16"), ("int8.onnx", "fp32")],
)
def test_a_files_name_says_its_precision(file, precision):
    assert precision_of(file) == precision


def test_every_network_of_the_zoo_can_be_chosen():
    names = models.of_digits()
    assert names[0] == "camera" and {"baseline", "lite", "best"} <= set(names)


def test_the_examples_are_read(networks, tmp_path):
    rows, five = examples.written(tmp_path)
    answering = Answering(networks)
    assert "0123 | 456 | 789" in answering.file(str(rows), "camera")
    assert ">5</p>" in answering.file(str(five), "camera")


def test_a_drawing_comes_as_a_data_address(networks):
    assert (decoded(address(drawn(7))) == drawn(7)).all()
    html = Answering(networks).drawing(address(drawn(7)), "lite")
    assert ">7</p>" in html and html.count("<i ") == 30 and html.count("<tr>") == 4 and "data:image/png" in html


@pytest.mark.parametrize(
    "wrong", ["seven", "data:image/png;base64,##", "data:image/png;base64,", address(drawn(1))[:9]]
)
def test_a_damaged_drawing_is_said_in_the_page(networks, wrong):
    assert "the drawing" in Answering(networks).drawing(wrong, "lite")


def test_nothing_given_is_answered_with_what_to_do(networks, tmp_path):
    answering = Answering(networks)
    for html, hint in (
        (answering.drawing("", "lite"), "Draw a digit"),
        (answering.file(None, "lite"), "drop a picture"),
        (answering.frame(None, "lite"), "Start the camera"),
        (answering.tab("Camera", "", None, "lite"), "Start the camera"),
    ):
        assert hint in html
    (tmp_path / "words.png").write_text("<script>")
    assert "not a picture" in answering.file(str(tmp_path / "words.png"), "lite")
    assert "&lt;b&gt;" in answering.drawing(address(drawn(1)), "<b>") and "<b>" not in cards.nothing("<b>")


def test_a_page_of_many_things_has_a_bounded_number_of_cards(networks):
    seen = networks.look("lite", coloured(page(*["1234567890"] * 5, height=40)))
    assert len(seen.digits) > cards.MOST and cards.shown(seen).count("<figure") == cards.MOST


def test_a_port_that_is_taken_is_an_error_of_one_line(networks):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 cannot be used"):
            serving.Serving(networks, chosen="lite", choices=["lite"], port=port)


def test_without_gradio_the_error_has_the_pip_line(networks, monkeypatch):
    for name in (*serving.QUIET, "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "")
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UserError, match="pip install 'gradio"):
        serving.Serving(networks, chosen="lite", choices=["lite"], port=0)
