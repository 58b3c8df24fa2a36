"""One question at a time: arrow keys on a terminal, numbers on a pipe.

    key = select("Which framework?", [MenuChoice("torch", "PyTorch"), MenuChoice("keras", "Keras 3")])
    path = text("Which picture?")

Questions go to stderr, so that only a command's results are on stdout. The end of piped input ends the menu.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from scripts.terminal.edge import Ended
from scripts.terminal.output import say
from shared.core import printable

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindings
    from questionary import Question


class MenuChoice(NamedTuple):
    """A choice, and its text."""

    key: str
    says: str


BACK = MenuChoice("back", "Back")  # Esc gives the same


def on_terminal() -> bool:
    """Whether stdin and stderr are an interactive terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def select(question: str, choices: Sequence[MenuChoice]) -> str:
    """The key of the chosen one. Raises Ended at the end of piped input, or after Ctrl-C."""
    return _by_keys(question, choices) if on_terminal() else _by_number(question, choices)


def text(question: str) -> str:
    """A line of text, "" after Esc. Raises Ended as `select` does."""
    if not on_terminal():
        return _line(f"{question} ")
    import questionary

    return str(_answer(questionary.text(question, qmark="", key_bindings=_escape(""), **_look())))


def forget_typed() -> None:
    """Discards what was typed before the question."""
    try:
        import termios
    except ImportError:  # not on this system
        return
    with suppress(termios.error, OSError, ValueError):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def agreed(question: str) -> bool:
    """Whether the answer is yes; Ctrl-C and the end of the input are no."""
    try:
        return typer.confirm(printable.line(question), err=True)
    except typer.Abort:
        say()
        return False


def _by_keys(question: str, choices: Sequence[MenuChoice]) -> str:
    import questionary

    listed = [questionary.Choice(printable.line(choice.says), value=choice.key) for choice in choices]
    asked = questionary.select(question, choices=listed, instruction="(arrows)", qmark="", **_look())
    if BACK in choices:
        from prompt_toolkit.key_binding import merge_key_bindings

        known = asked.application.key_bindings
        asked.application.key_bindings = merge_key_bindings([*([known] if known else []), _escape(BACK.key)])
    return str(_answer(asked))


def _by_number(question: str, choices: Sequence[MenuChoice]) -> str:
    say("", question)
    for number, choice in enumerate(choices, start=1):
        say(f"  {number}  {choice.says}")
    while True:
        answer = _line(f"1 to {len(choices)}: ")
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1].key
        if answer in [choice.key for choice in choices]:
            return answer
        say(f"{answer!r} is not a choice. Give a number from 1 to {len(choices)}.")


def _line(prompt: str) -> str:
    sys.stderr.write(printable.line(prompt))
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise Ended("\nthe input has ended.")
    return line.strip()


def _answer(question: "Question") -> Any:
    try:
        return question.unsafe_ask()
    except KeyboardInterrupt:
        raise Ended("left the menu; nothing is unfinished.") from None


def _escape(answer: str) -> "KeyBindings":
    """Esc answers at once."""
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    keys.add("escape", eager=True)(lambda event: event.app.exit(result=answer))
    return keys


def _look() -> dict[str, Any]:
    """On stderr, in colour only if the terminal allows it."""
    from prompt_toolkit.output import ColorDepth, create_output

    output = create_output(stdout=sys.stderr)
    return {"output": output, **({"color_depth": ColorDepth.DEPTH_1_BIT} if os.environ.get("NO_COLOR") else {})}
