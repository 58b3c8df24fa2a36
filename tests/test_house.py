"""The rooms of the house: small, named, and imported one way. `python -m tests.house` prints them."""

import ast

import pytest

from tests import house

MOST = 12  # files a room; `scripts` has one a verb
PLAN = house.rooms()
# Rooms that know nothing of these others, however the graph may grow.
APART = {
    "shared.training": ("local",),
    "local.emulator": ("local.kaggle_api", "local.jobs", "local.publishing", "local.runs", "local.models"),
    "local.kaggle_api": ("local.jobs", "local.runs", "local.emulator", "local.models"),
    "local.runtimes": ("local.jobs", "local.kaggle_api", "local.models"),
    "local.digits": ("local.jobs", "local.kaggle_api", "local.apps"),
    "local.experiments": ("local.jobs", "local.kaggle_api", "local.sweep"),
    "local.evaluation": ("local.jobs", "local.kaggle_api", "local.digits"),
}


def test_no_cycle_of_files_or_rooms():
    assert house.cycle(house.files()) == []
    assert house.cycle(PLAN) == []


@pytest.mark.parametrize("room", sorted(set(PLAN) - {"scripts"}))
def test_a_room_is_small_and_says_what_it_is_for(room):
    assert len(house.inside(room)) <= MOST, [path.name for path in house.inside(room)]
    text = ast.get_docstring(ast.parse((house.ROOT / room.replace(".", "/") / "__init__.py").read_text("utf-8")))
    assert text and text.split("\n")[0].endswith((".", ":"))


@pytest.mark.parametrize("room", APART)
def test_what_a_room_must_not_know(room):
    below = {name: imported for name, imported in PLAN.items() if name == room or name.startswith(f"{room}.")}
    for name, imported in below.items():
        assert not [one for one in imported if one.startswith(APART[room])], name


def test_a_cycle_would_be_found():
    assert set(house.cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    assert house.floors({"a": {"b"}, "b": set(), "c": {"a", "b"}}) == {"b": 1, "a": 2, "c": 3}
