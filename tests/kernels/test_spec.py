"""kernel.toml is checked before anything leaves, by the service's own rules."""

import pytest

from local import paths
from local.kernels import spec
from shared.errors import ConfigError, KernelError

GOOD = {
    "slug": "k2l-torch", "title": "K2L torch", "accelerator": "NvidiaTeslaT4", "time_limit": 3600,
    "data_sources": {"mnist": ["owner/slug"], "digits": []},
}  # fmt: skip


def parse(**changes):
    return spec.parse({**GOOD, **changes}, framework="torch", where="kernel.toml")


@pytest.mark.parametrize("framework", sorted(path.parent.name for path in paths.kernels().glob("*/kernel.toml")))
def test_the_kernels_that_are_shipped_are_good(framework):
    assert spec.load(framework).notebook.is_file()


def test_nothing_is_left_to_the_services_defaults():
    one = parse()
    assert (one.private, one.internet, one.gpu) == (True, False, True)
    assert not parse(accelerator="none").gpu


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"slug": "abcd", "title": "abcd"}, "5 to 50"),
        ({"slug": "a" * 51, "title": "a" * 51}, "5 to 50"),
        ({"title": "Something else"}, "slug 'something-else', not 'k2l-torch'"),
        ({"slug": "K2L_torch"}, "under its title's slug"),
        ({"accelerator": "gpu"}, "NvidiaTeslaT4"),
        ({"accelerator": 4}, "must be text"),
        ({"time_limit": 50_000}, "60 to 32400"),
        ({"time_limit": True}, "whole number"),
        ({"private": "yes"}, "true or false"),
        ({"data_sources": {"mnist": "owner/slug"}}, 'list of "owner/slug"'),
        ({"data_sources": {"mnist": ["slug"]}}, 'list of "owner/slug"'),
        ({"colour": "red"}, "colour unknown"),
    ],
)
def test_what_the_service_would_refuse_is_refused_here(changes, said):
    with pytest.raises(KernelError, match=said):
        parse(**changes)


def test_a_missing_key_is_named_with_all_keys():
    with pytest.raises(KernelError, match=r"slug missing\. The keys are: slug, title"):
        spec.parse({key: value for key, value in GOOD.items() if key != "slug"}, framework="torch", where="it")


def test_a_data_set_without_source_says_where_to_add_one():
    assert parse().sources("mnist") == ["owner/slug"]
    with pytest.raises(KernelError, match=r"kmnist.*\n.*\[data_sources\]"):
        parse().sources("kmnist")


def test_a_slug_from_the_command_line_brings_its_title():
    assert spec.load("torch", slug="my-own-digits").title == "my own digits"
    with pytest.raises(KernelError, match="5 to 50"):
        spec.load("torch", slug="abc")


def test_an_unknown_framework_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match=r"there are: .*torch"):
        spec.load("jax")


def test_a_broken_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "kernels", lambda: tmp_path)
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "kernel.toml").write_text("slug = ")
    with pytest.raises(KernelError, match=r"kernel\.toml cannot be read"):
        spec.load("torch")
