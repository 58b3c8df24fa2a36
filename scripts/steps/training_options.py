"""The options of a training: what a verb that trains or pushes one is given, and what they come to."""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import typer

from local.jobs.remotes import REMOTES
from scripts.steps import completion as complete
from scripts.steps.options import resolved_dataset
from scripts.terminal.verbs import TRAINING
from shared.core.errors import ConfigError, one_of
from shared.data.registry import AUTO
from shared.training.config import BY_RECIPE, PARAMETERS, TrainConfig, known
from shared.training.parameter import Parameter, Word

if TYPE_CHECKING:
    from local.jobs.preflight import PlannedPush
    from local.jobs.push import Submission


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
