"""What `k2l web` shows: every file of a network on one picture, and what becomes of it as HTML. No browser."""

import socket

import cv2
import numpy as np
import pytest

from local.apps.web import cards, examples, serving
from local.apps.web import page as parts
from local.apps.web.answers import Networks, precision_of
from local.apps.web.reading import Reading
from local.core import workspace
from local.digits.reader import Reader
from local.models import registry
from local.pictures import picture
from shared.core.errors import ConfigError, ModelError
from tests.local.digits.drawn_digits import drawn, page


@pytest.fixture(scope="module")
def networks():
    return Networks()


@pytest.fixture
def reading(networks):
    return Reading(networks, choices=["camera", "lite"], told=lambda line: pytest.fail(line))


def look(networks, name, grey, *, single=False):
    return networks.read(name, grey, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), single=single)


def png(pixels):
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.mark.parametrize("digit", range(10))
def test_a_drawn_digit_is_read_by_every_file_of_a_network(networks, digit):
    seen = look(networks, "camera", drawn(digit), single=True)
    assert seen.text == str(digit) and {answer.reading.text for answer in seen.answers} == {str(digit)}
    assert [(answer.precision, answer.runtime) for answer in seen.answers] == [
        ("fp32", "onnxruntime"), ("int8", "onnxruntime"), ("int8", "litert"),
    ]  # fmt: skip
    assert seen.digits[0].glyph.image.shape == (28, 28) and seen.annotated.shape == seen.bgr.shape
    for answer in seen.answers:
        assert len(answer.shares) == 1 and len(answer.shares[0]) == 11 and 0.999 < sum(answer.shares[0]) < 1.00001
        assert int(np.argmax(answer.shares[0])) == digit and 0 < answer.milliseconds < 100 and answer.bytes > 1000


def test_ink_on_nothing_and_white_on_black_are_read_alike(reading):
    ink = np.zeros((*drawn(4).shape, 4), np.uint8)
    ink[:, :, 3] = 255 - drawn(4, ink=0, paper=255)
    for pixels in (ink, 255 - drawn(4), drawn(4)):
        assert ">4</p>" in reading.answer("Draw", "lite", png(pixels))


def test_it_reads_rows_as_predict_does(networks):
    sheet = page("0123", "456")
    seen = look(networks, "camera", sheet)
    model = registry.find("camera")
    assert seen.reading.as_dict() == Reader(registry.open_runtime(model), model.sure).read(sheet).as_dict()
    assert seen.text == "0123|456"
    assert len(seen.digits) == 7 and all(len(answer.shares) == 7 for answer in seen.answers)


def test_a_blank_page_has_no_digit_and_no_time(networks):
    seen = look(networks, "camera", np.full((200, 200), 255, np.uint8), single=True)
    assert seen.text == "" and not seen.digits and seen.answers[0].milliseconds is None
    assert "no digit" in cards.shown(seen) and "k2l-card" not in cards.shown(seen)


def test_files_are_loaded_once(monkeypatch):
    opened, once = [], registry.open_runtime
    monkeypatch.setattr(
        registry, "open_runtime", lambda model, **how: (opened.append(model.file), once(model, **how))[1]
    )
    networks = Networks()
    for _ in range(2):
        look(networks, "lite", drawn(2), single=True)
    assert len(opened) == 3 == len(set(opened))


def test_a_file_is_a_network_too(networks):
    seen = look(networks, str(workspace.zoo() / "lite" / "model.int8.tflite"), drawn(3), single=True)
    assert [answer.file for answer in seen.answers] == ["model.int8.tflite"] and seen.text == "3"


@pytest.mark.parametrize(
    ("file", "precision"),
    [("model.onnx", "fp32"), ("model.int8.tflite", "int8"), ("model.float16.tflite", "float16"), ("int8.onnx", "fp32")],
)
def test_a_files_name_says_its_precision(file, precision):
    assert precision_of(file) == precision


def test_every_network_of_the_zoo_can_be_chosen():
    names = registry.of_digits()
    assert names[0] == "camera" and {"baseline", "lite", "best"} <= set(names)


def test_the_examples_are_read(reading):
    rows, five = examples.drawn().values()
    assert "0123 | 456 | 789" in reading.answer("Picture", "camera", rows)
    assert ">5</p>" in reading.answer("Picture", "camera", five)


def test_a_drawing_is_one_digit_with_a_row_a_file(reading):
    html = reading.answer("Draw", "lite", png(drawn(7)))
    assert ">7</p>" in html and html.count("<i ") == 30 and html.count("<tr>") == 4 and "data:image/png" in html


def test_a_picture_is_shown_small_with_its_boxes_where_they_belong(networks):
    grey, bgr = picture.shown(np.frombuffer(png(cv2.resize(page("12"), (2400, 1600))), np.uint8), "it", largest=600)
    seen = networks.read("lite", grey, bgr)
    assert grey.shape == (1600, 2400) and seen.annotated.shape == (400, 600, 3)
    changed = np.argwhere((seen.annotated != bgr).any(axis=2))
    left = min(digit.box[0] for digit in seen.digits) / 4
    assert seen.text == "12" and abs(changed[:, 1].min() - left) < 10


def test_what_is_no_digit_has_the_bar_of_its_class(networks):
    """The camera's network has an eleventh class; `lite` has ten, and can only be unsure."""
    ring = np.full((120, 120), 255, np.uint8)
    cv2.rectangle(ring, (30, 30), (90, 90), 0, 6)
    cv2.line(ring, (20, 100), (100, 20), 0, 6)
    for network, bars, said in (("camera", 33, "no digit "), ("lite", 30, "not sure: ")):
        seen = look(networks, network, ring, single=True)
        html = cards.shown(seen)
        assert seen.reading.rejected and html.count("<i ") == bars and f"{said}" in html, html
        assert ('<span class="k2l-best">none</span>' in html) == (network == "camera")


def test_what_is_no_picture_is_said_in_the_page(reading):
    assert "not a picture" in reading.answer("Picture", "lite", b"<script>")
    assert "&lt;b&gt;" in cards.nothing("<b>") and "<b>" not in cards.nothing("<b>")


def test_a_model_that_cannot_be_used_is_named_to_the_terminal_alone(networks, monkeypatch):
    def refuse(*_, **__):
        raise ModelError("/somewhere/model.onnx: changed after its manifest was written")

    told = []
    monkeypatch.setattr(networks, "read", refuse)
    html = Reading(networks, choices=[], told=told.append).answer("Picture", "lite", png(drawn(1)))
    assert "somewhere" not in html and "lite cannot be used" in html and "somewhere" in told[0]


def test_networks_are_offered_as_they_are_named():
    html = parts.parts(chosen="<b>", choices=["lite", "<b>"])["/"][1].decode()
    assert "<option>lite</option><option selected>&lt;b&gt;</option>" in html and "$" not in html


def test_a_page_of_many_things_has_a_bounded_number_of_cards(networks):
    seen = look(networks, "lite", page(*["1234567890"] * 5, height=40))
    assert len(seen.digits) > cards.MOST and cards.shown(seen).count("<figure") == cards.MOST


def test_a_port_that_is_taken_is_an_error_of_one_line(networks):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 cannot be used"):
            serving.Serving(networks, chosen="lite", choices=["lite"], port=port)
