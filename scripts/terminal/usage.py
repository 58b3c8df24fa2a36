"""A verb as a command of the command line; wrong usage is answered with a suggestion.

Every verb has the options `-v` and `--workspace`, so that they work after the verb too. `edge` sets the workspace
before anything else is read.
"""

import difflib
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from scripts.terminal.logs import listening
from scripts.terminal.verbs import OPTIONS, OUTPUT, PANELS, WORKSPACE
from shared.core import printable

_OTHERWISE = re.compile(r"\s*\[default: [^]]*\]")
HELP = {"help_option_names": ["--help", "-h"]}
IN_WORKSPACE = (
    "The folder of models, runs and data. [default: $K2L_HOME, the checkout around this folder, or this folder]"
)
UsageError: Any = typer.BadParameter.__base__  # its module differs between versions of typer


def command_of(verb: Callable[..., object]) -> Any:
    """The command of a verb's function."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(cls=Verb, context_settings=HELP)(verb)
    command = listening(typer.main.get_command(app))
    command.params.append(TyperOption(param_decls=[WORKSPACE], metavar="FOLDER", expose_value=False, help=IN_WORKSPACE))
    return command


class Verb(TyperCommand):
    """A command that suggests corrections, and whose help shows the defaults of `k2l.toml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = tuple(args)  # parsing consumes them
        with hinted(lambda error: _share(error) or _option(self.params, ctx, words)):
            _hide_replaced_defaults(self.params, ctx.default_map or {})
            return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments, then the options in PANELS."""
        panels: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Arguments", *PANELS)}
        for one in self.get_params(ctx):
            if record := one.get_help_record(ctx):
                panels[_panel(one)].append(record)
        for title, records in panels.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def get_help(self, ctx: Any) -> str:
        return printable.lines(super().get_help(ctx))

    def invoke(self, ctx: Any) -> Any:
        from scripts.terminal.recovery import report_recovered

        report_recovered()
        return super().invoke(ctx)


def _panel(parameter: Any) -> str:
    """The panel in the help; `--help` itself has none of its own."""
    if parameter.param_type_name == "argument":
        return "Arguments"
    return OUTPUT if parameter.name == "help" else getattr(parameter, "rich_help_panel", None) or OPTIONS


@contextmanager
def hinted(hint: Callable[[Any], str]) -> Iterator[None]:
    """Wrong usage inside is reported with the hint; quoted text is made safe for the terminal."""
    try:
        yield
    except UsageError as error:
        suggestion = hint(error)
        error.message = printable.line(f"{error.message.rstrip('.')}. {suggestion}" if suggestion else error.message)
        raise


def _hide_replaced_defaults(options: Sequence[Any], settings: Mapping[str, Any]) -> None:
    """Removes the default from the help of each option with another default in the settings, which is shown instead."""
    for option in options:
        if option.name in settings and option.help:
            option.help = _OTHERWISE.sub("", option.help)


def closest(word: str, known: Collection[str]) -> str:
    """A suggestion from the known words, as a question; "" if none is similar."""
    return "".join(f"Did you mean {near}?" for near in difflib.get_close_matches(word, known, n=1))


def _share(error: Any) -> str:
    """A hint for options up to 1, which may have been given in percent."""
    kind = getattr(getattr(error, "param", None), "type", None)
    return "Write 95 % as 0.95." if getattr(kind, "max", None) == 1 else ""


def _option(options: Sequence[Any], ctx: Any, words: Sequence[str]) -> str:
    """The option that is missing before a single word."""
    alone = [word for before, word in itertools.pairwise(("", *words)) if not before.startswith("-")]
    for word, option in itertools.product(alone, options):
        offered = option.shell_complete(ctx, word) if option.param_type_name == "option" else ()
        if word in [one.value for one in offered if one.type == "plain"]:
            return f"Did you mean {option.opts[0]} {word}?"
    return ""
