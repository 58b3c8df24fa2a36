"""The model card of a published network, as Markdown, from its manifest alone.

    card(stated)                         # models/<name>/README.md
    commands(stated)                     # the commands that make it again

Nothing is measured here, and nothing is written.
"""

import math
from collections.abc import Iterator
from typing import Any

from local.core.markdown import count, kilobytes, markdown, seconds, share, wrapped
from local.evaluation.significance import standard_error
from local.models import published, registry
from local.models.published import Figures
from shared.core.manifest import TrainingManifest
from shared.data.registry import DIGITS, GLYPH
from shared.networks.architectures import (
    BatchNorm,
    Conv,
    Crop,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Relu,
    architecture,
)
from shared.training.config import TrainConfig, beside_recipe, options_of

Manifest = TrainingManifest

RUNS = {
    "model.pth": "PyTorch weights",
    "model.keras": "the same weights in Keras",
    published.FLOAT: "the network for onnxruntime: what `k2l predict` takes",
    published.INT8: "int8 for onnxruntime",
    published.LITERT: "int8 for LiteRT",
}
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW"}
SCHEDULES = {
    "one-cycle": "a one-cycle schedule up to a learning rate of",
    "triangle": "a learning rate that rises and falls in straight lines, up to",
    "constant": "a constant learning rate of",
}
CHANGES = {  # parameter -> the augmentation in words
    "rotation": "turned by up to {:g}°",
    "shift": "moved by up to {:g} pixels",
    "scale": "scaled by up to {:.0%}",
    "elastic": "bent elastically (control points moved by up to {:g} pixels)",
    "stroke": "drawn thicker or thinner (by up to {:g} of what a 3x3 neighbourhood allows)",
}
NOT_FOR = (
    "Pictures that are not prepared as the training images were: a white digit on black, 28x28, its box scaled to 20 "
    "pixels, its centre of mass in the middle. `k2l predict` prepares pictures in this way; an unprepared photograph "
    "will be misread.",
    "{others}",
    "Important decisions that nobody checks. It was measured on {title}'s test images; it reads the handwriting of "
    "other people, pens and countries less well.",
)
DIGITS_ALONE = (
    "Letters, signs, empty paper, several digits in one picture. It was trained on digits only: it answers with one of "
    "ten, whatever it sees, often with a high score. A high score does not prove that there is a digit."
)
OTHERS_TOO = (
    "Letters and signs that look like a digit. It rejects most of what is not a digit, but it reads an O as 0, and "
    "sometimes an S as 5, a Z as 2 or an l as 1."
)


def card(stated: Manifest) -> str:
    """The card's text."""
    figures = published.figures(stated)
    return "\n\n".join(_sections(stated, figures)) + "\n"


def _sections(stated: Manifest, figures: Figures) -> Iterator[str]:
    spec, classes = registry.taken(stated)
    entry, network = published.entry(figures.name), architecture(figures.architecture, spec, len(classes))
    yield f"# {figures.name}"
    yield wrapped(
        f"This network reads one handwritten digit in a picture of {GLYPH.height}x{GLYPH.width}. It has "
        f"{figures.trainable_parameters:,} trainable parameters. Where it comes from: {network.source}."
    )
    logits = network.classes
    beyond = "" if logits == len(DIGITS) else "; the last means that there is no digit"
    yield wrapped(f"Layers: {layers(network.layers)}. It gives {count(logits, 'logit')}{beyond}.")
    yield "## What it reads"
    yield wrapped(accuracy(figures, stated))
    if entry.reference:
        yield f"Others claim ({entry.source}): {entry.reference}."
    yield "## Its files"
    yield files(figures, stated)
    yield wrapped(speed(figures, stated))
    yield "## How it was trained"
    yield wrapped(recipe(stated.parameters, figures, photographs=bool(stated.threshold_of or stated.kept)))
    yield wrapped(cost(figures))
    yield "To make it again (the first command takes most of the time; after an interruption it resumes):"
    yield "```\n" + "\n".join(commands(stated)) + "\n```"
    yield "## What it is not for"
    others = OTHERS_TOO if figures.dataset == "camera" else DIGITS_ALONE
    yield "\n".join(wrapped(f"- {one.format(title=figures.title, others=others)}", "  ") for one in NOT_FOR)
    if entry.notes:
        yield "## Notes"
        yield "\n".join(wrapped(f"- {note}", "  ") for note in entry.notes)
    yield wrapped(f"Written by `k2l report` from `manifest.json`: run `{stated.run_id}`{_commit(stated)}.")


