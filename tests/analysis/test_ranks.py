"""Rank tests with runs that count as the worst of all."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, wilcoxon

from analysis.ranks import MAX_EXACT, mann_whitney, signed_rank


def test_signed_ranks_have_the_critical_values_of_the_tables() -> None:
    # Two-sided 0.05: a rank total of 8 at n = 10 and of 0 at n = 6; 25 of 2^9 subsets have up to 8.
    assert signed_rank([1, 2, 3, 4, 5, 6, 7, -8, 9, 10]).p == 2 * 25 / 2**10
    assert signed_rank([-1, 2, 3, 4, 5, 6, 7, -8, 9, 10]).p > 0.05
    assert signed_rank(range(1, 7)).p == 2 / 2**6


def test_both_tests_agree_with_scipy_without_ties() -> None:
    generator = np.random.default_rng(0)
    for n in (3, 6, 15, 40):
        x, y = generator.normal(0.3, 1, n), generator.normal(0, 1, n + 3)
        assert signed_rank(x).p == pytest.approx(wilcoxon(x, mode="exact").pvalue)
        expected = mannwhitneyu(x, y, method="exact").pvalue
        assert mann_whitney(x, y).p == pytest.approx(expected)


def test_tied_values_are_counted_and_not_approximated() -> None:
    # Of the 2^3 signs of (1, 1, 2), two give a sum as low as -4 or as high as 4.
    assert signed_rank([-1, -1, -2]).p == 2 / 8
    assert signed_rank([-1, 1, -2]).p_less == 3 / 8
    # Of the 6 ways to choose two of (1, 1, 2, 2), one has both ones.
    assert mann_whitney([1, 1], [2, 2]).p_less == 1 / 6


def test_an_infinite_value_is_the_worst_of_all_and_zeros_say_nothing() -> None:
    assert signed_rank([-1, -2, np.inf]) == signed_rank([-1, -2, 3])
    assert signed_rank([-1, -2, np.inf, 0]) == signed_rank([-1, -2, np.inf])
    assert mann_whitney([1, np.inf], [2, 3]) == mann_whitney([1, 4], [2, 3])
    assert mann_whitney([np.inf, np.inf], [np.inf]).p == 1
    assert signed_rank([]).p == signed_rank([0.0]).p == mann_whitney([], [1]).p == 1


def test_the_normal_limit_continues_the_exact_distribution() -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(0.15, 1, MAX_EXACT)
    exact, limit = signed_rank(x), signed_rank(np.append(x, [1e-9]))
    assert limit.p == pytest.approx(exact.p, rel=0.05)
    half = MAX_EXACT // 2
    exact, limit = mann_whitney(x[:half], x[half:]), mann_whitney(x[:half], np.append(x[half:], 0))
    assert limit.p == pytest.approx(exact.p, abs=0.03)
    assert signed_rank(np.r_[np.full(60, 1.0), np.full(60, -1.0)]).p == 1
