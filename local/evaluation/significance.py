"""Whether two models answer alike on the same images, and whether one is really better.

    pair = compare(logits, other_logits, labels)
    pair.equal, pair.p_value, really_differ(pair, comparisons=3)

Both models saw the same images, so only those count that one alone got right: McNemar's test, in its exact form. The
standard error of an accuracy answers another question, how far it may lie from that on all images of the kind.
"""

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05  # how often equally good models may be called different

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two models on the same images. `equal` is the share of equal answers, 0 to 1.

    `largest_difference` is the largest of any logit; None where only answers are known. `only_first` and `only_second`
    count the images that one alone got right; `p_value` is McNemar's for these counts.
    """

    images: int
    equal: float
    largest_difference: float | None
    only_first: int
    only_second: int
    p_value: float


def compare(first: NDArray[np.float32], second: NDArray[np.float32], labels: Integers) -> Pair:
    """The agreement of logits float32 [n, classes] with other logits [n, classes], n > 0, against labels [n]."""
    return compare_answers(
        first.argmax(1), second.argmax(1), labels, largest_difference=float(np.abs(first - second).max())
    )


def compare_answers(
    first: Integers, second: Integers, labels: Integers, *, largest_difference: float | None = None
) -> Pair:
    """The agreement of answers int [n], n > 0, where no logits were kept."""
    only_first = int(((first == labels) & (second != labels)).sum())
    only_second = int(((second == labels) & (first != labels)).sum())
    return Pair(
        images=len(labels),
        equal=float((first == second).mean()),
        largest_difference=largest_difference,
        only_first=only_first,
        only_second=only_second,
        p_value=mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of so many images that one model alone got right, were both equally good.

    McNemar 1947, exact: a fair coin thrown `only_first + only_second` times, as scipy's `binomtest` has it. Counted in
    whole numbers, because loading scipy takes longer than evaluating a model.
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    ways = accumulate(range(fewer), lambda ways, i: ways * (n - i) // (i + 1), initial=1)  # n over 0, 1, … fewer
    return float(min(1.0, 2 * sum(ways) / 2**n))


def really_differ(pair: Pair, *, comparisons: int = 1) -> bool:
    """Whether chance alone would seldom (1 in 20) set the two apart so far.

    Of many comparisons one always looks good, so that they share the level (Bonferroni).
    """
    return pair.p_value < LEVEL / comparisons


def standard_error(accuracy: float, images: int) -> float:
    """Of an accuracy in 0..1 measured on so many images, the binomial one: one sample in three misses by more."""
    return math.sqrt(accuracy * (1 - accuracy) / images)
