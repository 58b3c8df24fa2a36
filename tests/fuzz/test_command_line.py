"""Whatever is typed behind `k2l`: exit code 0, 1 or 2, words instead of a traceback, nothing written elsewhere.

What takes long ends where it would begin, and nothing here reaches any other process or machine.
"""

import json
import shutil
import socket
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.core import workspace
from scripts.__main__ import VERBS, Verbs, main
from shared.core import printable
from tests.fuzz.malformed import DEEP

# Where each verb's work begins, once everything that was typed has been looked at.
LONG = (
    "local.experiments.train.train", "local.experiments.seeds.trained", "local.experiments.compare.trained",
    "local.experiments.race.race", "local.sweep.search.search", "local.evaluation.evaluate.evaluate_all",
    "local.evaluation.benchmark.bench", "local.export.export.export", "local.export.quantize.quantize",
    "local.models.registry.open_runtime", "local.apps.camera.capture.open_feed", "local.emulator.daemon.ensure",
    "local.emulator.serving.Running", "local.zoo.pages.write", "local.zoo.build.publish", "local.zoo.build.measure",
    "local.apps.web.serving.Serving", "shared.data.download.fetched",
)  # fmt: skip
WORDS = (
    "", " ", "-", "=", ":", ",", ",,", "0", "1", "-1", "1.5", "1e400", "nan", "inf", "１", "²", "0x10", "1_000",
    "9" * 30, "9" * 5000, "a" * 300, "é", "\udcff", "a\nb", "\x1b[2J", "{}", "{0.x}", "%s", "*", "[", "**/*", "[[]",
    "..", "../evil", "torch", "keras", "torch,keras", "mnist", "digits", "camera", "auto", "kaggle", "emulator",
    "plain", "compact", "lite",
    "lite@0.5", "lite@", "lite@nan", "lite@9e9", "lite@-1", "lite@" + "9" * 5000, "ds_cnn_v1,lite", "4xlite:plain:3",
    "0xlite", "9" * 30 + "xlite", "lite:plain:" + "9" * 5000, "1,256", "0,1", "1,", "test", "validation", "onnx,tflite",
    "epochs=3", "epochs=", "epochs=１", "epochs=" + "9" * 5000, "learning_rate=nan", "learning_rate=1e400", "=3",
    "seed=1:9", "learning_rate=1e-3:3e-2:log", "learning_rate=0:1:log", "rotation=0:20:5", "rotation=0:20:0",
    "rotation=nan:1", "rotation=0:1:nan", "rotation=0:1:1e-400", "batch_size=1,2,x", "batch_size=1:" + "9" * 400,
    "width=0:1", "width=1e-9:2", "beta1=0:0.5:0.1", "architecture=lite", "optimizer=adam,adam", "loss", "r1",
    "file", "file/under", "folder", "folder/new", "binary", "deep.json", "notebook.json", "missing.png", "chart.png",
    "http://[", "redis://u:secret@[", "sqlite://", "nosuch://x", "lite:plain:３",
)  # fmt: skip
typed = st.sampled_from(WORDS) | st.text(st.characters(exclude_characters="\0/\\", codec="utf-8"), max_size=12)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder to work in, and a home with one model."""
    folder = tmp_path_factory.mktemp("command-line")
    (folder / "work" / "here").mkdir(parents=True)
    (folder / "outside").write_text("as it was")
    shutil.copytree(workspace.CHECKOUT / "models" / "lite", folder / "k2l" / "models" / "lite")
    return folder


def furnish(work):
    """The few files there are, whatever the command before has made of them."""
    for path in work.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (work / "folder").mkdir()
    (work / "file").write_text("text\n")
    (work / "binary").write_bytes(b"\xff\xfe\0\x80")
    (work / "deep.json").write_text("[" * DEEP)
    (work / "notebook.json").write_text(json.dumps({"cells": [{"metadata": 1}, None], "metadata": {}}))


@pytest.fixture
def k2l(place, monkeypatch, capsys):
    """`k2l("push", …)`: exit code and stderr of one command, in this process."""

    def begun(*_, **__):
        raise SystemExit(0)

    def refused(*_, **__):
        raise OSError("nothing is reached from here")

    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR", "K2L_MODEL", "K2L_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("K2L_HOME", str(place / "k2l"))
    monkeypatch.chdir(place / "work" / "here")  # so that `--out=../evil` is still in work/
    monkeypatch.setattr(workspace, "zoo", lambda: place / "zoo")
    for name in LONG:
        monkeypatch.setattr(name, begun)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(subprocess, "Popen", refused)

    def run(*words):
        furnish(place / "work" / "here")
        monkeypatch.setattr(sys, "argv", ["k2l", *words])
        sys.stderr.reconfigure(errors="backslashreplace")  # as Python has it where nobody captures it
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capsys.readouterr().err

    return run


def options_of(verb):
    """The options of a verb, each with whether a value comes behind it; and whether it has arguments."""
    params = Verbs().get_command(None, verb).params
    options = [(name, not one.is_flag) for one in params if one.param_type_name == "option" for name in one.opts]
    return options or [("--help", False)], any(one.param_type_name == "argument" for one in params)


@st.composite
def commands(draw, verb):
    """A command line of that verb: some of its options, with values that may or may not do."""
    options, has_arguments = options_of(verb)
    words = []
    # One wrong word hides those behind it: as a rule there is one.
    for name, has_value in draw(st.lists(st.sampled_from(options), max_size=draw(st.sampled_from([1, 1, 1, 4])))):
        words += [f"{name}={draw(typed)}"] if has_value else [name]
    arguments = st.just(["lite"]) | st.lists(typed.filter(lambda word: word != "-"), max_size=2)
    return words + draw(arguments) * has_arguments


@pytest.mark.parametrize("verb", VERBS)
@settings(max_examples=settings().max_examples // 8)
@given(data=st.data())
def test_any_options_end_in_words(place, k2l, verb, data):
    words = data.draw(commands(verb))
    check(place, *k2l(verb, *words))


def check(place, code, err):
    """The command ended in words, and wrote where it may."""
    assert code in (0, 1, 2), err
    assert "Traceback" not in err
    assert printable.lines(err) == err  # nothing in it rules a terminal
    assert code != 1 or "error: " in err
    assert {path.name for path in place.iterdir()} <= {"work", "k2l", "outside"}
    assert {path.name for path in (place / "k2l").iterdir()} <= {"models", "build", "data", ".k2l"}
    assert [path.name for path in (place / "k2l" / "models").iterdir()] == ["lite"]
    assert (place / "outside").read_text() == "as it was"


@given(st.lists(typed, max_size=3))
def test_any_words_end_in_words(place, k2l, words):
    check(place, *k2l(*words))


@pytest.mark.parametrize(
    "line",
    [
        "data --data-dir={0.x}",
        "race --contestants=lite:plain:" + "9" * 5000,
        "sweep --storage=redis://u:secret@[",
        "bundle --check=binary",
        "bundle --check=deep.json",
        "bundle --check=notebook.json",
    ],
)
def test_a_line_that_once_ended_in_a_traceback_ends_in_words(place, k2l, line):
    code, err = k2l(*line.split())
    check(place, code, err)
    assert "secret" not in err
