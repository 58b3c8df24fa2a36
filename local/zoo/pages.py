"""What is written about the zoo, from its manifests alone: README's tables, the model cards, the zoo's own page.

    outdated()                           # the files that say something else than the manifests
    write()                              # brings them up to date

README's tables, of the zoo and of all the networks there are, and the lines of .gitignore that let the published
folders in stand between two comments each; the rest of those files is not touched.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.core import workspace
from local.core.markdown import count, filled, kilobytes, markdown, seconds, share, wrapped
from local.core.outputs import gathered
from local.models import published
from local.models.published import CARD, FLOAT, INT8, LITERT, Figures, Manifest
from local.zoo.cards import card, commands, microseconds, training_command
from shared.networks.architectures import ARCHITECTURES

ZOO = "<!-- the zoo: written by `k2l report` -->", "<!-- the zoo: end -->"
NETWORKS = "<!-- the networks: written by `k2l report` -->", "<!-- the networks: end -->"
KEPT = "# the zoo: written by `k2l report`", "# the zoo: end"


def pages() -> dict[Path, str]:
    """Every file that is written about the zoo, with its text as the manifests have it."""
    manifests, root = published.published(), workspace.zoo()
    cards = {root / stated["name"] / CARD: card(stated) for stated in manifests}
    readme, ignored = root.parent / "README.md", root.parent / ".gitignore"
    return {
        readme: filled(readme, {ZOO: claims(manifests), NETWORKS: networks()}),
        ignored: filled(ignored, {KEPT: "\n".join(f"!/models/{stated['name']}/" for stated in manifests)}),
        root / "README.md": overview(manifests),
        **cards,
    }


def outdated() -> list[Path]:
    """The files that are missing or say something else than the manifests."""
    return list(_outdated())


def write() -> list[Path]:
    """Writes those files that are out of date, and returns them."""
    stale = _outdated()
    for path, text in stale.items():
        with gathered(path.parent) as stage:
            (stage / path.name).write_text(text, encoding="utf-8", newline="\n")
    return list(stale)


def _outdated() -> dict[Path, str]:
    """Those files, with the text that they should have."""
    return {
        path: text for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }


def claims(manifests: Sequence[Manifest]) -> str:
    """The zoo in README: a row a network, what others state beside what is measured, and how to get a row again."""
    if not manifests:
        return "Nothing is published yet."
    every = list(published.each(manifests).values())
    table = markdown(list(COLUMNS), [[cell(one) for cell in COLUMNS.values()] for one in every], right=RIGHT)
    example = training_command(manifests[0])
    return (
        f"{table}\n\n{_how(every)}\nA row again: `{example}`;\nthe model cards in `models/` have the commands of each."
    )


def networks() -> str:
    """README's table of all networks: what each is made of is said by `shared/networks/architectures.py` itself."""
    rows = [[f"`{one.name}`", f"{one.parameters:,}", one.source] for one in ARCHITECTURES.values()]
    return markdown(["network", "trainable parameters", "where it comes from"], rows, right=(1,))


def _how(every: Sequence[Figures]) -> str:
    """How the figures of the table came about."""
    trained = " or ".join(dict.fromkeys(one.trained_on for one in every))
    timed = " or ".join(dict.fromkeys(one.timed_on for one in every if one.timed_on)) or "not measured yet"
    images = " or ".join(dict.fromkeys(f"{one.title}'s {one.test_images:,}" for one in every))
    return wrapped(
        f"Accuracy is the mean ± standard deviation over the seeds on {images} test images, the "
        f"test set read once. Seconds are medians over the seeds ({trained}). int8 is held against float ONNX on the "
        f"test images, in points. Latency is of one image on one thread ({timed}). “Stated elsewhere” is what others "
        "say of the same network, not checked here; the cards say where it is from and what is behind it."
    )


COLUMNS: dict[str, Callable[[Figures], str]] = {
    "network": lambda one: f"[`{one.name}`](models/{one.name}/README.md)",
    "parameters": lambda one: f"{one.trainable_parameters:,}",
    "epochs": lambda one: str(one.epochs),
    "test accuracy %": lambda one: (
        f"**{100 * one.test_accuracy:.2f}** ± {100 * one.standard_deviation:.2f}"
        + ("" if one.dataset == "mnist" else f" (of `{one.dataset}`)")
    ),
    "seeds": lambda one: str(one.seeds),
    "stated elsewhere": lambda one: one.reference,
    "training, clock / processor": lambda one: f"{seconds(one.seconds)} / {seconds(one.cpu_seconds)}",
    "ONNX kB, float / int8": lambda one: " / ".join(kilobytes(one.bytes[name]) for name in (FLOAT, INT8)),
    "int8, onnxruntime / LiteRT": lambda one: " / ".join(points(value) for value in one.int8_points.values()),
    "µs an image, onnxruntime float / LiteRT int8": lambda one: " / ".join(
        microseconds(one, name) or "–" for name in (FLOAT, LITERT)
    ),
}
RIGHT = (1, 2, 4)


