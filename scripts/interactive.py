"""`k2l interactive`, or `k2l` alone on a terminal: a menu that teaches the command line.

Every choice ends in a plain command, which is shown, and run as if it had been typed. Ctrl-C ends a command and comes
back to the menu; in the menu it leaves. Esc, or Back, gives up the question.
"""

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from scripts.terminal.ask import BACK, MenuChoice, forget_typed, on_terminal, select, text
from scripts.terminal.edge import INTERRUPTED, run
from scripts.terminal.output import say

FRAMEWORKS = (MenuChoice("torch", "PyTorch"), MenuChoice("keras", "TensorFlow / Keras 3"))
PLACES = (
    MenuChoice("here", "here, on this processor"),
    MenuChoice("emulator", "on the emulator: the trip to Kaggle, rehearsed on this machine"),
    MenuChoice("kaggle", "on Kaggle's free GPU, with an account there"),
)
LENGTHS = (
    MenuChoice("1", "one epoch: a first look"),
    MenuChoice("", "as many epochs as the recipe takes"),
)
DATA_SETS = {
    "mnist": "MNIST: 70,000 digits",
    "fashion-mnist": "Fashion-MNIST: clothes, harder",
    "digits": "1,797 small digits that come with scikit-learn: seconds",
}
RECOMMENDED = "compact"
FIRST = (
    MenuChoice("train", "Train a network"),
    MenuChoice("use", "Use one that is here already"),
    MenuChoice("runs", "See the state of my runs"),
    MenuChoice("doctor", "See what this machine has and what is missing"),
    MenuChoice("quit", "Leave"),
)
# What can be done with a model; {0} is its name, {1} the path that is asked for.
THEN = {
    "evaluate": ("Test it on the test images", "evaluate {0} --all", ""),
    "predict": ("Let it read a picture", "predict {1} --model {0}", "Which picture?"),
    "explain": ("See how it came to its answer", "explain {1} --model {0}", "Which picture, or test:7, misread:1?"),
    "camera": ("Live camera: space stops the picture, a drag round a digit explains it", "camera --model {0}", ""),
    "web": ("Draw for it, in the browser", "web --model {0} --browser", ""),
    "quantize": ("Make it smaller: int8", "quantize {0}", ""),
    "bench": ("Compare its files: how fast is each?", "bench {0}", ""),
    "compare": ("Compare it with the networks of the zoo", "evaluate {0} compact lite", ""),
}
AFTERWARDS = tuple(MenuChoice(key, says) for key, (says, _, _) in THEN.items())


class Back(Exception):
    """A question was left without an answer."""


@dataclass
class Menu:
    """Asks, shows the command, and runs it. Tests replace the asking and the running."""

    choose: Callable[[str, tuple[MenuChoice, ...]], str] = select
    write: Callable[[str], str] = text
    start: Callable[[list[str]], int] = field(default_factory=lambda: carry_out)

    def run(self) -> None:
        """Until the user leaves."""
        while (first := self.choose("What would you like to do?", FIRST)) != "quit":
            with suppress(Back):
                if first in ("runs", "doctor"):
                    self.start([first])
                elif name := self.trained() if first == "train" else self.ask("Which one?", present()):
                    self.use(name)

    def ask(self, question: str, choices: tuple[MenuChoice, ...]) -> str:
        """The chosen one. Raises Back if there is none."""
        if (answer := self.choose(question, (*choices, BACK))) == BACK.key:
            raise Back
        return answer

    def trained(self) -> str:
        """Trains what is chosen; returns the model's name, "" if it did not complete."""
        from local.models.registry import usual_name

        framework = self.ask("Which framework?", FRAMEWORKS)
        place = self.ask("Where to train?", PLACES)
        network = self.ask("Which network?", networks())
        data = self.ask("Which data?", data_sets())
        epochs = "" if data == "digits" else self.ask("How long?", LENGTHS)  # one epoch of so few teaches nothing
        name = usual_name(network, framework)
        words = ["--architecture", network, "--framework", framework, "--dataset", data, "--name", name]
        words += ["--epochs", epochs] if epochs else []
        done = self.start(["train", *words] if place == "here" else ["loop", "--remote", place, *words])
        return "" if done else name

    def use(self, name: str) -> None:
        """One thing after the other with a model, until Back."""
        while True:
            _, command, question = THEN[self.ask(f"What now, with {name}?", afterwards(name))]
            asked = as_path(self.write(question)) if question else ""
            if asked or not question:
                self.start([word.format(name, asked) for word in command.split()])


