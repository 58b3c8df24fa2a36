"""The pictures of a training: curves, confusion matrix, samples, and the mistakes the network was surest of.

    figure = curves(history)             # in a notebook, the last line of a cell shows it
    save(figure, folder / "curves.png")

Every function returns a figure that belongs to nobody else: pyplot's state is not touched, nothing is shown,
nothing stays open. Blue and vermilion are Okabe and Ito's, told apart by every kind of eye, and colour never
speaks alone. matplotlib is imported when a picture is drawn, not before.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shared.core import files
from shared.data.registry import DIGITS
from shared.training.metrics import softmax, surest_mistakes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
SHOWN_DPI = 100  # on a notebook's page; the picture itself is finer
BLUE, VERMILION = "#0072B2", "#D55E00"
TEXT, QUIET, FAINT, LINES, PAPER = "#222222", "#6b6b6b", "#c4c4c4", "#e4e4e4", "#f6f6f4"
STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "text.color": TEXT,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINES,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "text.parse_math": False,  # a class may have any name, one with $ too
}

Images = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.integer[Any]]


def curves(history: Sequence[dict[str, Any]]) -> "Figure":
    """Loss and accuracy of each epoch, training against validation; `history` as the loop returns it."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        figure = empty_figure(9, 3.6)
        left, right = figure.subplots(1, 2)
        _curve(left, history, "loss", "Loss (cross-entropy)", scale=1)
        _curve(right, history, "accuracy", "Accuracy (%)", scale=100)
        left.set_ylim(bottom=0)
        _note_last(right, history)
        left.legend(loc="upper right", handlelength=2.8)
    return figure


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str] = DIGITS) -> "Figure":
    """A heatmap of counts [k, k], true classes down, predicted across, each class's recall at its right.

    What is right is blue. Mistakes have a scale of their own, or none would be seen beside a thousand right:
    it is full at the most frequent mistake, or at one in a hundred where all are rarer.
    """
    import matplotlib as mpl

    counts = np.asarray(matrix)
    right, images = int(np.trace(counts)), int(counts.sum())
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = empty_figure(2.2 + 0.56 * len(counts), 1.6 + 0.46 * len(counts))
        axes = figure.subplots()
        paint_confusion(axes, counts, classes)
        axes.set_title(f"{right:,} of {images:,} right ({right / max(images, 1):.2%})")
    return figure


def paint_confusion(axes: "Axes", counts: Integers, classes: Sequence[str], *, strongest: float = 0) -> None:
    """The heatmap of `confusion` in axes of a larger picture; `strongest`: a mistake this frequent is full, at least.

    Several matrices that are to be compared are given the same `strongest`.
    """
    k, on_diagonal = len(counts), np.eye(len(counts), dtype=bool)
    mistakes = np.where(on_diagonal, 0, counts)
    strongest = max(strongest, mistakes.max(), counts.sum() / (100 * k), 1)
    _shade(axes, np.ma.masked_where(on_diagonal, mistakes), VERMILION, strongest)
    _shade(axes, np.ma.masked_where(~on_diagonal, counts), BLUE, max(counts.max(), 1) * 1.2)
    axes.set(xlim=(0, k), ylim=(k, 0))
    axes.spines[:].set_visible(False)
    _write_counts(axes, counts, strongest)
    _name_classes(axes, counts, classes)


def samples(
    images: Images, labels: Integers, predictions: Integers | None = None, classes: Sequence[str] = DIGITS
) -> "Figure":
    """Images uint8 with what was read below each and, where that is wrong, in vermilion, what it is.

    Without predictions, what it is. The title says which.
    """
    if predictions is None:
        title = "Below each image: its label, what it is"
        return _mosaic(images, [[(classes[true], TEXT)] for true in labels], columns=_columns(classes), title=title)
    captions = [
        [(classes[read], TEXT) if read == true else (f"{classes[read]}, is {classes[true]}", VERMILION)]
        for true, read in zip(labels, predictions, strict=True)
    ]
    title = "Below each image: the answer of the network and, where it is wrong, what the image is"
    return _mosaic(images, captions, columns=_columns(classes), title=title)


def misclassified(
    images: Images,
    labels: Integers,
    logits: npt.NDArray[np.floating[Any]],
    classes: Sequence[str] = DIGITS,
    *,
    most: int = 24,
) -> "Figure":
    """The mistakes of logits [n, k] on images uint8, the most confident first, at most so many.

    Under each: the true class, then what it was read as and with which confidence.
    """
    probabilities = softmax(logits)
    predictions, confidence = probabilities.argmax(1), probabilities.max(1)
    wrong = surest_mistakes(logits, labels)
    shown = wrong[:most]
    captions = [
        [
            (f"is {classes[labels[i]]}", TEXT),
            (f"read {classes[predictions[i]]}, {confidence[i]:.0%}", VERMILION),
        ]
        for i in shown
    ]
    which = f"; the {len(shown)} it was surest of" if len(wrong) > len(shown) else ""
    count = f"{len(wrong):,}" if len(wrong) else "None"
    title = f"{count} of {len(labels):,} misread{which}"
    return _mosaic(images[shown], captions, columns=_columns(classes), title=title)


def save(figure: "Figure", path: Path) -> None:
    """Writes a PNG of 150 dots an inch; the same figure gives the same bytes."""
    files.write(path, _png(figure))


