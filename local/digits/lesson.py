"""The pictures of the lesson, `shared/README.md`: drawn by the project's own code, of its own networks and MNIST.

    for path in draw(): …                  # shared/pictures/*.png, all of them

They are for a page, so each is made small, with few colours. What they show depends on nothing but
the published weights, the test images and what is drawn with; other versions of matplotlib may give other bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from local.core import workspace
from local.core.outputs import gathered
from local.digits import explain_picture
from shared.explain import explanation_plots, layer_plots
from shared.explain.explanation import Explanation
from shared.training import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = 128
NETWORK, LOOKING = "compact", "lite"  # the lesson's own network; one whose Grad-CAM says more
SEVEN, DOUBTFUL = "test:0", "test:8"  # a plain 7, and what may be a 5 or a 6
MISREAD = ("misread:1", "misread:4")
# The filter of compact that answers the 7 most strongly, and where.
FILTER, ROW, COLUMN = 13, 26, 12
STEPS, PLAIN, ADAM = 40, 0.048, 0.25  # of the walks down the valley: how many, and the learning rates


def pictures() -> Path:
    """Where they lie, beside the lesson."""
    return workspace.need_checkout("the lesson") / "shared" / "pictures"


def draw(folder: Path | None = None) -> list[Path]:
    """Draws them all into that folder, the lesson's by default. Raises ModelError and DataError where there is nothing
    to draw from."""
    target = folder or pictures()
    with gathered(target) as stage:
        for name, figure in figures():
            (stage / f"{name}.png").write_bytes(small(figure))
        names = sorted(path.name for path in stage.iterdir())
    return [target / name for name in names]


def figures() -> "Iterator[tuple[str, Figure]]":
    """Each picture's name and the picture."""
    model = explain_picture.open_weights(str(workspace.zoo() / NETWORK))
    other = explain_picture.open_weights(str(workspace.zoo() / LOOKING))
    seven = _told(SEVEN, model)
    kernel = seven.arrays["conv1.weight"][FILTER, 0]
    yield "convolution", layer_plots.convolution(seven.image, kernel, row=ROW, column=COLUMN)
    yield "filters", layer_plots.filters(seven.arrays["conv1.weight"])
    yield "block", layer_plots.block(seven, FILTER)
    yield "way", explanation_plots.way(seven)
    yield "softmax", layer_plots.probabilities(_told(DOUBTFUL, model).logits)
    yield "descent", descent()
    yield "misread", explanation_plots.looked([*(_told(one, model) for one in MISREAD), _told(MISREAD[0], other)])


def _told(name: str, model: explain_picture.Weights) -> Explanation:
    return explain_picture.explain(explain_picture.find(name, model), model)


def small(figure: "Figure") -> bytes:
    """A figure as a PNG for a page, with `COLOURS` colours."""
    from PIL import Image

    drawn, file = BytesIO(), BytesIO()
    figure.savefig(drawn, dpi=plots.SHOWN_DPI, format="png", metadata={"Software": None})
    with Image.open(drawn) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(file, format="png", optimize=True)
    return file.getvalue()


def loss(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """A valley of two weights [..., 2], forty times as steep across as along."""
    return np.asarray(0.5 * (place[..., 0] ** 2 + 40 * place[..., 1] ** 2))


def walk(step: Callable[[NDArray[np.float64], int], NDArray[np.float64]]) -> NDArray[np.float64]:
    """The places [steps + 1, 2] of a walk down that valley; `step` gives the move for a gradient, counted from 1."""
    places = [np.array([-4.0, 0.8])]
    for count in range(1, STEPS + 1):
        gradient = places[-1] * np.array([1.0, 40.0])
        places.append(places[-1] - step(gradient, count))
    return np.array(places)


class Adam:
    """Adam's move (Kingma & Ba 2015), each weight at its own pace."""

    def __init__(self, rate: float, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.rate, self.beta1, self.beta2 = rate, beta1, beta2
        self.mean = self.square = np.zeros(2)

    def __call__(self, gradient: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        self.mean = self.beta1 * self.mean + (1 - self.beta1) * gradient
        self.square = self.beta2 * self.square + (1 - self.beta2) * gradient**2
        mean, square = self.mean / (1 - self.beta1**count), self.square / (1 - self.beta2**count)
        return np.asarray(self.rate * mean / (np.sqrt(square) + 1e-8))


def descent() -> "Figure":
    """Two walks down a narrow valley: plain steps along the gradient, and Adam's."""
    import matplotlib as mpl

    walks: Sequence[tuple[str, str, str, NDArray[np.float64]]] = (
        ("plain steps", plots.VERMILION, "o", walk(lambda gradient, count: PLAIN * gradient)),
        ("Adam", plots.BLUE, "s", walk(Adam(ADAM))),
    )
    with mpl.rc_context(plots.STYLE | {"axes.grid": False}):
        figure = plots.empty_figure(9.2, 2.9)
        for axes, (name, colour, marker, places) in zip(figure.subplots(1, 2, sharey=True), walks, strict=True):
            _valley(axes)
            axes.plot(*places.T, color=colour, lw=1.2, marker=marker, ms=3.5)
            left = float(loss(places[-1]))
            axes.set_title(f"{name}: loss {left:.3f} after {STEPS}")
    return figure


def _valley(axes: "Axes") -> None:
    across, down = np.meshgrid(np.linspace(-4.6, 1.6, 200), np.linspace(-1, 1, 100))
    heights = loss(np.stack([across, down], axis=-1))
    axes.contour(across, down, heights, levels=np.geomspace(0.05, 25, 9), colors=plots.FAINT, linewidths=0.8)
    axes.plot(0, 0, marker="+", ms=12, color=plots.TEXT)
    axes.set_xlabel("one weight")
    axes.set_ylabel("another")
