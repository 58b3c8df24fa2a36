"""What others wrote (names of files, a server's words, a manifest) rules no terminal, breaks no line, is no formula."""

import contextlib
import csv
import json
import logging
import os
import pty
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from local.core import workspace
from scripts.terminal import logs
from scripts.terminal.tables import listing, table
from shared.core import printable

PICTURE = workspace.CHECKOUT / "tests" / "data" / "pictures" / "7-light.png"
NAMES = ("=cmd().png", "[red]x.png", "a\x1b[31m\nerror: all is lost.png", "b\udcff.png", "rtl\u202egnp.png", "\t@x.png")
SHOWN = (
    "=cmd().png",
    "[red]x.png",
    r"a\x1b[31m\nerror: all is lost.png",
    r"b\udcff.png",
    r"rtl\u202egnp.png",
    r"\t@x.png",
)
RULING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def pictures(stranger, monkeypatch):
    """A folder, which we are in, with a picture under each of the names."""
    for name in NAMES:
        shutil.copy(PICTURE, stranger / name)
    monkeypatch.chdir(stranger)
    return stranger


@pytest.fixture
def server():
    """`server(reason)`: the address of one on loopback that refuses every picture with this reason."""
    with contextlib.ExitStack() as ends:

        def refusing(reason):
            class Refuses(BaseHTTPRequestHandler):
                def do_GET(self):
                    self.wfile.write(b"HTTP/1.0 404 " + reason + b"\r\n\r\n")

                def log_message(self, *words):
                    pass

            http = ends.enter_context(HTTPServer(("127.0.0.1", 0), Refuses))
            threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            ends.callback(http.shutdown)
            return f"http://127.0.0.1:{http.server_port}/x.jpg"

        yield refusing


def predict(k2l, *words):
    return k2l("predict", *words, "--model", str(workspace.zoo() / "lite"))


def test_names_stay_on_their_lines(k2l, pictures):
    code, out, err = predict(k2l, *NAMES)
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"{name}: 7 (100.0%)" for name in SHOWN]


def test_names_in_errors_stay_on_their_lines(k2l, pictures):
    for name in NAMES:
        (pictures / name).write_text("no picture")
    code, out, err = predict(k2l, *NAMES)
    assert (code, out) == (1, "")
    assert [line.partition(": not a picture")[0] for line in err.splitlines()] == [f"error: {name}" for name in SHOWN]


def test_a_name_that_does_not_exist_stays_on_its_line(k2l, pictures):
    word = "/dev/null/a\nerror: y\x1b[2J"
    for words in (
        ["predict", str(PICTURE), f"--save-crops={word}"],
        ["predict", "x.png", f"--{word}"],
        [word],
    ):
        code, _, err = k2l(*words)
        assert code and r"\x1b[2J" in err and not RULING.search(err) and "\nerror: y" not in err


def test_a_spreadsheet_gets_text_and_numbers_and_no_formula(k2l, pictures):
    _, out, _ = predict(k2l, *NAMES, "--csv")
    rows = list(csv.DictReader(out.splitlines()))
    assert [row["file"] for row in rows] == ["'=cmd().png", *SHOWN[1:]]
    assert {float(row["confidence"]) for row in rows} == {0.999997}


def test_json_says_exactly_what_there_is_in_characters_that_rule_nothing(k2l, pictures):
    _, out, _ = predict(k2l, *NAMES, "--json")
    assert [json.loads(line)["file"] for line in out.splitlines()] == list(NAMES)
    assert not RULING.search(out)


def test_a_terminal_gets_no_escape_of_theirs(pictures, launch):
    ours, theirs = pty.openpty()
    try:
        words = ("-m", "scripts", "predict", *NAMES, "--model", "lite")
        process = launch(*words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=pictures, env=environment())
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # Linux's way of saying that the other side is closed
            while piece := os.read(ours, 1 << 16):
                seen += piece
        assert process.wait(30) == 0
    finally:
        os.close(ours)
    assert b"\x1b[31m" not in seen and "\u202e".encode() not in seen
    assert all(f"{name}: 7 (100.0%)\r\n".encode() in seen for name in SHOWN)


def environment():
    """Ours, with the checkout on Python's path."""
    return {**os.environ, "PYTHONPATH": str(workspace.CHECKOUT)}


@pytest.mark.parametrize("reason", [b"\x1b[2J\x9b2J gone", b"gone\x1b]0;title\x07", b"x" * 9000])
def test_a_servers_reason_is_one_plain_line(k2l, stranger, server, reason):
    code, out, err = predict(k2l, address := server(reason))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"error: {address}: could not be fetched: ") and not RULING.search(err) and len(err) < 700


def test_cells_of_tables_and_lists_are_one_line_each(capsys):
    table(["a"], [["x\x1b[2J\ny\tz"]])
    listing({"a": str, "b": lambda row: "[red]"}, ["x\ty\nz"])
    out = capsys.readouterr().out
    assert r"x\x1b[2J\ny\tz" in out and out.endswith("x\\ty\\nz\t[red]\n")


def test_what_the_library_logs_rules_no_terminal(capsys):
    logs.configure(1)
    try:
        logging.getLogger("local.x").info("a\x1b[2Jb\rc")
    finally:
        logs.quiet()
    assert capsys.readouterr().err.endswith("local.x: a\\x1b[2Jb\\rc\n")


def test_a_log_keeps_its_colours_and_each_ends_with_its_line():
    assert printable.log("\x1b[31mred\nx\x1b[0m\x1b[2J\r\u202e") == "\x1b[31mred\x1b[0m\nx\x1b[0m[2J"


@pytest.mark.parametrize("text", ["-0.5", "+1", "1e-3", "", "a=b", "7"])
def test_numbers_and_plain_words_stay_as_they_are_in_a_cell(text):
    assert printable.cell(text) == text


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@sum(1)"])
def test_a_cell_that_would_be_a_formula_is_text(text):
    assert printable.cell(text) == f"'{text}"
