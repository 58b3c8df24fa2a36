"""What README and docs/ say is checked wherever it can be."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.core import workspace
from local.emulator.faults import KINDS
from local.jobs.bundle import pack
from local.jobs.preflight import CHECKS
from local.kaggle_api import kernel_spec
from scripts.__main__ import VERBS
from shared.networks import architectures
from shared.networks.architectures import ARCHITECTURES
from shared.training.config import TrainConfig
from tests.documents import PAGES

LAYERS = ("shared", "local", "scripts")


def test_readme_is_short():
    assert 6_000 <= len(PAGES["README.md"].encode()) <= 9_000


def test_readme_leads_to_every_page():
    assert {name for name in PAGES if f"]({name})" in PAGES["README.md"]} == set(PAGES) - {"README.md"}


@pytest.mark.parametrize("network", ARCHITECTURES.values(), ids=lambda network: network.name)
def test_the_table_of_networks_is_the_code(network):
    assert f"| `{network.name}` | {network.parameters:,} | {network.source} |" in PAGES["docs/zoo.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_verb_and_every_file_that_it_names_exists(page):
    text = PAGES[page].replace("scripts/VERB.py", "scripts/train.py")
    assert set(re.findall(r"(?:^|`)k2l ([a-z]+)\b", text, re.MULTILINE)) <= set(VERBS)
    for name in re.findall(r"`((?:shared|local|kaggle|scripts|tests)/[\w/.]+)`", text):
        assert (workspace.CHECKOUT / name).exists(), name


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, "shared/README.md", "models/README.md"])
def test_every_link_leads_somewhere(page):
    path = workspace.CHECKOUT / page
    for link in re.findall(r"\]\((?!http)([^)]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_tree_names_every_module():
    tree = PAGES["docs/internals.md"].split("```")[1]
    for path in (path for layer in LAYERS for path in sorted((workspace.CHECKOUT / layer).rglob("*.py"))):
        verb = path.parent.name == "scripts"
        assert verb or path.stem.startswith("__") or re.search(rf"\b{path.stem}\b", tree), path


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_bundle_is_about_as_large_as_it_says(framework):
    (kilobytes,) = re.findall(r"\| the bundle \| about (\d+) kB,", PAGES["docs/faults-and-measurements.md"])
    packed = pack(kernel_spec.load(framework), name="compact", config=TrainConfig.create(dataset="mnist"))
    size = len(packed.sign(run_id="by-hand", source_commit="").encode())
    assert size == pytest.approx(1000 * int(kilobytes), rel=0.05)


def test_what_the_pages_count_is_as_many():
    assert f"misbehave in {len(KINDS)} ways" in PAGES["docs/emulator.md"]
    assert f"makes {len(CHECKS)} checks" in PAGES["docs/trip.md"] and f"| {len(CHECKS)} checks," in PAGES["README.md"]


def variables(path: Path) -> Iterator[str]:
    """The variables of the environment that a module reads or sets by name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).startswith(("os.environ.", "os.getenv")):
            named = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            named = node.slice
        elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "os.environ":
            named = node.left
        else:
            continue
        if isinstance(named, ast.Constant):
            yield named.value


def test_the_table_of_variables_is_the_code():
    """Each that the code names, and each of ours that anything names."""
    table = PAGES["docs/settings.md"].split("## Variables")[1].split("\n\n")[1]
    listed = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    modules = [path for layer in LAYERS for path in (workspace.CHECKOUT / layer).rglob("*.py")]
    used = {name for path in modules for name in variables(path) if not name.startswith("_")}  # a shell's own
    assert {"K2L_HOME", "KAGGLE_USERNAME", "OMP_WAIT_POLICY", "KERAS_BACKEND", "DISPLAY"} <= used <= listed
    anywhere = [*modules, *(workspace.CHECKOUT / "tests").rglob("*.py"), workspace.CHECKOUT / ".ci" / "run"]
    ours = {name for path in anywhere for name in re.findall(r"\bK2L_[A-Z]+\b", path.read_text(encoding="utf-8"))}
    assert ours == {name for name in listed if name.startswith("K2L_")}


def test_the_three_ways_to_write_compact_are_one():
    """The tuple is the network's own, and the code beside it builds what our builders build from it."""
    from torch import nn

    from shared.frameworks.start_keras import keras
    from shared.networks.build_keras import build_keras
    from shared.networks.build_torch import build_torch

    section = PAGES["docs/internals.md"].split("## One definition, two frameworks")[1].split("\n## ")[0]
    ours, torchs, keras_way = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    compact = ARCHITECTURES["compact"]
    assert eval(ours, vars(architectures).copy()) == compact.layers
    by_hand = eval(torchs, {"nn": nn})
    assert [repr(module) for module in by_hand] == [repr(module) for module in build_torch(compact)]
    by_hand = eval(keras_way, {"keras": keras, "layers": keras.layers})
    built = build_keras(compact)
    assert [type(layer) for layer in by_hand.layers] == [type(layer) for layer in built.layers]
    assert [weights.shape for weights in by_hand.weights] == [weights.shape for weights in built.weights]
