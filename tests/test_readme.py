"""README's sentences that can be checked are."""

import re

import pytest

from local import paths
from scripts.__main__ import VERBS
from shared.architectures import ARCHITECTURES

README = (paths.CHECKOUT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("network", ARCHITECTURES.values(), ids=lambda network: network.name)
def test_the_table_of_networks_is_the_code(network):
    assert f"| `{network.name}` | {network.parameters:,} | {network.source} |" in README


def test_every_verb_that_it_names_exists():
    named = set(re.findall(r"(?:^|`)k2l ([a-z]+)\b", README, re.MULTILINE))
    assert named and named <= set(VERBS)


def test_every_file_that_it_names_exists():
    for name in re.findall(r"`((?:shared|local|kaggle|scripts|tests)/[\w/.]+\.\w+)`", README):
        assert (paths.CHECKOUT / name).is_file(), name


def test_the_tree_names_every_module():
    tree = README.split("## The files")[1].split("```")[1]
    for folder in ("shared", "local", "local/kernels", "local/vision"):
        for path in sorted((paths.CHECKOUT / folder).glob("*.py")):
            assert path.stem.startswith("__") or re.search(rf"\b{path.stem}\b", tree), path
