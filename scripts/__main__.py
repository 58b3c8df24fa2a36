"""`python -m scripts VERB …`, installed as `k2l VERB …`; without a verb, the list of verbs."""

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from scripts._edge import guarded

VERBS = (
    "loop", "push", "watch", "pull", "runs", "cancel", "quota", "bundle", "emulator",
    "data", "train", "compare", "sweep",
    "evaluate", "export", "quantize", "bench", "race", "report",
    "predict", "camera", "web",
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


app = typer.Typer(
    cls=Verbs, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.callback()
def k2l() -> None:
    """Edit here, train on Kaggle's free GPU, run on your own CPU."""


def main() -> None:
    """The `k2l` command."""
    guarded(lambda: app(prog_name="k2l"))


if __name__ == "__main__":
    main()
