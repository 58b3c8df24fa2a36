"""The lesson, `shared/README.md`: its code runs and gives what it says, its numbers are the networks', its pictures are
there."""

import ast
import math
import os
import re
import textwrap

import numpy as np
import pytest

from local.core import workspace
from local.digits import lesson
from local.zoo import cover
from scripts.__main__ import VERBS
from shared.networks.architectures import architecture, count_parameters, trace

LESSON = (workspace.CHECKOUT / "shared" / "README.md").read_text(encoding="utf-8")
SAID = " ".join(LESSON.split())  # without the ends of lines
GIVES = "  # -> "
with_mnist = pytest.mark.skipif("K2L_DATA" not in os.environ, reason="needs MNIST: set K2L_DATA")


def blocks():
    """The python blocks, in order."""
    found = re.findall(r"^([ ]*)```python\n(.*?)^\1```", LESSON, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, code in found]


def run(code, names):
    """Runs a block in those names; each line that says what it gives gives it. The number of such lines."""
    lines, said = code.splitlines(), 0
    for node in ast.parse(code).body:
        exec(compile(ast.Module([node], []), "shared/README.md", "exec"), names)
        _, gives, expected = lines[node.end_lineno - 1].partition(GIVES)
        if gives:
            assert isinstance(node, ast.Expr), lines[node.end_lineno - 1]
            assert str(eval(compile(ast.Expression(node.value), "lesson", "eval"), names)) == expected
            said += 1
    return said


@with_mnist
def test_every_block_of_code_runs_and_gives_what_it_says(monkeypatch):
    monkeypatch.chdir(workspace.CHECKOUT)
    names = {}
    assert sum(run(code, names) for code in blocks()) == LESSON.count(GIVES.strip() + " ") > 15
    assert count_parameters(names["network"]) == 206_922


def test_the_table_of_layers_is_the_networks():
    """Shapes, parameters, and what both frameworks call each layer, built as it is written there."""
    from torch import nn

    from shared.frameworks.start_keras import keras
    from shared.networks.build_keras import build_keras
    from shared.networks.build_torch import build_torch

    network = architecture("compact")
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in LESSON.splitlines() if "`nn." in line]
    rows = list(trace(network))
    assert [line[:3] for line in table] == [
        [row.name, " x ".join(f"{side:,}" for side in row.shape), f"{row.parameters:,}" if row.parameters else ""]
        for row in rows
    ]
    ours = [repr(module) for module in build_torch(network)]
    assert [repr(eval(line[3].strip("`"), {"nn": nn})) for line in table] == ours
    theirs = [eval(line[4].strip("`"), {"layers": keras.layers}) for line in table]
    built = build_keras(network).layers
    assert [type(one) for one in theirs] == [type(one) for one in built]
    for one, other in zip(theirs, built, strict=True):
        plain = ("filters", "kernel_size", "padding", "pool_size", "units", "rate", "use_bias")
        assert [getattr(one, key, None) for key in plain] == [getattr(other, key, None) for key in plain]


def test_the_numbers_in_the_text_are_the_networks():
    parameters = {row.name: row.parameters for row in trace(architecture("compact"))}
    whole = sum(parameters.values())
    facts = (
        f"{whole:,} parameters in all. {parameters['dense1'] / whole:.0%}".replace("%", " %"),
        f"16 * (3 * 3 + 1) = {parameters['conv1']}",
        f"32 * (16 * 3 * 3 + 1) = {parameters['conv2']:,}",
        f"1,568 * 128 + 128 = {parameters['dense1']:,}",
        f"{count_parameters(architecture('lite')):,} parameters in all for `lite`",
        f"each of the {whole:,} weights",
        "| loss | " + " | ".join(f"{-math.log(share):.2f}" for share in (0.99, 0.5, 0.1, 0.01)) + " |",
        f"a first loss of about {math.log(10):.2f}",
        f"surest then gets {math.e / (math.e + 9):.0%}".replace("%", " %"),
    )
    for fact in facts:
        assert fact in SAID, fact


