"""Intervals of effects that were chosen for being significant."""

import numpy as np
import pytest
from scipy.stats import norm, t

from analysis.selection import SIMULTANEOUS, interval_of_sum, selected_sizes
from benchmarks.gates.stacks import COVERAGE, SCENARIOS, covered


def test_an_effect_far_beyond_its_critical_value_has_the_usual_interval() -> None:
    found = selected_sizes([40.0], [4.6], [4.0], 8, 0.05)
    margin = t.isf(0.025, 4)
    assert found.median.item() == pytest.approx(40, abs=0.05)
    assert found.low.item() == pytest.approx(40 - margin, rel=0.03)
    assert found.high.item() == pytest.approx(40 + margin, rel=0.03)


def test_an_effect_barely_beyond_its_critical_value_may_be_nothing() -> None:
    found = selected_sizes([2.75], [2.73], [np.inf], 8, 0.05)
    assert found.low.item() < 0
    assert found.low.item() >= 2.75 + norm.ppf(SIMULTANEOUS / 16) - 1e-3
    assert found.high.item() < 2.75 + 1.96


def test_the_bounds_have_their_probabilities_given_the_choice() -> None:
    # A normal estimate of 3.2 that was chosen for exceeding 2.5: the tails of the truncated normal.
    found = selected_sizes([3.2], [2.5], [np.inf], 1, 0.05)
    for size, share in ((found.median, 0.5), (found.high, 0.975)):
        tail = norm.sf(3.2 - size.item()) / norm.sf(2.5 - size.item())
        assert tail == pytest.approx(share, abs=1e-3)


def test_the_interval_of_a_sum_adds_margins_as_their_correlation_says() -> None:
    low, middle, high = np.array([0.0, 1.0]), np.array([3.0, 5.0]), np.array([4.0, 8.0])
    apart = interval_of_sum(low, middle, high, np.eye(2))
    assert apart == pytest.approx((8 - 5, 8 + 10**0.5))
    together = interval_of_sum(low, middle, high, np.ones((2, 2)))
    assert together == pytest.approx((1, 12))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_stacks_interval_holds_the_true_sum_in_93_percent_of_studies(name: str) -> None:
    holds = covered(np.random.default_rng(1), 1000, 5, *SCENARIOS[name])
    assert holds.mean() >= COVERAGE - 2.5 * (COVERAGE * (1 - COVERAGE) / holds.size) ** 0.5
