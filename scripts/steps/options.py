"""Options that several verbs share, each defined once, and what they mean."""

import functools
import inspect
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from local.jobs.remotes import REMOTES
from scripts.steps import completion as complete
from scripts.terminal.edge import fail
from scripts.terminal.output import say, say_all
from scripts.terminal.verbs import KAGGLE, TRAINING
from shared.core.errors import ConfigError, one_of
from shared.data.registry import AUTO
from shared.training.config import BY_RECIPE, PARAMETERS, TrainConfig, known
from shared.training.parameter import Parameter, Word

if TYPE_CHECKING:
    from local.digits.reader import Reader
    from local.jobs.preflight import PlannedPush
    from local.jobs.push import Submission
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


@dataclass(frozen=True, kw_only=True)
class Requested:
    """A training that the command line requests; `trained` gives a verb these options.

    named: parameters with their own options. pairs: others by `--set`, not yet parsed.
    """

    framework: str = "torch"
    name: str | None = None
    named: Mapping[str, Any] = field(default_factory=dict)
    pairs: Sequence[str] = ()

    @property
    def given(self) -> dict[str, Any]:
        """The given parameters, with their types; the recipe has the others. ConfigError for an unknown name."""
        return {**self.named, **_parameters(self.pairs)}

    def config(self, *, remote: str = "", data_dir: Path | None = None) -> TrainConfig:
        """The training; ConfigError for what does not exist or is out of range.

        The data set `auto` is resolved before anything starts: on Kaggle it is mnist; here it is mnist or, with a note,
        digits.
        """
        given = self.given
        config = TrainConfig.create(**given)
        if config.dataset != AUTO:
            return config
        dataset = "mnist" if remote == "kaggle" else resolved_dataset(AUTO, data_dir=data_dir)
        return TrainConfig.create(**given | {"dataset": dataset})

    def but(self, **given: Any) -> "Requested":
        """The same training with these parameters."""
        return replace(self, named=self.given | given, pairs=())

    def model(self, config: TrainConfig) -> str:
        """The model's name, checked."""
        from local.models.registry import check_name, usual_name

        return check_name(self.name or usual_name(config.architecture, self.framework))


def _option(name: str, kind: Any, default: Any, *flags: str, **about: Any) -> inspect.Parameter:
    """An option of a training, as a verb's parameter."""
    option = typer.Option(default, *flags, rich_help_panel=TRAINING, **about)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind)


def _of_parameter(one: Parameter) -> inspect.Parameter:
    """The option of a recipe's parameter: `--learning-rate`, with its range and its default in the help."""
    usual = "the recipe's" if one.name in BY_RECIPE else getattr(TrainConfig, one.name)
    about = f"{one.about[0].upper()}{one.about[1:]}. [default: {usual}]"
    offered = complete.offering(lambda: one.choices) if isinstance(one, Word) else None
    return _option(one.name, one.kind | None, None, help=about, autocompletion=offered)


_OF_A_TRAINING = (
    _option(
        "framework", str, "torch", autocompletion=complete.frameworks,
        help="torch or keras: the same network in PyTorch or Keras 3.",
    ),
    _option("name", str | None, None, help="The model's folder under models/. [default: ARCHITECTURE-FRAMEWORK]"),
    *map(_of_parameter, PARAMETERS.values()),
    _option(
        "given", list[str] | None, None, "--set", metavar="NAME=VALUE",
        help="Any of these parameters, as often as needed: --set seed=3.",
    ),
)  # fmt: skip


def trained(*, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a verb the options of a training, as one `Requested`, its first argument.

    Those in `without` are not offered, and have their defaults.
    """
    offered = [one for one in _OF_A_TRAINING if one.name not in without]

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(verb, include_extras=True)
        own = list(inspect.signature(verb).parameters.values())[1:]
        parameters = [
            *offered,
            *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[one.name]) for one in own),
        ]

        @functools.wraps(verb)
        def command(**options: Any) -> None:
            verb(_requested(**{one.name: options.pop(one.name) for one in offered}), **options)

        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return decorate


def _requested(*, framework: str, name: str | None = None, given: list[str] | None, **parameters: Any) -> Requested:
    """The training of these options; a parameter that is None is not given."""
    named = {key: value for key, value in parameters.items() if value is not None}
    return Requested(framework=framework, name=name, named=named, pairs=given or ())


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


def _parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """`--set name=value` as parameters, typed. ConfigError for an unknown name."""
    table = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair!r} has no value: write --set {name}=VALUE.")
        table[name] = known(name).parse(value)
    return table


def planned(
    wanted: Requested, *, remote: str, slug: str | None, accelerator: str | None, **options: Any
) -> "PlannedPush":
    """What `push` and `loop` check with --dry-run, instead of `submission`; nothing is checked yet."""
    from local.jobs.preflight import PlannedPush

    def training() -> tuple[str, TrainConfig]:
        # `auto` is mnist, which a dry run does not download; it reports if the emulator lacks it.
        config = wanted.config(remote="kaggle")
        return wanted.model(config), config

    one_of("remote", remote, REMOTES)
    changes = {"slug": slug, "accelerator": accelerator}
    named = "dataset" in wanted.named or any(pair.startswith("dataset=") for pair in wanted.pairs)
    options["fallback"] = "" if named else "digits"
    return PlannedPush(framework=wanted.framework, remote=remote, training=training, changes=changes, **options)


def submission(wanted: Requested, *, remote: str, slug: str | None, accelerator: str | None) -> "Submission":
    """What `push` and `loop` send: everything on this side is checked before any call of a service."""
    from local.jobs import push
    from local.kaggle_api import kernel_spec

    one_of("remote", remote, REMOTES)
    kernel = kernel_spec.load(wanted.framework, slug=slug, accelerator=accelerator)
    config = wanted.config(remote=remote)
    name = wanted.model(config)
    if remote == "emulator" and config.dataset != "digits":
        from shared.data.datasets import load

        load(config.dataset)  # the emulator can mount only complete data that is here; download it now if it is missing
    return push.prepare(kernel, name=name, config=config)


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
