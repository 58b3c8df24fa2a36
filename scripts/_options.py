"""Options that several verbs share, each written once, and what they resolve to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts._edge import say
from shared.config import TrainConfig, from_text
from shared.errors import ConfigError, one_of

if TYPE_CHECKING:
    from local.kernels.client import Service
    from local.kernels.push import Cargo
    from local.kernels.runs import Run

REMOTES = ("kaggle", "emulator")

Remote = Annotated[
    str, typer.Option(help="kaggle (the service KAGGLE_API_ENVIRONMENT names) or emulator (ours, on this machine).")
]
Owner = Annotated[str | None, typer.Option(help="The kernel's owner; must be the user of the credentials.")]
Slug = Annotated[str | None, typer.Option(help="The kernel's slug, in place of kernel.toml's.")]
Accelerator = Annotated[str | None, typer.Option(help="NvidiaTeslaT4 or none, in place of kernel.toml's.")]
Framework = Annotated[str, typer.Option(help="The folder under kaggle/ that is sent.")]
Name = Annotated[str | None, typer.Option(help="The model's folder under models/. [default: ARCHITECTURE-FRAMEWORK]")]
Architecture = Annotated[str, typer.Option(help="Which network: compact, baseline, simple, improved, lite, sprint, …")]
Epochs = Annotated[int | None, typer.Option(help="Times through the training images. [default: 3; 40 for digits]")]
Seed = Annotated[int, typer.Option(help="Decides the first weights and the order of the images.")]
Dataset = Annotated[str, typer.Option(help="mnist, fashion-mnist, kmnist, digits, or auto: mnist where it can be had.")]
Recipe = Annotated[str, typer.Option(help="tuned, or plain: what a tutorial does.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other parameter, as often as needed: --set batch_size=64"),
]
DataDir = Annotated[Path | None, typer.Option(help="Look for the data here, and nowhere else.")]
RunId = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="A run's id or its beginning. [default: the latest]")
]
Again = Annotated[bool, typer.Option("--again", help="Start a new run even if the same one is under way.")]


def parameters(pairs: list[str] | None) -> dict[str, Any]:
    """`--set name=value` as parameters, typed. ConfigError for a name the notebook does not know."""
    table = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair!r} has no value: write --set {name}=VALUE.")
        table[name] = from_text(name, value)
    return table


def training(*, given: list[str] | None, remote: str = "", data_dir: Path | None = None, **named: Any) -> TrainConfig:
    """The training that the options ask for; ConfigError for what does not exist or is out of range.

    The data set `auto` is made concrete before anything starts: Kaggle has mnist; here it is mnist or, said loudly,
    digits.
    """
    named |= parameters(given)
    config = TrainConfig.create(**named)
    if config.dataset != "auto":
        return config
    from shared.data import choose

    name, why = ("mnist", "") if remote == "kaggle" else choose("auto", data_dir=data_dir)
    if why:
        say(f"NOTE: {why}")
    return TrainConfig.create(**named | {"dataset": name})


def cargo(
    *, name: str | None, framework: str, slug: str | None, accelerator: str | None, **training_options: Any
) -> "Cargo":
    """What `push` and `loop` send: all that can be wrong on this side is found before any service is asked."""
    from local.kernels import push, spec

    one_of("remote", training_options["remote"], REMOTES)
    name = push.check_name(name or f"{training_options['architecture']}-{framework}")
    kernel = spec.load(framework, slug=slug, accelerator=accelerator)
    config = training(**training_options)
    if training_options["remote"] == "emulator" and config.dataset != "digits":
        from shared.data import load

        load(config.dataset)  # the emulator can mount only what is here, and whole; fetched now if it is not
    return push.prepare(kernel, name=name, config=config)


def service(remote: str, owner: str | None = None) -> "Service":
    """The service of `--remote`."""
    from local.kernels.client import connect

    return connect(one_of("remote", remote, REMOTES), username=owner)


def service_of(run: "Run") -> "Service":
    """The service a run was pushed to. KernelError where the surroundings name another one now."""
    from shared.errors import KernelError

    there = service("emulator" if run.remote == "emulator" else "kaggle")
    if there.label != run.remote or there.username != run.owner:
        raise KernelError(
            f"the run {run.run_id} was pushed to {run.remote} by {run.owner!r}, and this is {there.label} as "
            f"{there.username!r}.\nSet KAGGLE_API_ENVIRONMENT and the credentials as they were then."
        )
    return there
