"""A picture's way through a network, in words, numbers and drawings."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from shared.data.registry import DIGITS
from shared.explain import explanation_plots, layer_plots, tiles
from shared.explain.explanation import explain, share
from shared.networks import weights
from shared.networks.architectures import ARCHITECTURES, architecture, trace
from shared.networks.build_torch import build_torch
from shared.training import plots

IMAGE = np.zeros((28, 28), np.uint8)
IMAGE[4:24, 12:16] = 230


def told_of(name, **more):
    torch.manual_seed(4)
    network = architecture(name)
    return explain(network, weights.of_torch(build_torch(network).state_dict()), IMAGE, **{"classes": DIGITS} | more)


def texts(figure):
    return " ".join(
        text.get_text() for axes in [figure, *figure.axes] for text in axes.texts if text.get_text()
    ).replace("\n", " ")


def test_every_layer_is_told_with_its_shape_and_parameters():
    lines = list(told_of("compact").lines())
    assert [line.name for line in lines[1:-1]] == [row.name for row in trace(architecture("compact"))]
    assert sum(line.parameters for line in lines) == 206_922
    assert lines[0].size == "1 x 28 x 28" and "80 pixels" in lines[0].says and lines[-1].name == "softmax"
    said = {line.name: line.says for line in lines}
    assert said["conv1"].startswith("16 filters of 3 x 3 slide over the picture: answers from")
    assert said["conv2"].startswith("32 filters of 3 x 3 slide over all 16 maps")
    assert said["dense1"].startswith("128 weighted sums of all 1,568 numbers")
    assert said["dropout1"] == "nothing: only in training it silences 25% of them"


@pytest.mark.parametrize("name", [*ARCHITECTURES, "lite@1.5"])
def test_every_network_can_be_told_and_drawn(name):
    classes = [*DIGITS, "no digit"][: 11 if name == "camera" else 10]
    told = told_of(name, classes=classes, true=3)
    assert all(line.says for line in told.lines())
    figure = explanation_plots.way(told)
    drawn = texts(figure)
    for row in trace(told.network):
        assert (row.name in drawn) == (type(row.layer).__name__ != "Dropout"), row.name
    assert "softmax" in drawn and told.verdict() in drawn and classes[-1] in drawn


def test_the_answer_the_truth_and_the_probabilities():
    told = told_of("lite", true=0)
    assert told.probabilities.sum() == pytest.approx(1) and told.confidence == told.probabilities[told.answer]
    assert told.wrong == (told.answer != 0)
    other = (told.answer + 1) % 10
    assert told_of("lite", true=other).verdict().endswith(f"; it is {other}")
    assert not told_of("lite").wrong


def test_the_worst_place_is_the_maps_largest_value_and_what_is_then_read():
    told = told_of("compact")
    column, row, instead, sure = told.worst()
    assert told.occlusion[row, column] == told.occlusion.max() > 0
    covered = IMAGE.copy()
    covered[row - 2 : row + 3, column - 2 : column + 3] = 0
    again = explain(told.network, told.arrays, covered, classes=DIGITS)
    assert (again.answer, again.confidence) == (instead, pytest.approx(sure))


def test_the_facts_are_plain_json():
    facts = json.loads(json.dumps(told_of("sprint", true=1).as_dict()))
    assert [layer["layer"] for layer in facts["layers"]][:3] == ["input", "crop1", "conv1"]
    assert np.shape(facts["occlusion"]["log_odds"]) == np.shape(facts["grad_cam"]["map"]) == (28, 28)
    assert facts["grad_cam"]["layer"] == "relu2" and facts["true"] == "1" and len(facts["logits"]) == 10


def test_shares_keep_the_digits_that_matter():
    said = [share(one) for one in (0.5, 0.9985, 0.9995, 0.999999, 0.0001)]
    assert said == ["50.0%", "99.9%", "99.95%", "over 99.99%", "under 0.1%"]


@pytest.mark.parametrize("share_of_it", [0.99995, 0.9998])
def test_a_picture_says_a_probability_as_its_title_does(share_of_it):
    logits = np.zeros(10, np.float32)
    logits[3] = np.log(9 * share_of_it / (1 - share_of_it))
    told = told_of("compact")
    told = dataclasses.replace(told, values={**told.values, list(told.values)[-1]: logits})
    written = [text.get_text() for axes in explanation_plots.way(told).axes for text in axes.texts]
    assert f"{share(told.confidence)} sure" in told.verdict() and share(told.confidence) in written
    assert "100.0%" not in written


@pytest.mark.parametrize(
    "draw",
    [
        lambda told: explanation_plots.way(told),
        lambda told: explanation_plots.looked([told, told]),
        lambda told: layer_plots.block(told, 3),
        lambda told: layer_plots.filters(told.arrays["conv1.weight"]),
        lambda told: layer_plots.convolution(told.image, told.arrays["conv1.weight"][0, 0], row=5, column=12),
        lambda told: layer_plots.probabilities(told.logits),
    ],
)
def test_pictures_are_alike_every_time(tmp_path, draw):
    told = told_of("compact", true=3)
    for name in ("a.png", "b.png"):
        plots.save(draw(told), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert 1300 < picture.width <= 1500


def test_words_stay_beside_their_own_step():
    """Of the tallest picture no word runs into another, nor into the maps at its right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = explanation_plots.way(told_of("camera", classes=[*DIGITS, "no digit"]))
    FigureCanvasAgg(figure).draw()
    steps = figure.axes[-1]
    boxes = [text.get_window_extent() for text in steps.texts if text.get_position()[0] < explanation_plots.MARGIN]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    factor = figure.dpi / plots.DPI
    assert max(box.x1 for box in boxes) < explanation_plots.MARGIN * factor


def test_the_number_of_maps_to_a_row_leaves_few_places_empty():
    columns = {name: tiles.columns_for(counts) for name, counts in {
        "compact": [16, 32], "ds_cnn_v3": [18, 36], "ds_cnn_v2": [14, 28], "lite": [4, 8, 12], "best": [32, 64, 96],
    }.items()}  # fmt: skip
    assert columns == {"compact": 16, "ds_cnn_v3": 18, "ds_cnn_v2": 14, "lite": 12, "best": 16}


def test_the_convolution_drawn_is_the_one_computed():
    kernel = np.zeros((3, 3), np.float32)
    kernel[1, 1] = 2
    figure = layer_plots.convolution(IMAGE, kernel, row=10, column=13)
    assert figure.axes[3].get_title(loc="left") == f"adds up to {2 * 230 / 255:.2f}"


def test_an_empty_picture_can_be_explained():
    network = architecture("lite")
    arrays = weights.of_torch(build_torch(network).state_dict())
    told = explain(network, arrays, np.zeros((28, 28), np.uint8), classes=DIGITS)
    assert not told.occlusion.any() and told.worst()[2] == told.answer
    explanation_plots.way(told)
