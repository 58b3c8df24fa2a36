"""What moves the weights in Keras 3: Adam and the learning rate's schedule, to the number as PyTorch has them.

model.compile(optimizer=optimizer(config, steps=4300))
"""

import math
from typing import Any

from shared.frameworks.start_keras import keras
from shared.training.config import TrainConfig

EPSILON = 1e-8  # Adam's, the number that PyTorch has; Keras adds it before the bias correction


def optimizer(config: TrainConfig, *, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a training of so many steps, and its schedule in it."""
    kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[config.optimizer]
    rate = (
        config.learning_rate
        if config.schedule == "constant"
        else OneCycle(config.learning_rate, steps, linear=config.schedule == "triangle")
    )
    return kind(rate, beta_1=config.beta1, beta_2=config.beta2, epsilon=EPSILON, weight_decay=config.weight_decay)


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The learning rate rises from a 25th of `peak` to it in the first 30 % of the steps, then falls to nearly 0.

    Both along a cosine or, if `linear`, a straight line: the one-cycle policy (Smith & Topin 2017), with the constants
    of PyTorch's OneCycleLR.
    """

    def __init__(self, peak: float, steps: int, *, linear: bool = False) -> None:
        self.peak, self.steps, self.linear = peak, steps, linear

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step, counted from 0."""
        top = 0.3 * (self.steps + 1) - 1
        step = keras.ops.cast(step, "float32")
        between = _line if self.linear else _cosine
        rising = between(self.peak / 25, self.peak, step / top)
        falling = between(self.peak, self.peak / 25e4, (step - top) / (self.steps - top))
        return keras.ops.where(step <= top, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """What makes an equal one."""
        return {"peak": self.peak, "steps": self.steps, "linear": self.linear}


def _line(start: float, end: float, share: Any) -> Any:
    return start + (end - start) * share


def _cosine(start: float, end: float, share: Any) -> Any:
    return end + (start - end) / 2 * (1 + keras.ops.cos(math.pi * share))
