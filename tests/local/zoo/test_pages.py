import dataclasses
import subprocess
import sys
from types import SimpleNamespace

import pytest

from local.core import workspace
from local.models import published
from local.zoo import build, cards, pages
from shared.core import manifest
from shared.core.errors import ModelError
from shared.networks.architectures import ARCHITECTURES
from shared.training.config import TrainConfig
from tests.local import trips
from tests.local.zoo.zoo_folders import write_checkout, write_ready

PUBLISHED = published.published()


def test_what_is_written_about_the_zoo_is_what_its_manifests_say():
    assert pages.outdated() == [], "run: k2l report"


@pytest.mark.parametrize("name", [stated.name for stated in PUBLISHED])
def test_every_published_file_is_vouched_for_and_small_enough(name):
    stated = manifest.verify(workspace.zoo() / name)
    assert set(published.entry(name).files) == {*stated.files, *stated.published["left_out"]}
    assert all(file.bytes <= published.LARGEST for file in stated.files.values())
    assert len(stated.seeds) >= published.FEWEST_SEEDS
    assert stated.dataset == ("camera" if name == "camera" else "mnist")


def test_git_takes_what_is_published_and_nothing_else():
    def ignored(*names):
        command = ["git", "check-ignore", "--no-index", *names]
        return subprocess.run(command, cwd=workspace.CHECKOUT, capture_output=True, text=True).stdout.split()

    kept = [
        f"models/{name}/{file}"
        for name in published.ZOO
        for file in (*published.entry(name).files, manifest.NAME, published.CARD)
    ]
    assert ignored(*kept) == []
    others = [
        "models/lite/model.pt2",
        "models/lite/curves.png",
        "models/compact-torch/model.pth",
        "models/mine/README.md",
    ]
    assert ignored(*others) == others


def test_the_report_is_written_without_a_framework():
    code = "import sys; from local.zoo import pages; pages.outdated(); "
    code += "assert not {'torch', 'keras', 'tensorflow', 'onnxruntime'} & sys.modules.keys(), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], cwd=workspace.CHECKOUT, check=True)


@pytest.fixture
def checkout(home, tmp_path, small_model, monkeypatch):
    """A checkout whose zoo is `lite`, published but not timed."""
    place = write_checkout(tmp_path / "checkout")
    monkeypatch.setattr(workspace, "zoo", lambda: place)
    scores = {
        "test_images": 360,
        "test_accuracy": {published.FLOAT: 0.99, published.INT8: 0.985, published.LITERT: 0.991},
    }
    monkeypatch.setattr(build, "_scores", lambda *_: scores)
    write_ready(small_model, home / "models" / "lite")
    build.publish("lite")
    return place.parent


def add_bench(checkout):
    folder = checkout / "models" / "lite"
    bench = {
        "processor": "Z80", "threads": 1, "versions": {"onnxruntime": "1"},
        "p50_us": {published.FLOAT: 14.52, published.INT8: 24.13, published.LITERT: 7.1},
    }  # fmt: skip
    manifest.save(folder, dataclasses.replace(manifest.read(folder), bench=bench))


def test_it_is_written_once_and_told_when_it_is_out_of_date(checkout):
    names = ("README.md", "docs/zoo.md", ".gitignore", "models/README.md", "models/lite/README.md")
    files = [checkout / name for name in names]
    card = files[-1]
    assert pages.outdated() == files and pages.write() == files
    assert pages.outdated() == [] and pages.write() == []
    add_bench(checkout)
    assert pages.outdated() == [*files[:2], card]
    pages.write()
    card.write_text("changed", encoding="utf-8")
    assert pages.outdated() == [card]
    manifest.verify(checkout / "models" / "lite")  # the card is beside the manifest, not in it


def test_a_page_gets_its_tables_and_keeps_the_rest(checkout):
    pages.write()
    text = (checkout / "docs" / "zoo.md").read_text(encoding="utf-8")
    assert text.startswith(f"# before\n\n{pages.ZOO[0]}\n") and text.endswith(f"{pages.NETWORKS[1]}\n\nafter\n")
    for network in ARCHITECTURES.values():
        assert f"| `{network.name}` | {network.parameters:,} | {network.source} |" in text
    (accuracy,) = [line for line in text.splitlines() if line.startswith("| [`lite`](../models/lite/README.md)")]
    assert all(cell in accuracy for cell in (" 4,006 ", " 7 ", "**99.10** ± 0.16", "99.27 %")), accuracy
    cost = "| `lite` | 22 s | 42 s | "
    (cost,) = [line for line in text.splitlines() if line.startswith(cost)]
    assert cost.endswith("| -0.50 | +0.10 | – | – |") and "standard deviation of 5 seeds" in text
    assert "k2l train --architecture lite --dataset digits --epochs 7 --seeds 5 --name lite" in text
    assert "(2 threads of an Z80)" in text
    short = (checkout / "README.md").read_text(encoding="utf-8")
    assert short.count("\n| [`") == 1 and "| [`lite`](models/lite/README.md) | 4,006 |" in short
    (checkout / "README.md").write_text("no place", encoding="utf-8")
    with pytest.raises(ModelError, match="no place for the table"):
        pages.write()