def points(value: float) -> str:
    """A difference of accuracies in points."""
    return f"{value:+.2f}" if round(value, 2) else "0.00"


def overview(manifests: Sequence[Manifest]) -> str:
    """The page of the zoo: what lies in the folder, and the project in a few sentences."""
    if not manifests:
        return "# The zoo\n\nNothing is published yet: `k2l report --publish MODEL`.\n"
    every = published.each(manifests)
    names = "\n".join(
        f"- [`{one.name}`]({one.name}/{CARD}): {share(one.test_accuracy)} ± {100 * one.standard_deviation:.2f}, "
        f"{one.trainable_parameters:,} parameters, {count(one.epochs, 'epoch')}"
        for one in every.values()
    )
    return OVERVIEW.format(
        names=names,
        first=next(iter(every)),
        commands=" &&\n".join(commands(manifests[0])),
        description=wrapped(" ".join(description(every))),
        largest=published.LARGEST // 1_000_000,
    )


OVERVIEW = """\
# The zoo

Trained networks that come with the code. Each folder has its weights, a manifest that vouches for every file of them,
and a model card that says what it reads, how it was trained, and what it is not for.

{names}

Their names are models everywhere: `k2l predict PICTURE --model {first}`, `k2l evaluate {first} --all`,
`k2l bench {first}`. A model of your own of the same name under `$K2L_HOME/models` comes before them.

## Making an entry

```
{commands}
```

`train` can be ended and started again; started in two terminals, the two share the seeds. It keeps the network with
the lowest loss on the validation images. `--publish` takes over the weights in PyTorch, ONNX and int8, some in Keras
too, leaves out files above {largest} MB, runs the others on the test images and writes down what they read.
`k2l report --measure` times them all. The cards, this page and README's table are written by `k2l report` from the
manifests alone; `k2l report --check` says whether they are up to date.

## The project, for a résumé

{description}
"""


def description(every: Mapping[str, Figures]) -> list[str]:
    """The project in a few sentences with its measured figures; those on networks that are not there are left out."""
    best = max(every.values(), key=lambda one: (one.dataset == "mnist", one.test_accuracy))
    said = [
        "kaggle-to-local (`k2l`): an end-to-end pipeline in Python that defines a network once, trains it in PyTorch "
        "or Keras, here or as a notebook on Kaggle, brings the weights back with a SHA-256 for every file, and runs "
        "them on a laptop's processor in onnxruntime, LiteRT, PyTorch or Keras.",
        f"Trained {count(len(every), 'network')} for handwritten digits, tuned on a validation split and tested once, "
        f"over {min(one.seeds for one in every.values())} seeds each: the best reads {_read(best)}.",
    ]
    if "compact" in every:
        one = every["compact"]
        said.append(
            f"The small tutorial network reaches {share(one.test_accuracy)} after {seconds(one.seconds)} of training "
            f"({one.trained_on}), where tutorials state {one.reference}."
        )
    if "lite" in every:
        one = every["lite"]
        said.append(
            f"Designed one of {one.trainable_parameters:,} parameters ({kilobytes(one.bytes[LITERT])} kB in int8) "
            f"that reads {share(one.test_accuracy)}."
        )
    if "baseline" in every and every["baseline"].p50_us:
        one = every["baseline"]
        said.append(
            "Quantized to int8, the usual tutorial network takes "
            f"{100 * one.bytes[LITERT] / one.bytes[FLOAT]:.0f} % of the bytes, changes its accuracy by "
            f"{points(one.int8_points[LITERT])} points and reads an image in {microseconds(one, LITERT)} µs "
            f"on one thread ({one.timed_on}), "
            f"{one.p50_us[FLOAT] / one.p50_us[LITERT]:.1f} times as fast as in float."
        )
    return said


def _read(one: Figures) -> str:
    return (
        f"{share(one.test_accuracy)} ± {100 * one.standard_deviation:.2f} of {one.title}'s test images with "
        f"{one.trainable_parameters:,} parameters"
    )