def _commit(stated: Manifest) -> str:
    """The code of the training, where git knew it."""
    commit, _, dirty = stated.source_commit.partition("-")
    return f", code of commit `{commit[:12]}`{' and changes since' if dirty else ''}" if commit else ""


def layers(network: tuple[Layer, ...]) -> str:
    """The layers in a row, a convolution with what belongs to it."""
    return ", ".join(_layer(layer) for layer in network)


def _layer(layer: Layer) -> str:
    match layer:
        case Crop(size=n):
            return f"the middle {n}x{n} pixels"
        case Conv(filters=n, kernel=k, stride=s, same=same):
            return f"conv {n} ({k}x{k}{f', stride {s}' if s > 1 else ''}{'' if same or s > 1 else ', unpadded'})"
        case BatchNorm():
            return "batch norm"
        case MaxPool(size=n):
            return f"max pool {n}"
        case GlobalAveragePool():
            return "global average pool"
        case Flatten():
            return "flatten"
        case Dense(units=n):
            return f"dense {n}"
        case Dropout(rate=rate):
            return f"dropout {rate:g}"
        case Relu():
            return "relu"


def accuracy(figures: Figures, stated: Manifest) -> str:
    """Mean, spread and errors over the seeds, and which of them this is."""
    mean, images = figures.test_accuracy, figures.test_images
    this = stated.test_accuracy
    patient = stated.parameters["patience"]
    why = "which had the lowest loss on the validation images"
    if stated.kept:  # the seed was named, see `k2l train --keep`
        why = "which reads labelled photographs best (`k2l evaluate --photos`)"
    when = "at its lowest validation loss" if patient else "after its last epoch"
    return (
        f"**{share(mean)} ± {100 * figures.standard_deviation:.2f}** of {figures.title}'s {images:,} test images "
        f"(mean ± standard deviation of {figures.seeds} seeds, each {when}, the test set read once). The "
        f"standard error of this mean is {100 * figures.standard_error:.2f}. The size of the test set alone leaves an "
        f"uncertainty of {100 * standard_error(mean, images):.2f} points. The weights here are those of "
        f"seed {stated.parameters['seed']}, {why}: they read {share(this)}.{_also(stated)}"
    )


def _also(stated: Manifest) -> str:
    """What these weights read of other data sets, and when they are sure of a digit."""
    also = stated.published.get("also", {})
    said = [
        f"Of {published.TITLES.get(name, name)}'s test images they read {share(one['accuracy'])} correctly, if each "
        f"must be one of its classes. They would take {share(one['rejected'])} for none of them."
        for name, one in also.items()
    ]
    if chosen := stated.threshold_of:
        said.append(
            f"A digit is accepted from a probability of {stated.threshold:g}. This value was chosen on "
            f"{chosen['photographs']} photographs of {chosen['sources']} sources "
            "(`k2l evaluate --photos --choose-conf`)."
        )
    return "".join(f" {one}" for one in said)


def files(figures: Figures, stated: Manifest) -> str:
    """A table: what lies in the folder, how large it is, what it reads, how fast it is."""
    scores, left_out = stated.published["test_accuracy"], stated.published["left_out"]
    rows = []
    for name in (one for one in published.WEIGHTS if one in figures.bytes):
        about = RUNS[name] + (
            " (too large to be committed: make it with the commands below)" if name in left_out else ""
        )
        read = share(scores[name]) if name in scores else ""
        rows.append([f"`{name}`", about, kilobytes(figures.bytes[name]), read, microseconds(figures, name)])
    return markdown(["file", "what it is", "kB", "test images read", "p50 µs an image"], rows, right=(2, 3, 4))


