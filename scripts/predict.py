"""`k2l predict`: reads the digits in each picture."""

from typing import Annotated

import typer

from scripts._edge import Json, emit, run, say


def predict(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Pictures, folders of pictures, or patterns.")],
    model: Annotated[
        str, typer.Option(help="A folder under models/, or a file. Default: $K2L_MODEL, your newest, or the zoo's.")
    ] = "",
    single: Annotated[bool, typer.Option("--single", help="The whole picture is one digit, or none.")] = False,
    conf: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Least probability of a digit; what is below is rejected. [default: 0.5]"),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Add the probability of every class to each digit.")
    ] = False,
    json: Json = False,
) -> None:
    """Read the digits in each picture.

    Any size, dark on light or light on dark, one digit or rows of them; what is no digit is left out, and counted.

    Example: k2l predict photo.jpg --model compact-torch
    """
    from local import models
    from local.predict import SURE, Reader, pictures
    from local.vision import picture
    from shared.errors import PictureError

    files = pictures(paths)
    if model:
        chosen = models.find(model)
    else:
        chosen, reason = models.default()
        say(f"model: {chosen.name} ({reason})")
    reader = Reader(models.open_runtime(chosen), SURE if conf is None else conf)
    failed = False
    for file in files:
        try:
            reading = reader.read(picture.read(file), single=single)
        except PictureError as error:
            say(f"error: {error}")
            failed = True
            continue
        facts = {"file": str(file), **reading.as_dict(probabilities=probabilities)}
        if json:
            emit([facts])
        else:
            print(line(facts))
    if failed:
        raise SystemExit(1)


def line(facts: dict) -> str:
    """One picture's reading for people."""
    digits, rejected = facts["digits"], len(facts["rejected"])
    aside = f"; {rejected} rejected" if rejected else ""
    if not digits:
        return f"{facts['file']}: no digit{aside}"
    sure = ", ".join(f"{digit['confidence']:.1%}" for digit in digits)
    lines = [f"{facts['file']}: {facts['text']} ({sure}{aside})"]
    for digit in digits:
        shares = enumerate(digit.get("probabilities", ()))
        lines += [f"  {label}  {share:.4f}" for label, share in shares]
    return "\n".join(lines)


if __name__ == "__main__":
    run(predict)
