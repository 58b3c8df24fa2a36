"""`python -m scripts VERB …`, installed as `k2l VERB …`; alone, the menu on a terminal, else the list of verbs."""

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from scripts._edge import guarded
from scripts._settings import defaults

VERBS = (
    "loop", "push", "watch", "pull", "runs", "cancel", "quota", "bundle", "emulator",
    "data", "train", "compare", "sweep",
    "evaluate", "export", "quantize", "bench", "race", "report",
    "predict", "camera", "interactive",
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


app = typer.Typer(
    cls=Verbs, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.callback()
def k2l() -> None:
    """Edit here, train on Kaggle's free GPU, run on your own CPU."""


def main() -> None:
    """The `k2l` command."""
    if len(sys.argv) == 1 and sys.stdin.isatty() and sys.stdout.isatty():
        sys.argv.append("interactive")
    guarded(lambda: app(prog_name="k2l"))


if __name__ == "__main__":
    main()
