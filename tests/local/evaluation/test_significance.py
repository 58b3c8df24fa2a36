import numpy as np
import pytest
from scipy.stats import binomtest

from local.evaluation import significance


@pytest.mark.parametrize(("one", "other"), [(0, 0), (1, 0), (5, 12), (12, 5), (40, 40), (3, 3000), (2500, 2600)])
def test_mcnemar_is_the_exact_binomial_test(one, other):
    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert significance.mcnemar(one, other) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_a_pair_counts_what_one_alone_got_right():
    labels = np.array([0, 1, 2, 2, 1])
    first = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 0]]
    second = np.eye(3, dtype=np.float32)[[0, 0, 2, 2, 2]] * 3
    pair = significance.compare(first, second, labels)
    assert (pair.images, pair.equal, pair.only_first, pair.only_second) == (5, 0.4, 1, 1)
    assert pair.largest_difference == 3 and pair.p_value == 1
    assert significance.compare_answers(first.argmax(1), second.argmax(1), labels).largest_difference is None


def test_many_comparisons_share_the_level():
    pair = significance.compare_answers(np.zeros(20), np.ones(20), np.r_[np.zeros(16), np.ones(4)])
    assert 0.005 < pair.p_value < 0.05
    assert significance.really_differ(pair) and not significance.really_differ(pair, comparisons=10)


def test_the_standard_error_is_the_binomial_one():
    assert significance.standard_error(0.992, 10_000) == pytest.approx(0.0009, abs=1e-5)
    assert significance.standard_error(1.0, 10_000) == 0
