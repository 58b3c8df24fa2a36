"""What a training is told: `TrainConfig`, checked when it is made, and the recipes that fill it.

    config = TrainConfig.create(architecture="lite", epochs=5)         # the tuned recipe for lite, but 5 epochs
    config = TrainConfig.create(recipe="plain", batch_size=32)         # what a tutorial does, but batches of 32

A recipe is a table of values, some for all networks, some for one. Values given by name win over the recipe.
A parameter is written once, as a field of `TrainConfig`: from there come the options of the command line, the
notebook's cell of parameters and the manifest.
Standard library only: the command line checks parameters with this before anything heavy is imported.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from shared.core.errors import ConfigError, one_of
from shared.data.registry import AUTO, DATASETS
from shared.networks.architectures import ARCHITECTURES
from shared.networks.architectures import architecture as network_of  # a field has the other name
from shared.training.augmentation import Augmentation
from shared.training.parameter import Number, Parameter, Word, parameters_of

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

# Where a recipe may give the value: whoever gives none leaves it to the recipe.
BY_RECIPE = {name for tables in RECIPES.values() for table in tables.values() for name in table} - {"dataset"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides what a training does. Make it with `create`, which fills in the recipe.

    A parameter more is a field more here. A field has a default, unless every recipe gives the value. The rest is its
    use: in `loop`, `train_torch` and `train_keras`, or in `augmentation`.
    Raises ConfigError for an unknown name, a wrong type or a value out of range, and says what would do.
    """

    architecture: Annotated[
        str, Word("which network; lite@2 is lite, twice as wide", ARCHITECTURES, also=network_of)
    ] = "compact"
    dataset: Annotated[
        str, Word("what it learns to read; auto is mnist, or digits where there is none", (AUTO, *DATASETS))
    ] = AUTO
    recipe: Annotated[str, Word("gives all other values; plain is what a tutorial does", RECIPES)] = "tuned"
    epochs: Annotated[
        int, Number(f"how often to go through the training images; for digits {EPOCHS['digits']}", 1, 1000)
    ]
    seed: Annotated[int, Number("decides the first weights and the order of the images", 0, 2**31 - 1)] = 0
    patience: Annotated[
        int, Number("epochs without a better validation loss before it stops early; 0 never stops", 0, 1000)
    ] = 0
    device: Annotated[str, Word("auto is the GPU where it can be used", ("auto", "cpu", "cuda"))] = "auto"
    loading: Annotated[
        str, Word("batches cut from one array, or images one by one, as tutorials do", ("in-memory", "per-sample"))
    ]
    batch_size: Annotated[int, Number("what a step takes", 1, 60_000, "images")]
    optimizer: Annotated[str, Word("what moves the weights", ("adam", "adamw"))]
    # It rises in the first 30 % of the steps and then falls to nearly nothing: along a cosine, or a straight line.
    schedule: Annotated[
        str, Word("how the learning rate goes up and down again", ("constant", "one-cycle", "triangle"))
    ]
    learning_rate: Annotated[float, Number("how far a step goes; with one-cycle and triangle, at its peak", 1e-7, 10.0)]
    # A short training needs a short memory.
    beta1: Annotated[float, Number("how slowly Adam forgets past gradients", 0.0, 0.9999)] = 0.9
    beta2: Annotated[float, Number("how slowly Adam forgets their squares", 0.0, 0.99999)] = 0.999
    weight_decay: Annotated[float, Number("how strongly weights are pulled towards 0; not with adam", 0.0, 1.0)] = 0.0
    label_smoothing: Annotated[float, Number("how much of the target is spread over all classes", 0.0, 0.5)] = 0.0
    rotation: Annotated[float, Number("augmentation: turned by up to so much", 0.0, 180.0, "degrees")] = 0.0
    shift: Annotated[float, Number("augmentation: moved by up to so much", 0.0, 14.0, "pixels")] = 0.0
    scale: Annotated[float, Number("augmentation: larger or smaller by up to this fraction", 0.0, 0.9)] = 0.0
    elastic: Annotated[float, Number("augmentation: bent by up to so much", 0.0, 14.0, "pixels")] = 0.0
    stroke: Annotated[
        float, Number("augmentation: strokes thicker or thinner by up to so much a side", 0.0, 1.0, "pixels")
    ] = 0.0
    ema: Annotated[float, Number("averages the weights over the steps, with this decay; 0 is off", 0.0, 0.99999)] = 0.0
    precision: Annotated[
        str, Word("auto is bfloat16 where the hardware multiplies it", ("auto", "float32", "bfloat16"))
    ]

    def __post_init__(self) -> None:
        for name, parameter in PARAMETERS.items():
            object.__setattr__(self, name, parameter.checked(getattr(self, name)))
        if self.optimizer == "adam" and self.weight_decay:
            # What Adam makes of it differs from framework to framework.
            raise ConfigError(f"optimizer 'adam' takes no weight_decay, not {self.weight_decay}: use 'adamw'.")

    @classmethod
    def create(cls, **parameters: Any) -> "TrainConfig":
        """The recipe's values under the given ones.

        A value of None means "what the recipe says"; so does the data set `auto` of a network that has one of its own.
        """
        for name in parameters:
            known(name)
        unsaid = {"dataset": AUTO}
        given = {name: value for name, value in parameters.items() if value not in (None, unsaid.get(name))}
        recipe = one_of("recipe", given.get("recipe", cls.recipe), RECIPES)
        network = network_of(given.get("architecture", cls.architecture))
        tables = RECIPES[recipe]
        values = {**tables["*"], **tables.get(network.family, {})}
        values["epochs"] = EPOCHS.get(given.get("dataset", cls.dataset), values["epochs"])
        return cls(**values | given)

    @property
    def augmentation(self) -> Augmentation:
        """The bounds of the random augmentation."""
        return Augmentation(**{bound.name: getattr(self, bound.name) for bound in dataclasses.fields(Augmentation)})

    def as_dict(self) -> dict[str, Any]:
        """Plain values, in the order of the fields: what a manifest records."""
        return dataclasses.asdict(self)


PARAMETERS = parameters_of(TrainConfig)


def beside_recipe(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a training's parameters (`as_dict`, or a manifest's) that its recipe gives otherwise today."""
    named = {key: parameters[key] for key in ("architecture", "dataset", "recipe", "epochs", "seed")}
    usual = TrainConfig.create(**named).as_dict()
    return {key: value for key, value in parameters.items() if key in usual and value != usual[key]}


def known(name: str) -> Parameter:
    """The parameter of that name. ConfigError for a name that is none, with what was probably meant."""
    return PARAMETERS[one_of("parameter", name, PARAMETERS, short=SHORT)]


def options_of(parameters: Mapping[str, Any]) -> list[str]:
    """The words of a command line that give these values: `--learning-rate 0.1`."""
    return [word for name, value in parameters.items() for word in (f"--{name.replace('_', '-')}", str(value))]
