"""One fixed split of a data set into a training and a validation part, for every choice."""

import numpy as np
import numpy.typing as npt

from shared.core.errors import ConfigError

Indices = npt.NDArray[np.int64]


def split(labels: npt.NDArray[np.int64], *, validation: int, seed: int = 0) -> tuple[Indices, Indices]:
    """Indices of the training and of the validation part, both ascending, with the same shares of the classes.

    The same for every run, whatever its seed: shuffled, sorted by class, then taken at equal steps. RandomState is
    frozen: numpy may change the numbers of its newer generators.
    """
    if not 0 <= validation < len(labels):
        raise ConfigError(f"{validation} validation images cannot be taken from {len(labels)}")
    shuffled = np.random.RandomState(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[by_class[np.arange(validation) * len(labels) // max(validation, 1)]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
