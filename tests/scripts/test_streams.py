"""Streams that are closed, full, or left by their reader: the exit code says how it went, and nothing else is said."""

import shlex
import subprocess
import sys

import pytest

from local.core import workspace

PICTURE = workspace.CHECKOUT / "tests" / "data" / "pictures" / "7-light.png"
MODELS, PREDICT, LOST = "models", f"predict {PICTURE} --model lite", "predict none.png --model lite"
FULL = "error: disk full: standard output. Free some space, or choose another place.\n"


def bash(line):
    """What `k2l …`, typed into a shell with what is behind it, came to; the first program's exit code counts."""
    script = f'k2l() {{ {shlex.quote(sys.executable)} -m scripts "$@"; }}; k2l {line}; exit ${{PIPESTATUS[0]}}'
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=workspace.CHECKOUT, timeout=120)


@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        (f"{MODELS} >&-", 0, ""),
        (f"{MODELS} <&- >&- 2>&-", 0, ""),
        (f"{PREDICT} 2>&-", 0, ""),
        (f"{LOST} >&- 2>&-", 1, ""),
        (f"{LOST} 2>/dev/full", 1, ""),
        ("--help >&-", 0, ""),
        ("--nonsense 2>&-", 2, ""),
        (f"{MODELS} >/dev/full", 1, FULL),
        (f"{MODELS} --json >/dev/full", 1, FULL),
        (f"{PREDICT} --csv >/dev/full", 1, FULL),
        ("--help >/dev/full", 1, FULL),
        (f"{PREDICT} --json --probabilities | true", 1, ""),
    ],
)
def test_a_stream_that_takes_nothing_ends_in_an_exit_code(line, code, err):
    done = bash(line)
    assert (done.returncode, done.stderr) == (code, err)


@pytest.mark.slow
def test_without_stderr_a_training_is_one(stranger):
    done = bash("train --dataset digits --architecture lite --epochs 1 --name x >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (stranger / "k2l" / "models" / "x" / "manifest.json").is_file()


def test_what_a_closed_stream_would_have_taken_goes_into_no_file(stranger):
    done = bash(f"bundle --out {stranger / 'x.ipynb'} >&- 2>&-")
    assert done.returncode == 0
    assert "bytes, sha256" not in (stranger / "x.ipynb").read_text(encoding="utf-8")