def speed(figures: Figures, stated: Manifest) -> str:
    """Where the times are from."""
    if not figures.p50_us:
        return "Its speed was not measured yet (`k2l report --measure`)."
    bench = stated.bench
    with_what = ", ".join(f"{name} {number}" for name, number in bench["versions"].items())
    threads = "one thread" if bench["threads"] == 1 else f"{bench['threads']} threads"
    return (
        f"p50 is the median time from one image to its logits, on {threads} ({figures.timed_on}; {with_what}). All "
        "files of the zoo were timed in turns. Other processors give other times; `k2l bench` measures yours."
    )


def recipe(parameters: dict[str, Any], figures: Figures, *, photographs: bool) -> str:
    """How it was trained, in words and numbers; `photographs`: parts of it were chosen on those."""
    said = [
        f"{OPTIMIZERS[parameters['optimizer']]}{_betas(parameters)} with {SCHEDULES[parameters['schedule']]} "
        f"{parameters['learning_rate']:g}",
        f"{count(parameters['epochs'], 'epoch')} in batches of {parameters['batch_size']}",
    ]
    if parameters["weight_decay"]:
        said.append(f"weight decay {parameters['weight_decay']:g}")
    if parameters["label_smoothing"]:
        said.append(f"label smoothing {parameters['label_smoothing']:g}")
    if parameters["ema"]:
        said.append(f"a running average of the weights (EMA, decay {parameters['ema']:g})")
    changes = [how.format(parameters[name]) for name, how in CHANGES.items() if parameters.get(name)]
    augmented = f" Each time an image is used, it is randomly {', '.join(changes)}." if changes else ""
    return (
        f"On {figures.title}'s training images, except for a fixed validation split: {', '.join(said)}.{augmented} "
        f"{chosen_on(photographs=photographs)} Every parameter is in `manifest.json`."
    )


def chosen_on(*, photographs: bool) -> str:
    """Which images the choices were made on: figures on those are no test."""
    if not photographs:
        return "Every choice was made on the validation split."
    return (
        "Its recipe was chosen on the validation split. Three things were chosen on labelled photographs: how its "
        "training images are made, the seed, and the least probability of a digit. Therefore figures on those "
        "photographs are no test. `k2l evaluate --photos FOLDER --held-out` reads each source with what the other "
        "sources choose."
    )


def _betas(parameters: dict[str, Any]) -> str:
    """Adam's two decays, where they are not the usual ones."""
    betas = parameters.get("beta1", 0.9), parameters.get("beta2", 0.999)
    return "" if betas == (0.9, 0.999) else f" (betas {betas[0]:g} and {betas[1]:g})"


def cost(figures: Figures) -> str:
    """What a training takes."""
    return (
        f"One training takes {seconds(figures.seconds)}, and {seconds(figures.cpu_seconds)} of processor time (medians "
        f"over the seeds; {figures.trained_on})."
    )


def commands(stated: Manifest) -> list[str]:
    """The commands that train, export, quantize and publish it."""
    name = stated.name
    formats = "onnx,keras" if published.entry(name).keras else "onnx"
    return [
        training_command(stated),
        f"k2l export {name} --to {formats}",
        f"k2l quantize {name} --to onnx,tflite",
        f"k2l report --publish {name}",
    ]


def training_command(stated: Manifest) -> str:
    """The `k2l train` of a manifest: its parameters, as far as the recipe of today gives others."""
    parameters, framework = stated.parameters, stated.framework
    said = [f"--{key} {parameters[key]}" for key in ("architecture", "dataset", "epochs")]
    said += [f"--framework {framework}"] if framework != "torch" else []
    said += [f"--recipe {parameters['recipe']}"] if parameters["recipe"] != TrainConfig.recipe else []
    first = min((row["seed"] for row in stated.seeds), default=0)
    said += [f"--seed {first}"] if first else []
    said += options_of(beside_recipe(parameters))
    seeds = max(len(stated.seeds), published.FEWEST_SEEDS)
    said += [f"--seeds {seeds}"] + ([f"--keep {parameters['seed']}"] if stated.kept else [])
    return f"k2l train {' '.join(said)} --name {stated.name}"


def microseconds(figures: Figures, name: str) -> str:
    """The p50 of a file, or nothing."""
    value = figures.p50_us.get(name, math.nan)
    return "" if math.isnan(value) else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
