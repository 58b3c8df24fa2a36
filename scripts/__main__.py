"""`python -m scripts VERB …`, installed as `k2l VERB …`; alone, the menu on a terminal, else the list of verbs."""

import importlib
import os
import sys
from typing import Annotated, Any

try:
    import typer
    from typer.core import TyperGroup
except ModuleNotFoundError:
    raise SystemExit(
        "error: k2l is not installed in this Python: use .venv/bin/k2l, which `make demo` makes."
    ) from None

from scripts.terminal.edge import guarded
from scripts.terminal.logs import Verbose
from scripts.terminal.output import show
from scripts.terminal.settings import defaults
from scripts.terminal.usage import HELP, IN_WORKSPACE, closest, command_of, hinted
from scripts.terminal.verbs import GROUPS, VERBS, WORKSPACE

WIDEST = max(map(len, VERBS))


class Verbs(TyperGroup):
    """Looks a verb up in `scripts/VERB.py` when it is asked for, so that each starts with its own imports alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with hinted(lambda error: ""):
            return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        return command_of(getattr(importlib.import_module(f"scripts.{cmd_name}"), cmd_name))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for title, verbs in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{verb:<{WIDEST}}", self._summary(ctx, verb)) for verb in verbs])

    def _summary(self, ctx: Any, verb: str) -> str:
        return str(self.get_command(ctx, verb).help).partition("\n")[0]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        with hinted(lambda error: closest(args[0], VERBS)):
            name, command, rest = super().resolve_command(ctx, args)
        if name and command:
            ctx.default_map = {name: defaults(name, command)}
        return name, command, rest


EXIT_CODES = "Exit codes: 0 done, 1 an error whose message says how to fix it, 2 wrong usage, 130 interrupted."

app = typer.Typer(
    cls=Verbs, context_settings=HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


def _version(asked: bool) -> None:
    """Prints which k2l this is, and ends."""
    if not asked:
        return
    from local.core import installation

    commit = installation.commit()
    show(f"k2l {installation.version()}" + (f" (commit {commit})" if commit else ""))
    raise typer.Exit


@app.callback(epilog=EXIT_CODES)
def k2l(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show which version this is.")
    ] = False,
    verbose: Verbose = 0,
    workspace: Annotated[
        str | None, typer.Option(WORKSPACE, metavar="FOLDER", show_default=False, help=IN_WORKSPACE)
    ] = None,
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
