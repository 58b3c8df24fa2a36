"""`k2l explain`: one digit's way through the network, in words and as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.steps.options import Conf, ReaderModel, check_folder, usual_model
from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit, say, show
from scripts.terminal.tables import table_of

if TYPE_CHECKING:
    from shared.explain.explanation import Explanation


def explain(
    picture: Annotated[
        str,
        typer.Argument(
            metavar="[PICTURE]", help="A picture; or test:N, the N-th test image; or misread:N, the N-th it misread."
        ),
    ] = "",
    model: ReaderModel = "",
    digit: Annotated[int, typer.Option(min=1, help="Which digit of the picture, in reading order.")] = 1,
    conf: Conf = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER|PNG",
            help="The picture's file. [default: PICTURE-explained.png here, with the model of --model in its name]",
        ),
    ] = None,
    lesson: Annotated[
        bool,
        typer.Option("--lesson", help="Draw the pictures of shared/README.md again, from the zoo and MNIST."),
    ] = False,
    json: Json = False,
) -> None:
    """Show what each layer sees, and where the answer was found.

    Leaves PICTURE-explained.png: the 28x28 glyph, the filters and maps of every layer, the scores and probabilities,
    what covering each place costs the answer (occlusion), and Grad-CAM. Of a model's files it reads the trained
    weights, .pth or .keras. `misread:1` is the test image that it gets wrong most surely.

    Example: k2l explain misread:1 --model compact
    """
    if bool(picture) == lesson:
        raise typer.BadParameter("name one, or --lesson", param_hint="PICTURE")
    if lesson:
        draw_lesson(out)
        return
    check_out(out)
    from local.core.outputs import complete
    from local.digits import explain_picture as explaining
    from shared.explain.explanation_plots import way
    from shared.training.plots import save

    opened = explaining.open_weights(model or str(usual_model().place))
    subject = explaining.find(picture, opened, digit=digit, sure=conf)
    told = explaining.explain(subject, opened)
    target = place(out, f"{subject.stem}-{opened.model.name}" if model else subject.stem)
    with complete(target) as part:
        save(way(told), part)
    if json:
        where = {"model": opened.model.name, "weights": str(opened.model.file), "picture": str(target)}
        emit([subject.as_dict() | where | told.as_dict()])
        return
    as_text(subject.name, told)
    if subject.fellows:
        say(f"That is digit {digit} of {subject.fellows + 1}; --digit names another.")
    say(f"picture: {target}")


def as_text(name: str, told: "Explanation") -> None:
    """The explanation in words."""
    show(f"{name}: {told.verdict()}", "")
    table_of(COLUMNS, told.lines())
    show(_covered(told))


def _covered(told: "Explanation") -> str:
    """What the map of covered places shows, in a sentence."""
    from shared.explain.attribution import PATCH
    from shared.explain.explanation import share

    column, row, instead, sure = told.worst()
    still = "still " if instead == told.answer else ""
    then = f"it {still}reads {told.classes[instead]}, {share(sure)} sure"
    return f"Most depends on the {PATCH} x {PATCH} pixels around column {column}, row {row}: without them {then}."


def check_out(out: Path | None) -> None:
    """Checked before any computation."""
    from shared.core.errors import ConfigError

    if out is None or not _is_file(out):
        check_folder(out)
    elif out.is_dir():
        raise ConfigError(f"--out {out}: there is a folder of that name. Name another file.")
    else:
        check_folder(out.parent)


def place(out: Path | None, stem: str) -> Path:
    """The picture's own name, or one made of what it shows in a folder."""
    return out if out and _is_file(out) else (out or Path()) / f"{stem}-explained.png"


def _is_file(out: Path) -> bool:
    return out.suffix.lower() == ".png"


def draw_lesson(out: Path | None) -> None:
    """The pictures of the lesson."""
    from local.digits import lesson

    check_folder(out)
    for path in lesson.draw(out):
        say(f"written: {path}")


COLUMNS = {
    "layer": lambda line: line.name,
    "gives": lambda line: line.size,
    "parameters": lambda line: f"{line.parameters:,}" if line.parameters else "",
    "what it does": lambda line: line.says,
}

if __name__ == "__main__":
    run(explain)
