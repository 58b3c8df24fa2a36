"""What is installed: `requirements.txt`, the extras that it is made of, and `constraints.txt`, the tested versions."""

import re
import tomllib

from packaging.requirements import Requirement

from local.core import workspace

ROOT = workspace.CHECKOUT


def lines(name):
    """The lines of a file that say something."""
    stripped = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [line for line in stripped if line]


def versions():
    """{package: version}, names as pip compares them."""
    pairs = (line.split("==") for line in lines("constraints.txt"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def test_constraints_are_names_and_versions_alone():
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines("constraints.txt"))


def extras():
    """{extra: the lines that it asks for}."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["optional-dependencies"]


def test_the_extras_together_are_the_requirements():
    parts = {extra: asked for extra, asked in extras().items() if extra != "dev"}
    assert set(parts) == {"predict", "torch", "keras", "trip", "emulator", "web", "sweep"}
    assert {line for asked in parts.values() for line in asked} == set(lines("requirements.txt"))


def test_a_machine_that_only_predicts_installs_what_that_extra_asks_for():
    assert sorted(lines("local/requirements.txt")) == sorted(extras()["predict"])


def test_every_range_that_is_offered_has_a_tested_version_in_it():
    offered = [*lines("requirements.txt"), *extras()["dev"]]
    for requirement in map(Requirement, offered):
        version = versions().get(requirement.name.lower())
        assert version and requirement.specifier.contains(version), f"{requirement}: run make upgrade"
