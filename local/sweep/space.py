"""What a sweep searches: ranges and choices of a training's parameters, and the usual ones of each architecture.

    dimension("learning_rate=1e-3:3e-2:log")      # a range, on a logarithmic scale
    dimension("rotation=0:20:5")                  # a range in steps of 5
    dimension("batch_size=64,128,256")            # a choice
    dimension("width=0.5:2")                      # the network's width: trains `lite@0.73`
    usual_space(config)                           # where none is given

A name is one of `TrainConfig`, whose bounds hold here too, or `width`. Knows nothing of Optuna but the distribution
that a dimension is drawn from.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from shared.core.errors import ConfigError, one_of
from shared.training.config import TrainConfig, known
from shared.training.parameter import Word

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

WIDTH = "width"
DIGITS = 5  # significant ones of a number that is drawn: as many as a command line is pleasant to read with

# What is no matter of search, and which option says it.
FIXED = {
    "architecture": "--architecture says it, and width=0.5:2 searches its width",
    "dataset": "--dataset says it",
    "recipe": "--recipe says it",
    "epochs": "--epochs says it",
    "device": "--device says it",
    "seed": "a seed that was searched is luck: --seeds trains each trial with several",
}

# How long Adam remembers: with the learning rate, what matters most in a short training.
_BETAS = {"beta1": "0.7,0.9", "beta2": "0.9,0.99,0.999"}
# The networks of a few thousand parameters learn at higher rates, and have no room for much augmentation.
_SMALL = _BETAS | {
    "learning_rate": "3e-3:3e-1:log", "batch_size": "32,64,128,256", "label_smoothing": "0:0.1",
    "weight_decay": "0:0.05", "rotation": "0:8", "shift": "0:1.5", "scale": "0:0.1", "elastic": "0:0.8",
    "stroke": "0:0.4", "ema": "0,0.99,0.995,0.998",
}  # fmt: skip
SPACES: dict[str, dict[str, str]] = {
    "*": _BETAS | {
        "learning_rate": "1e-3:3e-2:log", "batch_size": "64,128,256", "label_smoothing": "0:0.15",
        "weight_decay": "1e-3:1e-1:log", "rotation": "0:15", "shift": "0:3", "scale": "0:0.15", "elastic": "0:1.5",
        "stroke": "0:0.6", "ema": "0,0.99,0.995,0.998",
    },
    "sprint": _BETAS | {
        "schedule": "one-cycle,triangle", "learning_rate": "3e-3:3e-2:log", "batch_size": "64,128,192,256,512",
        "label_smoothing": "0:0.2", "weight_decay": "1e-3:1e-1:log", "rotation": "0:8", "shift": "0:2",
        "scale": "0:0.1", "ema": "0,0.98,0.99",
    },
    "lite": _SMALL, "ds_cnn_v1": _SMALL, "ds_cnn_v2": _SMALL, "ds_cnn_v3": _SMALL,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones where the ends are, in steps where `step` is given."""

    name: str
    low: Any
    high: Any
    log: bool = False
    step: Any = None

    @property
    def text(self) -> str:
        """As it is written on the command line, without the name."""
        tail = ["log"] if self.log else [str(self.step)] * (self.step is not None)
        return ":".join([str(self.low), str(self.high), *tail])

    @property
    def ends(self) -> list[Any]:
        """The values at its ends."""
        return [self.low, self.high]

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws it from."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if isinstance(self.low, int):
            return IntDistribution(self.low, self.high, log=self.log, step=self.step or 1)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def value(self, drawn: Any) -> Any:
        """A drawn number as it is trained: rounded to a few digits, so that a command can say it exactly."""
        if isinstance(self.low, int):
            return int(drawn)
        return min(max(float(f"{drawn:.{DIGITS}g}"), self.low), self.high)

    def holds(self, value: Any) -> bool:
        """Whether the value can be drawn."""
        inside = bool(self.low <= value <= self.high)
        return inside and (self.step is None or (Decimal(str(value)) - Decimal(str(self.low))) % _exact(self.step) == 0)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several values, in no order."""

    name: str
    values: tuple[Any, ...]

    @property
    def text(self) -> str:
        """As it is written on the command line, without the name."""
        return ",".join(str(value) for value in self.values)

    @property
    def ends(self) -> list[Any]:
        """All of its values."""
        return list(self.values)

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws it from."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)

    def value(self, drawn: Any) -> Any:
        """A drawn value as it is trained."""
        return drawn

    def holds(self, value: Any) -> bool:
        """Whether the value can be drawn."""
        return value in self.values


Dimension = Range | Choice


def dimension(text: str) -> Dimension:
    """A dimension from `NAME=LOW:HIGH`, `NAME=LOW:HIGH:log`, `NAME=LOW:HIGH:STEP` or `NAME=A,B,…`.

    Raises ConfigError for a name that cannot be searched, and for what is no range and no choice.
    """
    name, _, space = (part.strip() for part in text.partition("="))
    _check_name(name)
    if "," in space:
        values = dict.fromkeys(_number(name, value) for value in space.split(",") if value.strip())
        if len(values) > 1:
            return Choice(name=name, values=tuple(values))
    parts = space.split(":")
    if len(parts) in (2, 3) and all(parts):
        return _range(name, parts)
    raise ConfigError(
        f"--search {text!r} is no space: write {name}=LOW:HIGH, {name}=LOW:HIGH:log, {name}=LOW:HIGH:STEP "
        f"or {name}=A,B,…; a single value is given by its own option."
    )


def space(texts: Sequence[str]) -> tuple[Dimension, ...]:
    """The dimensions of a command line; ConfigError for a name that comes twice."""
    found: dict[str, Dimension] = {}
    for one in map(dimension, texts):
        if one.name in found:
            raise ConfigError(f"--search {one.name} is given twice: {found[one.name].text} and {one.text}.")
        found[one.name] = one
    return tuple(found.values())


def usual_space(config: TrainConfig, *, fixed: Collection[str] = ()) -> tuple[Dimension, ...]:
    """The space of `SPACES` for the architecture, made so wide that the config's own values lie in it.

    Left out are the names in `fixed`, and what the recipe cannot take: `weight_decay` where the optimizer is Adam.
    """
    family = config.architecture.partition("@")[0]
    table = SPACES.get(family, SPACES["*"])
    wanted = [dimension(f"{name}={text}") for name, text in table.items() if name not in fixed]
    return tuple(_around(one, getattr(config, one.name)) for one in wanted if not _trouble(config, (one,)))


def check_space(config: TrainConfig, dimensions: Sequence[Dimension]) -> None:
    """Returns if any two of the dimensions' ends can be trained together; ConfigError with what is wrong if not."""
    if any(one.name == WIDTH for one in dimensions) and "@" in config.architecture:
        raise ConfigError(f"--search {WIDTH} and --architecture {config.architecture}: leave the @ and its width out.")
    if trouble := _trouble(config, dimensions):
        raise ConfigError(trouble)


