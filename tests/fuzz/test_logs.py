"""Whatever a service takes for a log: text that can be kept and shown, in time that grows with its length alone."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.kaggle_api import http
from local.runs import cell_error
from tests.fuzz.malformed import DEEP, anything, json_values, mutated

RECORDS = [{"stream_name": "stdout", "time": 0.5, "data": "epoch 1\n"}, {"data": "ValueError: no ink\n"}]
MANY = 1_000_000  # characters
LONG = {
    "one word": "a" * MANY,
    "dots": "a." * (MANY // 2),
    "nearly an error": "a.Erro" * (MANY // 6),
    "nearly an error a line": "a.b.Erro\n" * (MANY // 9),
    "an error a line": "Error\n" * (MANY // 6),
    "errors in one line": "Error" * (MANY // 5),
    "colours": "\x1b[0m" * (MANY // 4),
    "a colour that never ends": "\x1b[" + "0;" * (MANY // 2),
    "colours that never end": "\x1b[0;" * (MANY // 4),
    "tracebacks": "Traceback (most recent call last):\n" * (MANY // 36),
    "a traceback that never ends": "Traceback (most recent call last):\n" + " x\n" * (MANY // 3),
    "reports": 'Exception encountered at "In [1]":\n' * (MANY // 36),
    "heads in a report": 'Exception encountered at "In [1]":\n'
    + "E Traceback (most recent call last)\n" * (MANY // 36),
    "a report of one line": "An error occurred while executing the following cell" * (MANY // 52),
    "empty lines": "\n" * MANY,
    "blanks": " " * MANY,
    "brackets": "[" * MANY,
    "records": json.dumps([{"data": "line\n"}] * (MANY // 17)),
    "records that never end": json.dumps([{"data": "line\n"}] * (MANY // 17))[:-1],
}


def kept_and_shown(log):
    """The log as it is kept, and the line that is shown of it."""
    text = http.log_text(log)
    text.encode()
    line = cell_error.reason(text, Path("none"))
    assert line and line == line.strip() and line.isprintable() and len(line) < 1000
    return text


WORDS = (
    "Traceback (most recent call last):\n",
    'Exception encountered at "In [1]":\n',
    "E  Traceback (most recent call last)\n",
)
pieces = st.lists(st.sampled_from([*WORDS, "Error", "Exit: ", "a.", "\n", "\r", "\x1b[0m", "\x1b", "é"])).map("".join)


@given(anything | st.text() | pieces)
@example("ValueError: \x1b]0;title\x07 \r gone")
@example("\ud800")
@example("Error\x85\u2028" * 1000)
@example("[" * DEEP)
def test_any_text_is_a_log(log):
    assert kept_and_shown(log) == log.encode(errors="replace").decode()


@given(json_values | mutated(RECORDS))
@example([{"data": "\ud800"}])
@example([{"data": None}, {"data": {"a": 1}}])
@example([{"data": 10**30}])
@example({"data": "a"})
@example("text")
@example([[]])
@example(None)
def test_any_json_is_a_log(value):
    kept_and_shown(json.dumps(value))


@given(st.integers(0, 120))
def test_records_that_were_cut_short_are_a_log(length):
    kept_and_shown(json.dumps(RECORDS)[:length])


@pytest.mark.parametrize("kind", LONG)
def test_a_long_log_takes_no_longer_than_its_length_asks_for(kind):
    start = time.process_time()
    kept_and_shown(LONG[kind])
    assert time.process_time() - start < 3  # a tenth as a rule; going back and forth it would be hours
