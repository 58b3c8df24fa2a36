import numpy as np
import pytest
from matplotlib.text import Text

from local.evaluation import comparison_plots
from local.evaluation.comparison_plots import Point
from shared.training import plots

NAMES = ("ds_cnn_v1", "ds_cnn_v2", "ds_cnn_v3", "lite", "compact", "baseline", "improved")
ACCURACIES = (0.9793, 0.9772, 0.9801, 0.9931, 0.9932, 0.9941, 0.9967)
PARAMETERS = (5226, 4070, 6526, 4006, 206_922, 421_642, 2_498_506)
POINTS = [
    Point(label=name, accuracy=accuracy, error=0.001, parameters=parameters)
    for name, accuracy, parameters in zip(NAMES, ACCURACIES, PARAMETERS, strict=True)
]
HISTORIES = {
    name: [{"epoch": float(epoch), "validation_accuracy": accuracy - 0.2 / epoch} for epoch in range(1, 6)]
    for name, accuracy in zip(NAMES, ACCURACIES, strict=True)
}


def overlaps(figure):
    """Pairs of labels that run into each other."""
    figure.draw_without_rendering()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in texts]
    return [(a, b) for i, (a, one) in enumerate(boxes) for b, other in boxes[:i] if one.overlaps(other)]


def test_every_accuracy_stands_with_its_error_beside_its_dot():
    figure = comparison_plots.accuracies(POINTS)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written[0] == "97.93% ± 0.10" and len(written) == 7
    assert [text.get_weight() for text in figure.axes[0].texts] == ["normal"] * 6 + ["bold"]
    assert overlaps(figure) == []


def test_labels_of_points_and_curves_do_not_run_into_each_other():
    assert overlaps(comparison_plots.accuracy_by_parameters(POINTS)) == []
    assert overlaps(comparison_plots.learning_curves(HISTORIES)) == []


def test_of_one_epoch_points_stand_beside_their_names_and_no_line_looks_like_a_curve():
    figure = comparison_plots.learning_curves({name: history[:1] for name, history in HISTORIES.items()})
    (axes,) = figure.axes
    assert overlaps(figure) == [] and axes.get_xlim() == (0.5, 1)
    assert {text.arrow_patch.get_linestyle() for text in axes.texts} == {":"}


def test_points_that_lie_on_each_other_are_all_named():
    same = [Point(label=str(i), accuracy=0.99, error=0.001, parameters=5000) for i in range(6)]
    names = [text.get_text().partition("\n")[0] for text in comparison_plots.accuracy_by_parameters(same).axes[0].texts]
    assert names == list("012345")


def test_the_scale_of_curves_is_named_in_percent_right():
    axes = comparison_plots.learning_curves(HISTORIES).axes[0]
    axes.figure.draw_without_rendering()
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["50", "80", "90", "95", "98"]
    bottom, top = axes.get_ylim()
    assert bottom > top


@pytest.mark.parametrize("accuracy", [1.0, 0.0])
def test_a_network_that_is_always_right_or_never_can_be_drawn(tmp_path, accuracy):
    history = [{"epoch": 1.0, "validation_accuracy": accuracy}]
    plots.save(comparison_plots.learning_curves({"one": history}), tmp_path / "curves.png")
    point = Point(label="one", accuracy=accuracy, error=0, parameters=10)
    plots.save(comparison_plots.accuracy_by_parameters([point]), tmp_path / "parameters.png")


def test_confusions_stand_side_by_side_with_their_mistakes_counted():
    counts = np.diag([10, 10, 10])
    counts[0, 1] = 3
    figure = comparison_plots.confusions([("a", counts), ("b", np.diag([9, 9, 9])), ("c", counts)], ["x", "y", "z"])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["a: 3 wrong", "b: 0 wrong", "c: 3 wrong", ""]


def test_heights_are_spread_no_further_than_needed():
    assert comparison_plots.spread([0, 10], 5) == [0, 10]
    assert comparison_plots.spread([0, 1], 5) == [-2, 3]
    assert comparison_plots.spread([0, 1, 2, 50], 5) == [-4, 1, 6, 50]
    assert comparison_plots.spread([], 5) == []
