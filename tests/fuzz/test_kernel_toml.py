"""Whatever kernel.toml holds: a spec that Kaggle takes, or a line that says what to mend."""

import datetime
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.core import workspace
from local.kaggle_api import kernel_spec
from shared.core.file_names import safe_name
from tests.fuzz.malformed import DEEP, anything, told
from tests.local import trips

GOOD = {
    "slug": "k2l-torch", "title": "K2L torch", "accelerator": "NvidiaTeslaT4", "time_limit": 3600,
    "keywords": ["digits"], "data_sources": {"mnist": ["owner/slug"], "digits": []}, "private": True, "internet": False,
}  # fmt: skip

scalars = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    anything,
    st.datetimes(),
    st.dates(),
    st.times(),
    st.sampled_from(["k2l-torch", "none", "owner/slug", 10**30]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything, inner, max_size=4), max_leaves=8
)
tables = st.dictionaries(st.sampled_from(sorted(GOOD)) | anything, values, max_size=8)


@pytest.fixture
def kernel_toml(tmp_path, monkeypatch):
    """The file of the one kernel there is."""
    trips.tiny_kernel(tmp_path, monkeypatch)
    return workspace.kernels() / "torch" / "kernel.toml"


def good(one):
    """All that a reader of a spec counts on."""
    texts = [one.slug, one.title, one.accelerator, *one.keywords, *one.data_sources]
    assert all(isinstance(text, str) for text in texts)
    assert all(isinstance(ref, str) for refs in one.data_sources.values() for ref in refs)
    assert type(one.time_limit) is int and type(one.private) is type(one.internet) is bool
    assert set(one.slug) <= {*string.ascii_lowercase, *string.digits, "-"} and safe_name(one.slug)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), values, max_size=3))
@example({"keywords": [1]})
@example({"keywords": [datetime.date(2026, 1, 1)]})
@example({"title": "\r", "slug": "\r"})
@example({"data_sources": {"\n\n": [1]}})
def test_a_table_with_some_values_wrong_is_told(changes):
    with told():
        good(kernel_spec.parse(GOOD | changes, framework="torch", where="kernel.toml"))


@given(tables)
@example({"\n\n": 1})
def test_any_table_is_told(table):
    with told():
        good(kernel_spec.parse(table, framework="torch", where="kernel.toml"))


@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
@example(b"slug = " + b"[" * DEEP)
@example(b"slug = " + b"{a=" * DEEP)
@example(b"a." * DEEP + b"b = 1")
@example(b"time_limit = " + b"9" * DEEP)
@example(b"time_limit = 0x" + b"f" * DEEP)
@example(b"slug = 1979-13-32T99:99:99Z")
@example(b"\xff\xfe")
def test_any_bytes_are_told(kernel_toml, data):
    kernel_toml.write_bytes(data)
    with told():
        good(kernel_spec.load("torch"))


@given(st.binary(max_size=20), st.integers(0, len(trips.TOML)), st.integers(0, 20))
def test_a_good_file_with_some_bytes_changed_is_told(kernel_toml, data, at, cut):
    whole = trips.TOML.encode()
    kernel_toml.write_bytes(whole[:at] + data + whole[at + cut :])
    with told():
        good(kernel_spec.load("torch"))


@given(anything, anything, anything)
@example("k2l-torch", "k2l\ntorch", "none")
def test_any_slug_title_and_accelerator_of_a_command_line_is_told(kernel_toml, slug, title, accelerator):
    kernel_toml.write_text(trips.TOML)
    with told():
        good(kernel_spec.load("torch", slug=slug, title=title, accelerator=accelerator))
