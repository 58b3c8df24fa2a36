"""The verbs and the options' panels in the groups of the help, and how `k2l` is called on this machine."""

import itertools
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

GROUPS = {
    "The trip to Kaggle": (
        "loop", "push", "watch", "pull", "runs", "log", "cancel", "quota", "publish", "bundle", "emulator",
    ),
    "Training here": ("data", "train", "compare", "sweep"),
    "Looking closely": ("models", "evaluate", "export", "quantize", "bench", "race", "report"),
    "Reading digits": ("predict", "explain", "camera", "web"),
    "This machine": ("interactive", "doctor"),
}  # fmt: skip
OPTIONS, TRAINING, KAGGLE, OUTPUT = PANELS = ("Options", "Training", "Kaggle", "Output")  # of a verb's help
WORKSPACE = "--workspace"  # the option that all verbs have, see `usage`
VERBS = tuple(itertools.chain.from_iterable(GROUPS.values()))

# A command in a sentence; `web`'s own address line is not one.
_COMMAND = re.compile(rf"\bk2l (?=(?:{'|'.join(VERBS)})\b(?!: http))")


def pasteable(text: str) -> str:
    """The text with each `k2l VERB` as the user can type it here, with the workspace of this command line."""
    folder = "" if WORKSPACE in text else workspace_of(sys.argv[1:])
    where = f"{WORKSPACE} {shlex.quote(folder)} " if folder else ""
    return _COMMAND.sub(lambda _: f"{program()} {where}", text) if "k2l " in text else text


def program() -> str:
    """How to call `k2l`: by its name, or, if not on PATH, by its path beside this Python, or with `-m scripts`."""
    if shutil.which("k2l"):
        return "k2l"
    beside = shutil.which("k2l", path=str(Path(sys.executable).parent))
    return shlex.quote(_short(beside)) if beside else f"{shlex.quote(_short(sys.executable))} -m scripts"


def workspace_of(words: Sequence[str]) -> str:
    """The workspace of a command line, "" for none. k2l.toml is there, and is read before the options."""
    for word, after in itertools.pairwise([*words, ""]):
        name, sign, value = word.partition("=")
        if word == "--":
            break
        if name == WORKSPACE:
            return value if sign else after
    return ""


def _short(path: str) -> str:
    """Relative, if it is below the current folder."""
    return str(Path(path).relative_to(Path.cwd())) if Path(path).is_relative_to(Path.cwd()) else path


def again(*more: str, without: str = "") -> str:
    """The running command line, to type again with more or fewer words."""
    program = Path(sys.argv[0]).stem  # the verb's file, if it was run directly
    words = sys.argv[1:] if program in ("k2l", "__main__") else [program, *sys.argv[1:]]
    return shlex.join(
        ["k2l", *(word for word in words if word != without), *(word for word in more if word not in words)]
    )