@with_mnist
def test_what_is_said_of_the_pitfalls_is_measured():
    import torch

    from local.runtimes import torch_runtime
    from shared.data.datasets import load
    from shared.data.preprocessing import to_float
    from shared.data.registry import GLYPH

    module = torch_runtime.build(workspace.zoo() / "compact" / "model.pth", "compact")
    data = load("mnist", halves=["test"])
    images = torch.from_numpy(to_float(data.test_images, GLYPH))

    def accuracy(images):
        with torch.no_grad():
            return float(np.mean(module(images).argmax(1).numpy() == data.test_labels))

    assert f"from {accuracy(images):.2%} of the test images".replace("%", " %") in SAID
    assert f"reads {accuracy(images * 255):.0%} of the test images".replace("%", " %") in SAID
    assert f"black on white {accuracy(1 - images):.0%}".replace("%", " %") in SAID
    module.train()
    torch.manual_seed(0)
    assert accuracy(images) == pytest.approx(0.992, abs=0.001) and "to about 99.2 %" in SAID


@with_mnist
def test_what_is_said_of_the_digits_is_what_the_networks_say():
    from local.digits import explain_picture

    told = {}
    for name in ("compact", "lite"):
        model = explain_picture.open_weights(str(workspace.zoo() / name))
        for image in ("test:8", "misread:1"):
            told[name, image] = explain_picture.explain(explain_picture.find(image, model), model)
    doubt, sure = told["compact", "test:8"], told["lite", "test:8"]
    assert [f"{doubt.probabilities[k]:.1%}".replace("%", " %") for k in (5, 6)] == ["47.5 %", "44.4 %"]
    assert doubt.worst()[:3] == (16, 7, 6) and (sure.answer, f"{sure.confidence:.2%}") == (5, "99.97%")
    for name in ("compact", "lite"):
        surest = told[name, "misread:1"]
        assert (surest.true, surest.answer) == (5, 6)
        assert surest.worst()[2] == 5  # covered where it closes
    assert np.array_equal(told["compact", "misread:1"].image, told["lite", "misread:1"].image)


def test_every_command_exists():
    commands = re.findall(r"`?(?:^|`)(k2l [^`#\n]+)", LESSON, re.MULTILINE)
    assert len(commands) > 8
    import typer

    from scripts.__main__ import app

    group = typer.main.get_command(app)
    for command in commands:
        verb, *words = command.split()[1:]
        assert verb in VERBS, command
        options = {name for parameter in group.get_command(None, verb).params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, command


def test_its_files_and_pictures_are_there_and_small():
    for name in re.findall(r"`((?:shared|local|kaggle|scripts|models)/[\w/.]+)`", LESSON):
        assert (workspace.CHECKOUT / name).exists(), name
    shown = re.findall(r"!\[[^]]+\]\(pictures/([\w.]+)\)", LESSON)
    there = sorted(set(lesson.pictures().iterdir()) - {cover.PATH})
    assert sorted(shown) == [path.name for path in there]
    sizes = [path.stat().st_size for path in there]
    assert max(sizes) < 60_000 and sum(sizes) < 500_000


@with_mnist
def test_the_pictures_are_drawn_by_a_command(tmp_path):
    drawn = lesson.draw(tmp_path)
    assert {path.name for path in drawn} == {path.name for path in lesson.pictures().iterdir()} - {cover.PATH.name}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_adam_gets_further_down_the_valley_than_plain_steps():
    plain, adam = (lesson.walk(step) for step in (lambda g, n: lesson.PLAIN * g, lesson.Adam(lesson.ADAM)))
    assert lesson.loss(adam[-1]) < lesson.loss(plain[-1]) < lesson.loss(plain[0])


def test_no_picture_is_bundled():
    from local.jobs import bundle
    from local.kaggle_api import kernel_spec
    from shared.training.config import TrainConfig

    text = bundle.pack(kernel_spec.load("torch"), name="n", config=TrainConfig.create()).text(
        run_id="r", source_commit="c"
    )
    assert "pictures/" not in text and len(text.encode()) < 320_000
