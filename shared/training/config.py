"""What a training is told: `TrainConfig`, checked when it is made, and the recipes that fill it.

    config = TrainConfig.create(architecture="lite", epochs=5)         # the tuned recipe for lite, but 5 epochs
    config = TrainConfig.create(recipe="plain", batch_size=32)         # what a tutorial does, but batches of 32

A recipe is a table of values, some for all networks, some for one. Values given by name win over the recipe.
Standard library only: the command line checks parameters with this before anything heavy is imported.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from shared.core.errors import ConfigError, one_of
from shared.data.registry import AUTO, DATASETS
from shared.networks.architectures import architecture
from shared.training.augmentation import Augmentation

# What people call parameters elsewhere. None is a parameter's name here: they serve the error that says which is.
SHORT = {
    "lr": "learning_rate", "bs": "batch_size", "batch": "batch_size", "wd": "weight_decay", "opt": "optimizer",
    "arch": "architecture", "model": "architecture", "data": "dataset", "scheduler": "schedule", "amp": "precision",
    "dtype": "precision", "momentum": "beta1", "translate": "shift", "early_stopping": "patience",
}  # fmt: skip
EPOCHS = {"digits": 40}  # where none are asked for, in place of the recipe's: its 1,437 images make short epochs

# A few thousand parameters hardly fit the training images: what keeps larger networks from it holds these back.
_TINY = {"epochs": 15, "precision": "float32", "label_smoothing": 0.0, "beta1": 0.7, "beta2": 0.9}
_DS_CNN = _TINY | {
    "learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0, "rotation": 0.0, "shift": 0.0, "scale": 0.0,
}  # fmt: skip
# Large networks with batch norm learn every training image by heart, unless each epoch shows others.
_BENT = {"rotation": 10.0, "elastic": 1.5, "stroke": 0.2}

# plain: what a tutorial does, kept as the yardstick. tuned: chosen on the validation split alone.
# One-cycle: Smith & Topin 2017 (super-convergence); label smoothing: Szegedy et al. 2016.
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "plain": {
        "*": {
            "epochs": 3, "loading": "per-sample", "batch_size": 64, "optimizer": "adam", "schedule": "constant",
            "learning_rate": 1e-3, "precision": "float32",
        },
    },
    "tuned": {
        "*": {
            "epochs": 10, "loading": "in-memory", "batch_size": 128, "optimizer": "adamw", "schedule": "one-cycle",
            "learning_rate": 4e-3, "precision": "auto", "beta2": 0.99, "weight_decay": 0.01, "label_smoothing": 0.05,
            "rotation": 8.0, "shift": 1.5, "scale": 0.1,
        },
        "compact": {"epochs": 3, "learning_rate": 1e-2, "beta1": 0.7, "beta2": 0.9},
        "improved": _BENT | {"epochs": 12, "learning_rate": 6e-3},
        "best": _BENT | {
            "epochs": 20, "learning_rate": 1e-2, "beta1": 0.7, "beta2": 0.9, "ema": 0.99,
            "rotation": 12.0, "shift": 2.0, "scale": 0.12, "stroke": 0.25,
        },
        "ds_cnn_v1": _DS_CNN, "ds_cnn_v3": _DS_CNN | {"schedule": "triangle"},
        "ds_cnn_v2": _DS_CNN | {"learning_rate": 0.2, "beta1": 0.7, "beta2": 0.9},
        "lite": _TINY | {"learning_rate": 3e-2, "rotation": 5.0, "shift": 1.0, "scale": 0.05},
        "camera": _BENT | {
            "dataset": "camera", "epochs": 12, "batch_size": 256, "learning_rate": 6e-3, "label_smoothing": 0.0,
            "elastic": 1.0,
        },
        "sprint": {
            "epochs": 1, "batch_size": 192, "schedule": "triangle", "learning_rate": 1.5e-2, "beta1": 0.7, "beta2": 0.9,
            "label_smoothing": 0.1, "rotation": 0.0, "shift": 0.0, "scale": 0.0,
        },
    },
}  # fmt: skip

CHOICES: dict[str, Collection[str]] = {
    "dataset": (AUTO, *DATASETS),
    "recipe": RECIPES,
    "loading": ("per-sample", "in-memory"),
    "optimizer": ("adam", "adamw"),
    "schedule": ("constant", "one-cycle", "triangle"),
    "device": ("auto", "cpu", "cuda"),
    "precision": ("auto", "float32", "bfloat16"),
}

# Inclusive bounds, and the unit in which the value is given.
RANGES: dict[str, tuple[float, float, str]] = {
    "epochs": (1, 1000, "epochs"),
    "batch_size": (1, 60_000, "images"),
    "learning_rate": (1e-7, 10.0, ""),
    "beta1": (0.0, 0.9999, "decay a step"),
    "beta2": (0.0, 0.99999, "decay a step"),
    "weight_decay": (0.0, 1.0, ""),
    "label_smoothing": (0.0, 0.5, ""),
    "rotation": (0.0, 180.0, "degrees"),
    "shift": (0.0, 14.0, "pixels"),
    "scale": (0.0, 0.9, "fraction"),
    "elastic": (0.0, 14.0, "pixels"),
    "stroke": (0.0, 1.0, "fraction"),
    "ema": (0.0, 0.99999, "decay a step; 0 is off"),
    "patience": (0, 1000, "epochs; 0 is off"),
    "seed": (0, 2**31 - 1, ""),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides what a training does. Make it with `create`, which fills in the recipe.

    schedule: the learning rate rises to its peak in the first 30 % of the steps and falls to nearly nothing in the
    others, along a cosine (one-cycle) or a straight line (triangle); or it stays.
    loading: batches cut from the data set in memory, or images prepared one by one, as tutorials do.
    beta1, beta2: how slowly Adam forgets past gradients and their squares; a short training needs a short memory.
    rotation, shift, scale, elastic, stroke: bounds of the random augmentation, see `shared.training.augmentation`.
    ema: decay per step of the averaged weights. patience: early stopping on the validation loss, in epochs.
    Raises ConfigError for an unknown name, a wrong type or a value out of range, and says what would do.
    """

    architecture: str = "compact"
    dataset: str = AUTO
    recipe: str = "tuned"
    seed: int = 0
    patience: int = 0
    device: str = "auto"
    epochs: int
    loading: str
    batch_size: int
    optimizer: str
    schedule: str
    learning_rate: float
    precision: str
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    elastic: float = 0.0
    stroke: float = 0.0
    ema: float = 0.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _typed(field.name, field.type, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
            if field.name == "architecture":
                architecture(value)
            elif field.name in CHOICES:
                one_of(field.name, value, CHOICES[field.name])
            else:
                _in_range(field.name, value)
        if self.optimizer == "adam" and self.weight_decay:
            # What Adam makes of it differs from framework to framework.
            raise ConfigError(f"optimizer 'adam' takes no weight_decay, not {self.weight_decay}: use 'adamw'.")

    @classmethod
    def create(cls, **parameters: Any) -> "TrainConfig":
        """The recipe's values under the given ones.

        A value of None means "what the recipe says"; so does the data set `auto` of a network that has one of its own.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in parameters:
            one_of("parameter", name, known, short=SHORT)
        unsaid = {"dataset": AUTO}
        given = {name: value for name, value in parameters.items() if value not in (None, unsaid.get(name))}
        recipe = one_of("recipe", given.get("recipe", cls.recipe), RECIPES)
        network = architecture(given.get("architecture", cls.architecture))
        tables = RECIPES[recipe]
        values = {**tables["*"], **tables.get(network.family, {})}
        values["epochs"] = EPOCHS.get(given.get("dataset", cls.dataset), values["epochs"])
        return cls(**values | given)

    @property
    def augmentation(self) -> Augmentation:
        """The bounds of the random augmentation."""
        return Augmentation(
            rotation=self.rotation, shift=self.shift, scale=self.scale, elastic=self.elastic, stroke=self.stroke
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, in the order of the fields: what a manifest records."""
        return dataclasses.asdict(self)


def beside_recipe(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a training's parameters (`as_dict`, or a manifest's) that its recipe gives otherwise today."""
    named = {key: parameters[key] for key in ("architecture", "dataset", "recipe", "epochs", "seed")}
    usual = TrainConfig.create(**named).as_dict()
    return {key: value for key, value in parameters.items() if key in usual and value != usual[key]}


def from_text(name: str, text: str) -> Any:
    """A parameter's value from the command line (`--set name=value`), typed as TrainConfig types it."""
    kinds = {field.name: field.type for field in dataclasses.fields(TrainConfig)}
    kind = kinds[one_of("parameter", name, kinds, short=SHORT)]
    if kind is str:
        return text
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        raise ConfigError(f"{name} must be {_article(kind)}, not {text!r}.") from None


def _typed(name: str, kind: Any, value: Any) -> Any:
    """int is a float to a reader, and to us; bool is no number."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    raise ConfigError(f"{name} must be {_article(kind)}, not {value!r}.")


def _article(kind: Any) -> str:
    return {int: "a whole number", float: "a number", str: "a word"}[kind]


def _in_range(name: str, value: float) -> None:
    low, high, unit = RANGES[name]
    if not low <= value <= high:  # also refuses NaN
        raise ConfigError(f"{name}={value} is out of range: give {low} to {high}{f' ({unit})' if unit else ''}.")
