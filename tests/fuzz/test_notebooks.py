"""Whatever is taken for a notebook of ours: its bundle's sha256, or a line."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from local.jobs import bundle
from local.kaggle_api import kernel_spec
from tests.fuzz.malformed import DEEP, json_values, mutated, told
from tests.local import trips

SIGNED = bundle.pack(kernel_spec.load("torch"), name=trips.NAME, config=trips.CONFIG).sign(
    run_id="r1", source_commit="c"
)
GOOD = json.loads(SIGNED)
SMALL = GOOD | {"cells": [cell for cell in GOOD["cells"] if cell["metadata"].get("tags")]}


def parameterized(source):
    """The small notebook with this for its parameters."""
    cells = [cell | {"source": source} if "parameters" in cell["metadata"]["tags"] else cell for cell in SMALL["cells"]]
    return SMALL | {"cells": cells}


def digested(data):
    with told():
        assert len(bundle.digest(data)) == 64


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
@example(SIGNED.encode())
@example(b"[" * DEEP)
@example(b"\xff\xfe")
@example(b'{"cells": [{"metadata": 1}], "metadata": {}}')
def test_any_bytes_are_told(data):
    digested(data)


@given(mutated(SMALL))
@example({key: value for key, value in SMALL.items() if key != "metadata"})
@example(SMALL | {"metadata": {"a": "\ud800"}})
def test_a_good_notebook_with_a_part_changed_is_told(value):
    digested(json.dumps(value))


@given(st.text(max_size=60) | st.builds("{} = {}".format, st.sampled_from(["a", "run_id"]), st.text(max_size=20)))
@example("a = " + "(" * DEEP)
@example("a = " + "-" * 100_000 + "1")
@example("a = " + "9" * DEEP)
@example("a = __import__('os')")
@example("a = '\ud800'")
@example("\0")
def test_any_parameters_are_told(source):
    digested(json.dumps(parameterized(source)))
