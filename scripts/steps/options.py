"""Options that several verbs share, each defined once, and what they mean."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from local.jobs.remotes import REMOTES
from scripts.steps import completion as complete
from scripts.terminal.edge import fail
from scripts.terminal.output import say, say_all
from scripts.terminal.verbs import KAGGLE, TRAINING
from shared.core.errors import ConfigError, one_of

if TYPE_CHECKING:
    from local.digits.reader import Reader
    from local.kaggle_api.client import Service
    from local.models.registry import Model
    from local.runs.journal import Run

T = TypeVar("T")


Remote = Annotated[
    str,
    typer.Option(
        autocompletion=complete.remotes,
        rich_help_panel=KAGGLE,
        help="kaggle (the service KAGGLE_API_ENVIRONMENT names) or emulator (ours, on this machine).",
    ),
]
Owner = Annotated[
    str | None,
    typer.Option(rich_help_panel=KAGGLE, help="The kernel's owner; must be the user of the credentials."),
]
Slug = Annotated[str | None, typer.Option(rich_help_panel=KAGGLE, help="The kernel's slug, instead of kernel.toml's.")]
Accelerator = Annotated[
    str | None, typer.Option(rich_help_panel=KAGGLE, help="NvidiaTeslaT4 or none, instead of kernel.toml's.")
]
DataDir = Annotated[
    Path | None, typer.Option(rich_help_panel=TRAINING, help="Search for the data here, and nowhere else.")
]
RunId = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", autocompletion=complete.runs, help="A run's id or its start. [default: the latest]"
    ),
]
ReaderModel = Annotated[
    str,
    typer.Option(
        "--model",
        autocompletion=complete.models,
        help="A folder under models/, or a file. [default: $K2L_MODEL, or the zoo's camera]",
    ),
]
ModelFolder = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", autocompletion=complete.models, help="A folder under models/, or another model folder."
    ),
]
Conf = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="The least probability of a digit; below it, it is rejected. [default: the model's]"
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=0, rich_help_panel=KAGGLE, help="Seconds to wait for the run's end. [default: its time limit and an hour]"
    ),
]
Again = Annotated[
    bool,
    typer.Option("--again", rich_help_panel=KAGGLE, help="Start a new run even if the same one exists."),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        rich_help_panel=KAGGLE,
        help="Check everything that can be checked before the push, and write nothing.",
    ),
]
WaitForCapacity = Annotated[
    bool,
    typer.Option(
        "--wait-for-capacity",
        rich_help_panel=KAGGLE,
        help="If the service has no capacity or no GPU time, wait and push later.",
    ),
]
WaitLimit = Annotated[
    float, typer.Option(min=0, metavar="HOURS", rich_help_panel=KAGGLE, help="How long to wait for capacity at most.")
]


def resolved_dataset(dataset: str, **where: Any) -> str:
    """The data set that is meant; if `auto` means a substitute, that is reported."""
    from shared.data.datasets import choose

    name, reason = choose(dataset, **where)
    if reason:
        say_all(f"NOTE: {reason}")
    return name


def models(names: Sequence[str], *, every: bool) -> "list[Model]":
    """The files for names of models, each once: the best of each folder, or with `every` all that run.

    Of several in a folder, those without an installed runtime are left out, and that is reported.
    """
    from local.model_files import formats
    from local.models import registry as known

    found: dict[Path, Model] = {}
    for name in names:
        several = known.files(name) if every else [known.find(name)]
        for model in several:
            if len(several) > 1 and not formats.installed(model.file):
                say(f"left out: {model.file} (its runtime is not installed)")
            else:
                found.setdefault(model.file.resolve(), model)
    return list(found.values())


def served(start: Callable[[], T]) -> T:
    """The server that this starts; exit 2 if `--host` lets other machines in and `--i-know` is missing."""
    from local.core.listening import ExposedError

    try:
        return start()
    except ExposedError as error:
        fail(str(error), 2)


def check_folder(out: Path | None, option: str = "--out") -> None:
    """ConfigError, before any work, if pictures cannot be saved in that folder."""
    if out is not None and any(place.exists() and not place.is_dir() for place in (out, *out.parents)):
        raise ConfigError(f"{option} {out}: it is a file, not a folder.")


def listed(option: str, text: str) -> list[str]:
    """The names of a list with commas, each once; ConfigError for none."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ConfigError(f"--{option} has no names: write names with commas between them.")
    return names


def service(remote: str, owner: str | None = None) -> "Service":
    """The service of `--remote`."""
    from local.jobs.connect import connect

    return connect(one_of("remote", remote, REMOTES), username=owner)


def service_of(run: "Run") -> "Service":
    """The service of a run. KernelError if the environment names another one now."""
    from shared.core.errors import KernelError

    there = service("emulator" if run.remote == "emulator" else "kaggle")
    if there.label != run.remote or there.username != run.owner:
        raise KernelError(
            f"the run {run.run_id} was pushed to {run.remote} by {run.owner!r}, and this is {there.label} as "
            f"{there.username!r}.\nSet KAGGLE_API_ENVIRONMENT and the credentials as for that push."
        )
    return there


def usual_model() -> "Model":
    """The model if none is named; on a terminal it reports which, and why."""
    from local.models import registry

    chosen, reason = registry.default()
    if sys.stderr.isatty():
        say(f"model: {chosen.name} ({reason})")
    return chosen


def open_reader(model: str, conf: float | None) -> "Reader":
    """The named model, or the usual one, ready to read pictures."""
    from local.digits.reader import Reader
    from local.models import registry

    chosen = registry.find(model) if model else usual_model()
    return Reader(registry.open_runtime(chosen), chosen.sure if conf is None else conf)
