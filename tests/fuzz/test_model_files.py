"""Whatever bytes of a model file are changed: a network that runs, or a line; and neither stream gets a word."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.core import workspace
from local.runtimes import loading
from tests.fuzz.malformed import told

IMAGES = np.zeros((3, 28, 28), np.uint8)
# Where, what, and how many bytes it takes the place of.
edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=4
)


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx", "model.int8.tflite"])
@given(edits=edits)
def test_a_changed_model_file_runs_or_is_refused_soon_and_quietly(name, edits, tmp_path_factory, capfd):
    content = bytearray((workspace.CHECKOUT / "models" / "lite" / name).read_bytes())
    for place, new, old in edits:
        at = int(place * len(content))
        content[at : at + old] = new
    path = tmp_path_factory.getbasetemp() / f"changed-{name}"
    path.write_bytes(content)
    start = time.monotonic()
    with told():
        loading.load(path).logits(IMAGES)
    assert time.monotonic() - start < 5
    assert capfd.readouterr() == ("", "")