def changed(config: TrainConfig, values: dict[str, Any]) -> TrainConfig:
    """The training with these values of a space in it."""
    values = dict(values)
    if (width := values.pop(WIDTH, 1)) != 1:
        values["architecture"] = f"{config.architecture}@{width}"
    return TrainConfig(**config.as_dict() | values)


def _around(one: Dimension, value: Any) -> Dimension:
    """The dimension with that value in it. 0 is nowhere on a logarithmic scale, which is then none."""
    if isinstance(one, Choice):
        return replace(one, values=tuple(sorted({*one.values, value})))
    return replace(one, low=min(one.low, value), high=max(one.high, value), log=one.log and value > 0)


def _trouble(config: TrainConfig, dimensions: Sequence[Dimension]) -> str:
    """What is wrong with an end of a dimension, or with two of them together: no rule of a training has three in it."""
    for some in combinations(dimensions, min(2, len(dimensions))):
        for values in product(*(one.ends for one in some)):
            try:
                changed(config, {one.name: value for one, value in zip(some, values, strict=True)})
            except ConfigError as error:
                return str(error)
    return ""


def _check_name(name: str) -> None:
    if name in FIXED:
        raise ConfigError(f"--search {name}: {FIXED[name]}.")
    one_of("parameter", name, [*(key for key in TrainConfig.__dataclass_fields__ if key not in FIXED), WIDTH])


def _number(name: str, text: str) -> Any:
    """A value of a parameter, typed; a width is a number that no recipe has."""
    if name != WIDTH:
        return known(name).parse(text.strip())
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{WIDTH} must be a number, not {text.strip()!r}.") from None


def _range(name: str, parts: list[str]) -> Range:
    if name != WIDTH and isinstance(known(name), Word):
        raise ConfigError(f"--search {name}: {parts[0]!r} to {parts[1]!r} is no range of words; write {name}=A,B,…")
    low, high = (_number(name, part) for part in parts[:2])
    if not low < high:
        raise ConfigError(f"--search {name}={':'.join(parts)}: the low end must be below the high end.")
    if parts[2:] == ["log"]:
        if low <= 0:
            raise ConfigError(f"--search {name}={':'.join(parts)}: a logarithmic scale begins above 0, not at {low}.")
        return Range(name=name, low=low, high=high, log=True)
    if not parts[2:]:
        return Range(name=name, low=low, high=high)
    step = _number(name, parts[2])
    if not 0 < step <= high - low:
        raise ConfigError(f"--search {name}={':'.join(parts)}: the third part is 'log', or a step that fits between.")
    return Range(name=name, low=low, high=_last(low, high, step), step=step)


def _last(low: Any, high: Any, step: Any) -> Any:
    """The highest of low, low + step, … that is not above `high`, without the noise of binary fractions."""
    steps = ((_exact(high) - _exact(low)) / _exact(step)).to_integral_value(ROUND_FLOOR)
    return type(low)(_exact(low) + steps * _exact(step))


def _exact(number: Any) -> Decimal:
    return Decimal(str(number))
