"""A verb as a command of the command line; wrong usage is answered with what was probably meant."""

import difflib
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand

HELP = {"help_option_names": ["--help", "-h"]}
UsageError: Any = typer.BadParameter.__base__  # in which module it lies differs from typer to typer


def command_of(verb: Callable[..., object]) -> Any:
    """The command of a verb's function."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(cls=Verb, context_settings=HELP)(verb)
    return typer.main.get_command(app)


class Verb(TyperCommand):
    """A command that says what was probably meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = tuple(args)  # parsing uses them up
        with hinted(lambda error: _share(error) or _option(self.params, ctx, words)):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        from scripts._training import tell_recovered

        tell_recovered()
        return super().invoke(ctx)


@contextmanager
def hinted(hint: Callable[[Any], str]) -> Iterator[None]:
    """Wrong usage inside is reported together with the hint."""
    try:
        yield
    except UsageError as error:
        if said := hint(error):
            error.message = f"{error.message.rstrip('.')}. {said}"
        raise


def closest(word: str, known: Collection[str]) -> str:
    """Which of these was meant, as a question; "" where none is near."""
    return "".join(f"Did you mean {near}?" for near in difflib.get_close_matches(word, known, n=1))


def _share(error: Any) -> str:
    """Of what ends at 1, percent may have been given."""
    kind = getattr(getattr(error, "param", None), "type", None)
    return "Write 95 % as 0.95." if getattr(kind, "max", None) == 1 else ""


def _option(options: Sequence[Any], ctx: Any, words: Sequence[str]) -> str:
    """The option that belongs before a word that stands alone."""
    alone = [word for before, word in itertools.pairwise(("", *words)) if not before.startswith("-")]
    for word, option in itertools.product(alone, options):
        offered = option.shell_complete(ctx, word) if option.param_type_name == "option" else ()
        if word in [one.value for one in offered if one.type == "plain"]:
            return f"Did you mean {option.opts[0]} {word}?"
    return ""
