import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from shared.training import plots

HISTORY = [
    {
        "epoch": epoch,
        "train_loss": 1 / epoch,
        "train_accuracy": 1 - 0.1 / epoch,
        "validation_loss": 0.8 / epoch,
        "validation_accuracy": 1 - 0.09 / epoch,
        "learning_rate": 0.001,
        "seconds": 1.0,
    }
    for epoch in range(1, 5)
]
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)
LABELS = np.arange(20) % 10


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_curves_show_loss_and_accuracy_of_both_parts():
    loss, accuracy = plots.curves(HISTORY).axes
    assert [list(line.get_ydata()) for line in loss.lines] == [
        [row[f"{part}_loss"] for row in HISTORY] for part in ("train", "validation")
    ]
    assert accuracy.lines[1].get_ydata()[-1] == pytest.approx(97.75)
    assert "97.75" in texts(accuracy.figure)


def test_one_epoch_can_be_drawn_and_so_can_many():
    assert plots.curves(HISTORY[:1]).axes[0].lines[0].get_marker() == "o"
    many = [HISTORY[0] | {"epoch": epoch} for epoch in range(1, 101)]
    assert plots.curves(many).axes[0].lines[0].get_marker() == ""


def test_every_cell_of_the_confusion_matrix_bears_its_count():
    counts = np.diag(np.arange(1000, 1010))
    counts[4, 9] = 7
    figure = plots.confusion(counts.tolist())
    cells = texts(figure)[:100]
    assert cells[49] == "7" and cells[44] == "1,004" and cells[1] == "0"
    assert figure.axes[0].get_title(loc="left") == "10,045 of 10,052 right (99.93%)"


def test_zero_cells_are_faint():
    first = plots.confusion(np.eye(10, dtype=int)).axes[0].texts
    assert first[1].get_color() == plots.FAINT != first[0].get_color()


def test_an_empty_confusion_matrix_and_an_absent_class_can_be_drawn():
    plots.confusion(np.zeros((10, 10), int))
    assert "0.0%" in texts(plots.confusion(np.diag([5, 0, 5]), ["a", "b", "c"]))


def test_samples_say_what_was_read_and_what_is_true_where_that_was_wrong():
    read = LABELS.copy()
    read[3] = 5
    figure = plots.samples(IMAGES, LABELS, read)
    assert texts(figure)[2:5] == ["2", "5, is 3", "4"]
    assert figure.axes[0].get_title(loc="left").startswith("Below each image: the answer of the network")


def test_samples_without_answers_say_that_they_are_labels():
    figure = plots.samples(IMAGES, LABELS)
    assert texts(figure)[2:5] == ["2", "3", "4"] and "label" in figure.axes[0].get_title(loc="left")


def test_a_class_may_have_any_name(tmp_path):
    plots.save(plots.samples(IMAGES, LABELS, classes=[f"$\\nosuch{k}$" for k in range(10)]), tmp_path / "x.png")


def test_mistakes_come_most_confident_first():
    logits = np.eye(10)[LABELS] * 9
    logits[4] = np.eye(10)[9] * 2
    logits[7] = np.eye(10)[1] * 9
    figure = plots.misclassified(IMAGES, LABELS, logits)
    assert texts(figure) == ["is 7", "read 1, 100%", "is 4", "read 9, 45%"]
    assert figure.axes[0].get_title(loc="left") == "2 of 20 misread"


def test_of_many_mistakes_only_the_surest_are_shown():
    figure = plots.misclassified(IMAGES, LABELS, np.eye(10)[(LABELS + 1) % 10], CLOTHES, most=5)
    assert figure.axes[0].get_title(loc="left") == "20 of 20 misread; the 5 it was surest of"
    assert len(texts(figure)) == 10


def test_no_mistakes_are_said_too():
    figure = plots.misclassified(IMAGES, LABELS, np.eye(10)[LABELS])
    assert figure.axes[0].get_title(loc="left") == "None of 20 misread"
    assert figure._repr_png_()[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.curves(HISTORY),
        lambda: plots.confusion(np.eye(10, dtype=int) * 9, CLOTHES),
        lambda: plots.samples(IMAGES, LABELS, LABELS, CLOTHES),
        lambda: plots.misclassified(IMAGES, LABELS, np.eye(10)[(LABELS + 3) % 10]),
    ],
)
def test_pictures_are_saved_as_png_of_150_dpi_alike_every_time(tmp_path, draw):
    for name in ("a.png", "b.png"):
        plots.save(draw(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert 900 < picture.width < 1500


def test_captions_do_not_run_into_each_other():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = plots.misclassified(IMAGES, LABELS, np.eye(10)[(LABELS + 9) % 10] * 9, CLOTHES)
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_pyplot_holds_no_figure_and_its_settings_stay_as_they_were():
    import matplotlib as mpl
    from matplotlib import pyplot

    before = dict(mpl.rcParams)
    plots.curves(HISTORY)
    plots.confusion(np.eye(10, dtype=int))
    assert pyplot.get_fignums() == [] and dict(mpl.rcParams) == before


def test_importing_the_module_loads_no_plotting_library():
    code = "import sys, shared.training.plots; sys.exit(any(m in sys.modules for m in ('matplotlib', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_matrices_that_are_compared_can_share_a_scale_of_mistakes():
    counts = np.diag([9, 9, 9])
    counts[0, 1] = 2
    alone, shared = (plots.empty_figure(4, 4).subplots() for _ in range(2))
    plots.paint_confusion(alone, counts, "abc")
    plots.paint_confusion(shared, counts, "abc", strongest=20)
    assert [axes.collections[0].get_clim() for axes in (alone, shared)] == [(0, 2), (0, 20)]
