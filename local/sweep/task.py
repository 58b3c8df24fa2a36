"""What one sweep is about: a training, what of it is searched, and how a trial is measured.

    task = Task(config=TrainConfig.create(architecture="lite", dataset="mnist"), framework="torch", space=space(…))
    task.configs({"learning_rate": 0.0123})       # the trainings of a trial, one a seed
    task.objective_of(parts)                      # the value of a trial, from the results of its trainings
    task.command({"learning_rate": 0.0123}, name="best")

Everything is measured on the validation images: there is no objective on the test set, and none can be asked for.
Knows neither Optuna nor a framework.
"""

import dataclasses
import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from local.sweep.space import FIXED, WIDTH, Dimension, changed, check_space
from shared.core.errors import one_of
from shared.frameworks import FRAMEWORKS
from shared.training.config import TrainConfig, beside_recipe, options_of

# Of the validation images, and which way is better.
OBJECTIVES: dict[str, Literal["maximize", "minimize"]] = {"accuracy": "maximize", "loss": "minimize"}

Part = dict[str, Any]  # the result of one training: seed, accuracy, loss (validation images), seconds

OnEpoch = Callable[[int, float], None]  # gets the number of an epoch, counted over all seeds, and its objective


class TrialError(Exception):
    """A trial could not be trained; `lost`: its process ended, and the trial itself may be sound."""

    def __init__(self, message: str, detail: str = "", lost: bool = False) -> None:
        super().__init__(message, detail, lost)
        self.message, self.detail, self.lost = message, detail, lost

    def __str__(self) -> str:
        return self.message


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """A sweep's subject. Two sweeps of equal `facts` may share a study; others may not.

    config: the training, whose values hold for what is not in `space`. seeds: how many trainings a trial has, with
    the config's seed and those after it. Raises ConfigError where that cannot be trained or measured.
    """

    config: TrainConfig
    framework: str
    space: tuple[Dimension, ...]
    objective: str = "accuracy"
    seeds: int = 1

    def __post_init__(self) -> None:
        one_of("framework", self.framework, FRAMEWORKS)
        one_of("objective", self.objective, OBJECTIVES)
        check_space(self.config, self.space)

    @property
    def steps(self) -> int:
        """Epochs of a whole trial."""
        return self.config.epochs * self.seeds

    @property
    def higher_is_better(self) -> bool:
        """Which way a trial gets better."""
        return OBJECTIVES[self.objective] == "maximize"

    def facts(self) -> dict[str, Any]:
        """What makes two sweeps the same, as plain values: options, then the parameters that are not searched.

        The device is not of it: machines that share a study need not be alike.
        """
        searched = {one.name: one.text for one in self.space}
        named = {key: getattr(self.config, key) for key in ("architecture", "dataset", "epochs", "recipe", "seed")}
        rest = {key: value for key, value in self.config.as_dict().items() if key not in {*searched, *named, "device"}}
        return {
            **named,
            "framework": self.framework,
            "objective": self.objective,
            "seeds": self.seeds,
            "search": searched,
            **rest,
        }

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """A trial's parameters as they are trained, in the order of the space; those it does not have are left out."""
        return {one.name: one.value(drawn[one.name]) for one in self.space if one.name in drawn}

    def configs(self, drawn: Mapping[str, Any]) -> list[TrainConfig]:
        """The trainings of a trial, one a seed."""
        config = changed(self.config, self.values(drawn))
        return [dataclasses.replace(config, seed=config.seed + number) for number in range(self.seeds)]

    def recipe(self) -> dict[str, Any] | None:
        """The recipe itself as a point of the space; None where it lies outside."""
        values = {WIDTH: 1.0, **self.config.as_dict()}
        inside = all(one.holds(values[one.name]) for one in self.space)
        return {one.name: values[one.name] for one in self.space} if inside else None

    def objective_of(self, parts: Sequence[Part]) -> float:
        """The mean over the seeds of a trial."""
        return statistics.fmean(part[self.objective] for part in parts)

    def shown(self, value: float) -> str:
        """A value of the objective for people."""
        return f"{100 * value:.2f} %" if self.objective == "accuracy" else f"{value:.4f}"

    def command(self, drawn: Mapping[str, Any], *, name: str) -> str:
        """The command line that trains a trial's network, exactly so, as `models/NAME`."""
        config = self.configs(drawn)[0]
        named = {key: getattr(config, key) for key in FIXED if key != "device"}
        words = ["k2l", "train", "--framework", self.framework]
        words += options_of(named | beside_recipe(config.as_dict()))
        return shlex.join([*words, "--name", name])


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between the facts of two sweeps, in words: "epochs 5 there, 3 here".

    A parameter that was not known there yet had its default.
    """
    flat_there, flat_here = _flat(there), _flat(here)
    defaults = {field.name: field.default for field in dataclasses.fields(TrainConfig) if field.name in flat_here}
    flat_there = defaults | flat_there
    keys = dict.fromkeys([*flat_here, *flat_there])
    return [
        f"{key} {flat_there.get(key, 'not')} there, {flat_here.get(key, 'not')} here"
        for key in keys
        if flat_there.get(key) != flat_here.get(key)
    ]


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts with each searched parameter as an entry of its own."""
    rest = {key: value for key, value in facts.items() if key != "search"}
    return rest | {f"--search {name}": text for name, text in facts.get("search", {}).items()}
