"""The spread that all arms have in common."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.spread import common_spread

SPRAYS = {  # R's InsectSprays
    "A": [10, 7, 20, 14, 14, 12, 10, 23, 17, 20, 14, 13],
    "B": [11, 17, 21, 11, 16, 14, 17, 17, 19, 21, 7, 13],
    "C": [0, 1, 7, 2, 3, 1, 2, 1, 3, 0, 1, 4],
    "D": [3, 5, 12, 6, 4, 3, 5, 5, 5, 5, 2, 4],
    "E": [3, 5, 3, 5, 3, 6, 1, 1, 3, 2, 6, 4],
    "F": [11, 9, 15, 22, 15, 16, 13, 10, 26, 26, 24, 13],
}


def test_bartletts_test_is_that_of_r() -> None:
    found = common_spread(list(SPRAYS.values()))
    assert found is not None
    # R: bartlett.test(count ~ spray, InsectSprays): p-value = 9.085e-05; aov: residual se 3.922.
    assert found.p_bartlett == pytest.approx(9.085e-05, rel=1e-4)
    assert (found.arms, found.df, found.sd) == (6, 66, pytest.approx(3.922, abs=5e-4))


def test_arms_with_fewer_than_four_runs_are_left_out() -> None:
    four, three = [1.0, 2.0, 4.0, 3.0], [1.0, 9.0, 5.0]
    assert common_spread([four, three]) is None
    found = common_spread([four, three, four])
    assert found is not None
    assert (found.arms, found.df) == (2, 6)


def test_an_arm_that_does_not_vary_has_another_spread() -> None:
    found = common_spread([[1.0, 2.0, 4.0, 3.0], [1.0] * 4])
    assert found is not None
    assert found.p_bartlett == 0
    assert common_spread([[1.0] * 4, [2.0] * 4]) is None


def test_equal_variances_are_rejected_in_one_study_of_twenty() -> None:
    draws = np.random.default_rng(3).standard_normal((2000, 8, 5))
    p = [found.p_bartlett for study in draws if (found := common_spread(list(study)))]
    assert 0.035 < np.mean(np.array(p) < 0.05) < 0.065


def test_arms_that_differ_by_a_constant_alone_have_a_p_of_one() -> None:
    """Their variances agree but for rounding, which may carry the statistic below zero."""
    noise = np.random.default_rng(3).normal(0.0, 0.03, (200, 4))
    for losses in noise:
        spread = common_spread([losses + 1.0116, losses + 1.0777])
        assert spread is not None
        assert spread.p_bartlett == pytest.approx(1.0)