def test_git_is_told_which_folders_are_published(checkout):
    pages.write()
    lines = (checkout / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line] == ["/models/*/", pages.KEPT[0], "!/models/lite/", pages.KEPT[1], "/build/"]


def test_a_card_says_what_the_manifest_says(checkout):
    add_bench(checkout)
    pages.write()
    text = (checkout / "models" / "lite" / "README.md").read_text(encoding="utf-8")
    plain = " ".join(text.split())
    for said in (
        "4,006 trainable parameters", "conv 4 (3x3, unpadded), batch norm, relu", "global average pool, dense 10",
        "99.10 % ± 0.16", "5 seeds", "standard error of this mean is 0.07", "those of seed 0",
        "| `model.int8.onnx` | int8 for onnxruntime | 0 | 98.50 % | 24.1 |", "7 epochs in batches of ", "AdamW",
        "k2l quantize lite --to onnx,tflite", "What it is not for", "Letters", "Ours: deep and narrow",
    ):  # fmt: skip
        assert said in plain, said
    assert max(map(len, text.splitlines())) <= 130


def test_the_projects_description_is_a_few_sentences_with_figures(checkout):
    add_bench(checkout)
    stated = published.published()
    said = pages.description(published.each(stated))
    assert len(said) == 3 and "99.10 % ± 0.16" in said[1] and "4,006 parameters" in said[2]
    every = {name: published.figures(stated[0]) for name in ("compact", "baseline", "lite")}
    assert 3 <= len(pages.description(every)) <= 5
    assert "takes" in pages.description(every)[-1] and "2.0 times as fast" in pages.description(every)[-1]


def test_the_command_of_a_card_gives_the_manifests_parameters():
    """Whatever the recipe says by now: what differs from it is spelt out."""
    config = TrainConfig.create(architecture="lite", dataset="mnist", epochs=15, learning_rate=0.5, ema=0.9, seed=3)
    seeds = [{"seed": 3 + at} for at in range(6)]
    stated = trips.stated(parameters=config.as_dict(), framework="keras", name="lite", seeds=seeds)
    assert cards.training_command(stated) == (
        "k2l train --architecture lite --dataset mnist --epochs 15 --framework keras "
        "--seed 3 --learning-rate 0.5 --ema 0.9 --seeds 6 --name lite"
    )
    plain = TrainConfig.create(architecture="lite", dataset="mnist", recipe="plain", epochs=2).as_dict()
    plain.pop("loading")  # of an older manifest
    assert cards.training_command(trips.stated(parameters=plain, name="lite")) == (
        "k2l train --architecture lite --dataset mnist --epochs 2 --recipe plain --seeds 5 --name lite"
    )


def test_every_change_of_an_image_is_told():
    parameters = TrainConfig.create(
        architecture="compact",
        rotation=8,
        shift=1.5,
        scale=0.1,
        elastic=2.0,
        stroke=0.5,
        ema=0.99,
        beta1=0.5,
        beta2=0.9,
    ).as_dict()
    said = cards.recipe(parameters, SimpleNamespace(title="MNIST"), photographs=False)
    for word in ("8°", "1.5 pixels", "10%", "2 pixels", "0.5 of what", "decay 0.99", "AdamW (betas 0.5 and 0.9) with"):
        assert word in said, word


def test_a_card_says_that_a_choice_was_made_on_photographs():
    parameters, figures = TrainConfig.create(architecture="camera").as_dict(), SimpleNamespace(title="camera")
    assert "Every choice was made on the validation split." in cards.recipe(parameters, figures, photographs=False)
    said = cards.recipe(parameters, figures, photographs=True)
    assert "Every choice" not in said and "no test" in said and "--held-out" in said
    assert "Every choice" not in (workspace.zoo() / "camera" / "README.md").read_text(encoding="utf-8")
