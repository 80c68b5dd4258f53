"""E-values and confidence sequences: their formula, their limits, and their error over all looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from analysis.anytime import (
    PRIOR_PRECISION,
    confidence_sequence,
    half_width,
    log_e,
    log_e_value,
    step_down,
)

differences = st.lists(st.integers(-4096, 4096).map(lambda k: k / 1024), min_size=3, max_size=12)
varied = differences.filter(lambda d: len(set(d)) > 1)


def mixture(d: list[float], effect: float) -> float:
    """Log of the ratio of the noncentral t density, averaged over N(0, 1/c^2), to the central one."""
    n = len(d)
    t = math.sqrt(n) * (np.mean(d) - effect) / np.std(d, ddof=1)
    prior = stats.norm(scale=PRIOR_PRECISION**-0.5)

    def integrand(delta: float) -> float:
        return float(stats.nct.pdf(t, n - 1, math.sqrt(n) * delta) * prior.pdf(delta))

    around = t / math.sqrt(n)
    total, _ = integrate.quad(integrand, around - 8, around + 8, points=[0, around], limit=200)
    return math.log(total / float(stats.t.pdf(t, n - 1)))


@pytest.mark.parametrize(
    ("d", "effect"),
    [([0.3, 0.1, 0.25, 0.4], 0.0), ([1.0, -0.5, 0.2], 0.0), ([0.3, 0.1, 0.25, 0.4, 0.2], 0.2)],
)
def test_an_e_value_is_the_likelihood_ratio_averaged_over_its_prior(
    d: list[float], effect: float
) -> None:
    assert log_e_value(d, effect) == pytest.approx(mixture(d, effect), abs=1e-3)


def test_two_seeds_never_decide_and_one_says_nothing() -> None:
    largest = 0.5 * math.log((2 + PRIOR_PRECISION) / PRIOR_PRECISION)
    assert log_e_value([0.1, 0.1]) == pytest.approx(largest)
    assert largest < math.log(1 / 0.05)
    assert log_e_value([0.1]) == 0
    assert log_e_value([]) == 0
    assert confidence_sequence([0.1, 0.2], 0.05) == (-math.inf, math.inf)


def test_equal_differences_of_zero_are_evidence_against_no_effect_at_all() -> None:
    assert log_e_value([0.0, 0.0, 0.0]) < 0


@given(varied)
def test_the_ends_of_the_sequence_are_the_effects_that_are_just_rejected(d: list[float]) -> None:
    low, high = confidence_sequence(d, 0.05)
    if math.isfinite(low):
        assert log_e_value(d, low) == pytest.approx(math.log(20), abs=1e-6)
        assert log_e_value(d, high) == pytest.approx(math.log(20), abs=1e-6)


@given(varied, st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_evidence_does_not_depend_on_unit_or_origin(d: list[float], unit: float, by: float) -> None:
    x = np.array(d)
    moved = log_e(x.size, unit * (x.mean() - by), unit**2 * x.var(ddof=1))
    assert moved == pytest.approx(float(log_e(x.size, x.mean() - by, x.var(ddof=1))), rel=1e-9)


def test_the_interval_is_about_twice_as_wide_as_that_of_a_single_look() -> None:
    for n in (5, 7, 10, 20):
        fixed = float(stats.t.ppf(0.975, n - 1)) / math.sqrt(n)
        assert 1.5 < half_width(n, 1.0, 0.05) / fixed < 3


def test_a_false_alarm_at_any_of_twenty_looks_is_rarer_than_alpha() -> None:
    # 4,000 arms without an effect: the fixed-sample t is fooled in 0.2 of them, the e-value in 0.05
    # at most; three standard errors of a share of 0.05 are 0.0103.
    d = np.random.default_rng(14).normal(size=(4000, 20))
    alarmed, fooled = np.zeros(4000, bool), np.zeros(4000, bool)
    for n in range(2, 21):
        mean, variance = d[:, :n].mean(axis=1), d[:, :n].var(axis=1, ddof=1)
        alarmed |= log_e(n, mean, variance) >= math.log(1 / 0.05)
        t = np.abs(mean) / np.sqrt(variance / n)
        fooled |= t > stats.t.ppf(0.975, n - 1)
    assert alarmed.mean() < 0.05 + 0.0103
    assert fooled.mean() > 0.15


def test_the_step_down_compares_the_largest_with_the_whole_family() -> None:
    values = np.log([100.0, 50.0, 30.0])
    assert step_down(values, 0.05) == [True, True, True]  # 60, 40 and 20 are asked
    assert step_down(values[::-1], 0.05) == [True, True, True]
    assert step_down(np.log([59.0, 58.0, 57.0]), 0.05) == [False, False, False]
    assert step_down(np.log([100.0, 39.0, 30.0]), 0.05) == [True, False, False]
    assert step_down(values, 0.05, family=9) == [False, False, False]
