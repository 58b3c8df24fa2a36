"""`python -m scripts VERB …`, installed as `k2l VERB …`; alone, the menu on a terminal, else the list of verbs."""

import importlib
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scripts._edge import guarded, show
from scripts._settings import defaults

VERBS = (
    "loop", "push", "watch", "pull", "runs", "log", "cancel", "quota", "bundle", "emulator",
    "data", "train", "compare", "sweep",
    "models", "evaluate", "export", "quantize", "bench", "race", "report",
    "predict", "explain", "camera", "web", "interactive", "doctor",
)  # fmt: skip


class Verbs(TyperGroup):
    """Looks a verb up in `scripts/VERB.py` when it is asked for, so that each starts with its own imports alone."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        verb = getattr(importlib.import_module(f"scripts.{cmd_name}"), cmd_name)
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        app.command(name=cmd_name)(verb)
        return typer.main.get_command(app)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name and command:
            ctx.default_map = {name: defaults(name, command)}
        return name, command, rest


EXIT_CODES = "Exit codes: 0 done, 1 an error that the message says how to mend, 2 wrong usage, 130 interrupted."

app = typer.Typer(cls=Verbs, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


def _version(asked: bool) -> None:
    """Prints which k2l this is, and ends."""
    if not asked:
        return
    from local import distribution

    commit = distribution.commit()
    show(f"k2l {distribution.version()}" + (f" (commit {commit})" if commit else ""))
    raise typer.Exit


@app.callback(epilog=EXIT_CODES)
def k2l(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show which version this is.")
    ] = False,
) -> None:
    """Edit here, train on Kaggle's free GPU, run on your own CPU."""


def main() -> None:
    """The `k2l` command."""
    # A shell that asks for completions has no more words on its command line than one who wants the menu.
    alone = len(sys.argv) == 1 and "_K2L_COMPLETE" not in os.environ
    if alone and sys.stdin.isatty() and sys.stdout.isatty():
        sys.argv.append("interactive")
    color = False if os.environ.get("NO_COLOR") else None  # rich asks by itself, typer does not
    guarded(lambda: app(prog_name="k2l", color=color))


if __name__ == "__main__":
    main()
