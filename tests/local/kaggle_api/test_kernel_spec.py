"""kernel.toml is checked before anything leaves, by the service's own rules."""

import dataclasses

import pytest

from local.core import workspace
from local.kaggle_api import kernel_spec
from shared.core.errors import ConfigError, KernelError
from shared.data.registry import DATASETS

GOOD = {
    "slug": "k2l-torch", "title": "K2L torch", "accelerator": "NvidiaTeslaT4", "time_limit": 3600,
    "data_sources": {"mnist": ["owner/slug"], "digits": []},
}  # fmt: skip


def parse(**changes):
    return kernel_spec.parse({**GOOD, **changes}, framework="torch", where="kernel.toml")


@pytest.mark.parametrize("framework", sorted(path.parent.name for path in workspace.kernels().glob("*/kernel.toml")))
def test_the_kernels_that_are_shipped_are_good(framework):
    assert kernel_spec.load(framework).framework == framework


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
        ({"accelerator": "Nvidia T4\n"}, "is not a name"),
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


@pytest.mark.parametrize("left_out", ["", "none", "None", "CPU"])
def test_an_accelerator_that_is_left_out_is_a_cpu(left_out):
    assert (parse(accelerator=left_out).accelerator, kernel_spec.doubts(parse(accelerator=left_out))) == ("none", [])
    table = {key: value for key, value in GOOD.items() if key != "accelerator"}
    assert kernel_spec.parse(table, framework="torch", where="it").accelerator == "none"


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("NvidiaTeslaT4", "GPU", ""),
        ("NvidiaRtx9000", "GPU", "new to k2l"),
        ("nvidiateslat4", "GPU", "Did you mean NvidiaTeslaT4?"),
        ("TpuV7E8", "TPU", "passed on"),
        ("Cerebras3", "GPU", "passed on"),
    ],
)
def test_a_new_accelerator_is_passed_on_with_a_warning(name, kind, said):
    one = parse(accelerator=name)
    assert (one.accelerator, kernel_spec.session_kind(name)) == (name, kind)
    assert [said in doubt for doubt in kernel_spec.doubts(one)] == [True] * bool(said)


def test_a_slug_that_begins_with_a_digit_is_passed_on_with_a_warning():
    (doubt,) = kernel_spec.doubts(parse(slug="2nd-torch", title="2nd torch"))
    assert "begins with a digit" in doubt and "Notebook not found" in doubt


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr(workspace, "kernels", lambda: tmp_path)
    (tmp_path / "torch").mkdir()
    lines = 'slug = "k2l-torch"\ntitle = "K2L torch"\ntime_limit = 3600\n[data_sources]\n'
    (tmp_path / "torch" / "kernel.toml").write_text(lines, encoding=encoding)
    assert kernel_spec.load("torch").slug == "k2l-torch"


def test_a_missing_key_is_named_with_all_keys():
    with pytest.raises(KernelError, match=r"slug missing\. The keys are: slug, title"):
        kernel_spec.parse({key: value for key, value in GOOD.items() if key != "slug"}, framework="torch", where="it")


def test_a_data_set_without_source_says_where_to_add_one(monkeypatch):
    assert parse().sources("mnist") == ["owner/slug"]
    monkeypatch.setitem(DATASETS, "kmnist", dataclasses.replace(DATASETS["kmnist"], kaggle_ref=""))
    with pytest.raises(KernelError, match=r"kmnist.*\n.*\[data_sources\]"):
        parse().sources("kmnist")
    assert parse(data_sources={"kmnist": ["me/mine"]}).sources("kmnist") == ["me/mine"]


def test_a_slug_from_the_command_line_brings_its_title():
    assert kernel_spec.load("torch", slug="my-own-digits").title == "my own digits"
    with pytest.raises(KernelError, match="5 to 50"):
        kernel_spec.load("torch", slug="abc")


def test_an_unknown_framework_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match=r"there are: .*torch"):
        kernel_spec.load("jax")


def test_a_broken_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "kernels", lambda: tmp_path)
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "kernel.toml").write_text("slug = ")
    with pytest.raises(KernelError, match=r"kernel\.toml cannot be read"):
        kernel_spec.load("torch")