def networks() -> tuple[MenuChoice, ...]:
    """The networks, the recommended one and then the smallest first, with the time of the zoo's training."""
    from local.models import published
    from shared.networks.architectures import ARCHITECTURES

    took = {stated.architecture: published.figures(stated).seconds for stated in published.published()}
    known = sorted(ARCHITECTURES.values(), key=lambda one: (one.name != RECOMMENDED, one.parameters))

    def says(name: str, parameters: int) -> str:
        time = f", {duration(took[name])}" if name in took else ""
        return f"{name}: {parameters:,} parameters{time}" + "; a good first one" * (name == RECOMMENDED)

    return tuple(MenuChoice(one.name, says(one.name, one.parameters)) for one in known)


def duration(seconds: float) -> str:
    """About how long a training on MNIST takes."""
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def afterwards(name: str) -> tuple[MenuChoice, ...]:
    """What can be done with a model; a comparison needs its data set."""
    from local.models import registry
    from shared.core import manifest
    from shared.core.errors import ModelError

    try:
        comparable = here(manifest.read(registry.folder(name)).dataset)
    except ModelError:
        comparable = False
    return tuple(choice for choice in AFTERWARDS if comparable or choice.key != "compare")


def data_sets() -> tuple[MenuChoice, ...]:
    """The data sets; those whose files are not here are marked."""
    return tuple(
        MenuChoice(name, says + ("" if here(name) else " (not here: fetched first)"))
        for name, says in DATA_SETS.items()
    )


def here(name: str) -> bool:
    """Whether a data set needs no download."""
    from shared.core.errors import DataError
    from shared.data.datasets import locate
    from shared.data.registry import DATASETS

    try:
        info = DATASETS.get(name)
        return info is not None and (info.embedded or locate(info.source) is not None)
    except DataError:
        return False


def as_path(typed: str) -> str:
    """A path that was typed, or dragged into the terminal: without its quotes, ~ expanded."""
    plain = typed.strip().strip("'\"").replace("\\ ", " ")
    return str(Path(plain).expanduser()) if plain.startswith("~") else plain


def present() -> tuple[MenuChoice, ...]:
    """The models that are here: those that were trained, and the zoo's."""
    from local.models import registry

    return tuple(MenuChoice(name, name) for name in registry.names())


def carry_out(words: list[str]) -> int:
    """Shows the command and runs it; returns its exit code. Ctrl-C is for the command; then the menu continues."""
    say("", f"$ k2l {shlex.join(words)}")
    before = signal.signal(signal.SIGINT, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited
    try:
        done = subprocess.run(
            [sys.executable, "-m", "scripts", *words], stdin=None if on_terminal() else subprocess.DEVNULL, check=False
        )
    finally:
        signal.signal(signal.SIGINT, before)
        if on_terminal():
            forget_typed()
    if done.returncode == INTERRUPTED or done.returncode < 0:  # below 0: stopped by a signal
        say("that was interrupted; back in the menu")
    elif done.returncode:
        say(f"that ended with exit {done.returncode}: the line above says why")
    return done.returncode


def interactive() -> None:
    """A menu: train, test, quantize, compare.

    Arrow keys on a terminal, numbers on a pipe. Each choice shows the plain command it runs.

    Example: k2l interactive
    """
    Menu().run()


if __name__ == "__main__":
    run(interactive)