def _png(figure: "Figure") -> bytes:
    """The figure as a PNG, drawn once: a notebook shows it and keeps it."""
    from io import BytesIO

    drawn: bytes | None = getattr(figure, "k2l_png", None)
    if drawn is None:
        file = BytesIO()
        figure.savefig(file, dpi=DPI, format="png", metadata={"Software": None})
        drawn = file.getvalue()
        figure.k2l_png = drawn  # type: ignore[attr-defined]
    return drawn


@cache
def _figure_class() -> "type[Figure]":
    from matplotlib.figure import Figure

    class Picture(Figure):
        """Shows itself in any notebook: IPython draws a bare figure only once pyplot's backend is up."""

        def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
            width, height = (round(inches * SHOWN_DPI) for inches in self.get_size_inches())
            return _png(self), {"width": width, "height": height}

    return Picture


def empty_figure(width: float, height: float) -> "Figure":
    """A figure to draw in, within `matplotlib.rc_context(STYLE)`; width and height in inches."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)  # inches
    return _figure_class()(figsize=(width, height), layout=layout, facecolor="white")


def _curve(axes: "Axes", history: Sequence[dict[str, Any]], key: str, title: str, *, scale: float) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    for part, colour, line in (("train", QUIET, "--"), ("validation", BLUE, "-")):
        values = [row[f"{part}_{key}"] * scale for row in history]
        marker = "o" if len(epochs) <= 25 else ""
        name = "training" if part == "train" else part
        axes.plot(epochs, values, line, color=colour, lw=1.8, marker=marker, ms=4.5, label=name, clip_on=False)
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="x", visible=False)


def _note_last(axes: "Axes", history: Sequence[dict[str, Any]]) -> None:
    """Writes the last validation accuracy, the figure that counts, at the end of its line."""
    last = history[-1]
    value = last["validation_accuracy"] * 100
    axes.annotate(
        f"{value:.2f}", (last["epoch"], value), xytext=(7, 0), textcoords="offset points", va="center",
        color=BLUE, weight="bold", annotation_clip=False,
    )  # fmt: skip


def _shade(axes: "Axes", counts: Any, colour: str, most: float) -> None:
    """Squares [k, k] that are the darker the more they count, those that are masked left out."""
    axes.pcolormesh(counts, cmap=_shades(colour), vmin=0, vmax=most, edgecolors="white", linewidth=1.5)


def _shades(colour: str) -> Any:
    """From paper to one colour."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shades", [PAPER, colour])


def _write_counts(axes: "Axes", counts: Integers, strongest: float) -> None:
    for (row, column), count in np.ndenumerate(counts):
        dark = row == column or count > strongest * 0.75
        colour = FAINT if count == 0 else "white" if dark else TEXT
        weight = "bold" if row == column else "normal"
        axes.text(column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", color=colour, weight=weight)


def _name_classes(axes: "Axes", counts: Integers, classes: Sequence[str]) -> None:
    k = len(counts)
    long = max(map(len, classes)) > 3
    middles = np.arange(k) + 0.5
    axes.set_xticks(middles, classes, rotation=40 if long else 0, ha="right" if long else "center")
    axes.set_yticks(middles, classes, va="center")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row, recall in enumerate(np.diag(counts) / np.maximum(counts.sum(axis=1), 1)):
        axes.text(k + 0.2, row + 0.5, f"{recall:.1%}", va="center", color=QUIET)
    axes.text(k + 0.2, -0.2, "recall", va="bottom", color=QUIET)


def _columns(classes: Sequence[str]) -> int:
    """Pictures in a row: fewer where the captions are words."""
    return 8 if max(map(len, classes)) <= 3 else 6


def _mosaic(
    images: Images, captions: Sequence[Sequence[tuple[str, str]]], *, columns: int, title: str = ""
) -> "Figure":
    """Images on a grid, ink dark on paper or in their colours, with lines of (text, colour) under each.

    All of them one picture in one pair of axes: a pair for each would take seconds to draw.
    """
    import matplotlib as mpl
    from matplotlib.colors import LinearSegmentedColormap

    lines = max(map(len, captions), default=1)
    height, width, *channels = images.shape[1:]
    inch = columns * (width + 4) / 9  # pixels; the figure is 9 inches wide
    line = 0.17 * inch
    wide, high = width + 4, round(height + 0.05 * inch + lines * line + 0.08 * inch)
    # What is no image stays white: NaN where ink is drawn, 1 where colours are.
    canvas = np.full((max(-(-len(images) // columns) * high, 1), columns * wide, *channels), 1 if channels else np.nan)
    ink = LinearSegmentedColormap.from_list("ink", [PAPER, "black"])
    with mpl.rc_context(STYLE):
        figure = empty_figure(9.2, len(canvas) / inch + (0.56 if title else 0.25))
        axes = figure.subplots()
        for i, image in enumerate(images):
            top, left = i // columns * high, i % columns * wide + 2
            canvas[top : top + height, left : left + width] = image / 255 if channels else image
            for row, (text, colour) in enumerate(captions[i]):
                y = top + height + 0.05 * inch + row * line
                axes.text(left + width / 2 - 0.5, y, text, ha="center", va="top", color=colour, size=9)
        axes.imshow(canvas, cmap=ink, vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()
        axes.set_anchor("NW")
        axes.set_title(title)
    return figure
