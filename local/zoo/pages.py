"""What is written about the zoo, from its manifests alone: tables in README and docs/, model cards, models/README.md.

    outdated()                           # the files that say something else than the manifests
    write()                              # brings them up to date

The tables, and the lines of .gitignore that let the published folders in, stand between two comments each; the rest of
those files is not touched.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from local.core import workspace
from local.core.markdown import count, filled, kilobytes, markdown, seconds, share, wrapped
from local.core.outputs import gathered
from local.models import published
from local.models.published import CARD, FLOAT, INT8, LITERT, Figures, Manifest
from local.zoo.cards import card, commands, microseconds, training_command
from shared.networks.architectures import ARCHITECTURES

SHORT = "<!-- the zoo, in short: written by `k2l report` -->", "<!-- the zoo, in short: end -->"
ZOO = "<!-- the zoo: written by `k2l report` -->", "<!-- the zoo: end -->"
NETWORKS = "<!-- the networks: written by `k2l report` -->", "<!-- the networks: end -->"
NAMED_IN_SHORT = ("lite", "compact", "best", published.DEFAULT)
KEPT = "# the zoo: written by `k2l report`", "# the zoo: end"


def pages() -> dict[Path, str]:
    """Every file that is written about the zoo, with its text as the manifests have it."""
    manifests, root = published.published(), workspace.zoo()
    cards = {root / stated.name / CARD: card(stated) for stated in manifests}
    readme, docs, ignored = (root.parent / name for name in ("README.md", "docs/zoo.md", ".gitignore"))
    return {
        readme: filled(readme, {SHORT: in_short(manifests)}),
        docs: filled(docs, {ZOO: claims(manifests), NETWORKS: networks()}),
        ignored: filled(ignored, {KEPT: "\n".join(f"!/models/{stated.name}/" for stated in manifests)}),
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
    """Every network: its accuracy beside what others claim, then time and size, and how to get a row again."""
    if not manifests:
        return NOTHING
    every = list(published.each(manifests).values())
    return "\n\n".join(
        [
            _table(ACCURACY, every, right=(1, 2)),
            wrapped(f"{_accurate(every)} {CLAIMS}"),
            _table(COST, every, right=range(1, len(COST))),
            wrapped(f"{_trained(every)} {_timed(every)} {POINTS}"),
            f"To train one again: `{training_command(manifests[0])}`.\nThe model cards have the commands of each.",
        ]
    )


def in_short(manifests: Sequence[Manifest]) -> str:
    """A few networks, for README."""
    every = [one for name, one in published.each(manifests).items() if name in NAMED_IN_SHORT]
    if not every:
        return NOTHING
    return f"{_table(BRIEF, every, right=(1, 2, 3))}\n\n{wrapped(f'{_accurate(every)} {_timed(every)}')}"


def _table(columns: "Columns", every: Sequence[Figures], *, right: Sequence[int]) -> str:
    return markdown(list(columns), [[cell(one) for cell in columns.values()] for one in every], right=tuple(right))


def networks() -> str:
    """All networks: their layers stand in `shared/networks/architectures.py`."""
    rows = [[f"`{one.name}`", f"{one.parameters:,}", one.source] for one in ARCHITECTURES.values()]
    return markdown(["network", "trainable parameters", "where it comes from"], rows, right=(1,))


def _accurate(every: Sequence[Figures]) -> str:
    """How the accuracies came about."""
    images = _each(f"{one.title}'s {one.test_images:,}" for one in every)
    seeds = _each(str(one.seeds) for one in every)
    return f"Accuracy: mean ± standard deviation of {seeds} seeds, on {images} test images, which were read once."


def _trained(every: Sequence[Figures]) -> str:
    return f"Training: medians over the seeds ({_each(one.trained_on for one in every)})."


def _timed(every: Sequence[Figures]) -> str:
    return f"µs: one image on one thread ({_each(one.timed_on for one in every) or 'not measured yet'})."


def _each(texts: Iterable[str]) -> str:
    """The different ones that are not empty."""
    return " or ".join(filter(None, dict.fromkeys(texts)))


def _accuracy(one: Figures) -> str:
    """In percent; of which data set, if it is not MNIST."""
    other = "" if one.dataset == "mnist" else f" (of `{one.dataset}`)"
    return f"**{100 * one.test_accuracy:.2f}** ± {100 * one.standard_deviation:.2f}{other}"


def _link(one: Figures, *, folder: str) -> str:
    return f"[`{one.name}`]({folder}/{one.name}/{CARD})"


Columns = Mapping[str, Callable[[Figures], str]]
NOTHING = "Nothing is published yet."
CLAIMS = "Nobody here checked what others claim; the cards name the sources."
POINTS = "Points: the accuracy of int8 on the test images, minus that of float ONNX."
BRIEF: Columns = {
    "network": partial(_link, folder="models"),
    "parameters": lambda one: f"{one.trainable_parameters:,}",
    "kB, int8": lambda one: kilobytes(one.bytes[LITERT]),
    "µs, int8": lambda one: microseconds(one, LITERT) or "–",
    "test accuracy %": _accuracy,
}
ACCURACY: Columns = {
    "network": partial(_link, folder="../models"),
    "parameters": lambda one: f"{one.trainable_parameters:,}",
    "epochs": lambda one: str(one.epochs),
    "test accuracy %": _accuracy,
    "others claim": lambda one: one.reference,
}
COST: Columns = {
    "network": lambda one: f"`{one.name}`",
    "training": lambda one: seconds(one.seconds),
    "processor time": lambda one: seconds(one.cpu_seconds),
    "kB, float ONNX": lambda one: kilobytes(one.bytes[FLOAT]),
    "kB, int8 ONNX": lambda one: kilobytes(one.bytes[INT8]),
    "points, int8 ONNX": lambda one: points(one.int8_points[INT8]),
    "points, int8 LiteRT": lambda one: points(one.int8_points[LITERT]),
    "µs, float ONNX": lambda one: microseconds(one, FLOAT) or "–",
    "µs, int8 LiteRT": lambda one: microseconds(one, LITERT) or "–",
}


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

Trained networks that come with the code. Each folder has the weights, a manifest with the sha256 of every file, and a
model card: what the network reads, how it was trained, and what it should not be used for.

{names}

Their names are models everywhere: `k2l predict PICTURE --model {first}`, `k2l evaluate {first} --all`,
`k2l bench {first}`. A model of your own with the same name comes first.

## Making an entry

```
{commands}
```

You may interrupt `train` and start it again; in two terminals, the two share the seeds. It keeps the network with the
lowest loss on the validation images. `--publish` copies the weights in PyTorch, ONNX and int8, for some networks also
in Keras. It leaves out files larger than {largest} MB. It runs the others on the test images, and writes the results
into the manifest. `k2l report --measure` times all files of the zoo.

`k2l report` writes the cards, this page and the tables in README and docs/zoo.md from the manifests.
`k2l report --check` reports whether they are up to date.

## The project, for a résumé

{description}
"""


def description(every: Mapping[str, Figures]) -> list[str]:
    """The project in a few sentences with its measured figures; those on networks that are not there are left out."""
    best = max(every.values(), key=lambda one: (one.dataset == "mnist", one.test_accuracy))
    said = [
        "kaggle-to-local (`k2l`): an end-to-end pipeline in Python. It defines a network once, and trains it in "
        "PyTorch or Keras, on this machine or as a notebook on Kaggle. It brings the weights back with a SHA-256 for "
        "every file, and runs them on a laptop's processor in onnxruntime, LiteRT, PyTorch or Keras.",
        f"Trained {count(len(every), 'network')} for handwritten digits, tuned on a validation split and tested once, "
        f"over {min(one.seeds for one in every.values())} seeds each: the best reads {_read(best)}.",
    ]
    if "compact" in every:
        one = every["compact"]
        said.append(
            f"The small tutorial network reaches {share(one.test_accuracy)} after {seconds(one.seconds)} of training "
            f"({one.trained_on}), where tutorials claim {one.reference}."
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
