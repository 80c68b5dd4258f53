"""Variances moderated by those of other arms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import polygamma, stdtr, stdtrit

from analysis.moderation import (
    MIN_ARMS,
    MIN_COVERAGE,
    MIN_DF,
    fit_prior,
    moderate,
    safe_df,
    trigamma_inverse,
)

# statistics.md, section 8: standard deviations of paired differences, nats.
SDS = np.array([0.0025, 0.0063, 0.0030, 0.0091, 0.0003, 0.0006, 0.0188, 0.0075])

variances = st.lists(st.floats(1e-10, 1.0), min_size=MIN_ARMS, max_size=16)
dfs = st.integers(MIN_DF, 8)


def test_the_trigamma_inverse_knows_the_closed_values() -> None:
    # Abramowitz and Stegun 6.4.3 and 6.4.4: trigamma(1) = pi^2 / 6, trigamma(1/2) = pi^2 / 2.
    assert trigamma_inverse([math.pi**2 / 6, math.pi**2 / 2]) == pytest.approx([1.0, 0.5])


@given(st.floats(1e-7, 1e7))
def test_the_trigamma_inverse_inverts(x: float) -> None:
    assert polygamma(1, trigamma_inverse(x)) == pytest.approx(x, rel=1e-8)


def test_the_fit_recovers_the_prior_that_drew_the_variances() -> None:
    generator = np.random.default_rng(3)
    d0, s0_squared, df = 6.0, 4e-4, 4
    true = d0 * s0_squared / generator.chisquare(d0, 20_000)
    prior = fit_prior(true * generator.chisquare(df, true.size) / df, df)
    assert 2 * prior.df.item() == pytest.approx(d0, rel=0.05)  # halved on purpose
    assert prior.variance.item() == pytest.approx(s0_squared, rel=0.03)


def test_the_moderated_variance_equals_the_formula_worked_by_hand() -> None:
    s2, df = SDS**2, 2
    log_s2 = np.log(s2) - polygamma(0, 1.0) + np.log(1.0)
    half_d0 = trigamma_inverse(log_s2.var(ddof=1) - polygamma(1, 1.0)).item()
    s0_squared = math.exp(log_s2.mean() + polygamma(0, half_d0) - math.log(half_d0))
    expected = np.maximum((half_d0 * s0_squared + df * s2) / (half_d0 + df), s2)
    moderated, total_df = moderate(s2, df, fit_prior(s2, df))
    assert moderated == pytest.approx(expected)
    assert total_df == pytest.approx(half_d0 + df)


@given(variances, dfs)
def test_a_variance_is_never_moderated_below_the_arms_own(s2: list[float], df: int) -> None:
    moderated, total_df = moderate(s2, df, fit_prior(s2, df))
    assert (moderated >= s2).all()
    assert (total_df >= df).all()
    assert (total_df <= len(s2) * df).all()


@given(variances, dfs, st.floats(1e-3, 1e3))
def test_the_unit_of_the_loss_does_not_matter(s2: list[float], df: int, unit: float) -> None:
    scaled = np.array(s2) * unit**2
    moderated, total_df = moderate(s2, df, fit_prior(s2, df))
    again, again_df = moderate(scaled, df, fit_prior(scaled, df))
    assert again == pytest.approx(moderated * unit**2, rel=1e-5)
    assert again_df == pytest.approx(total_df, rel=1e-5)


def test_equally_noisy_arms_are_lent_a_quarter_of_all_degrees_of_freedom() -> None:
    prior = fit_prior([1.0, 1.1, 0.9, 1.0, 1.0, 1.0], 4)
    moderated, df = moderate([1.0, 1.1, 0.9, 1.0, 1.0, 1.0], 4, prior)
    assert prior.df.item() == math.inf
    assert (df == 4 + 24 / 4).all()
    assert moderated[2] == pytest.approx((4 * 0.9 + 6 * prior.variance.item()) / 10)


@pytest.mark.parametrize("own", [1, 2, 3, 4, 6, 10, 12])
def test_lent_degrees_of_freedom_leave_an_arm_of_any_noise_its_coverage(own: int) -> None:
    critical = -stdtrit(own + safe_df(own), 0.025)
    assert 1 - 2 * stdtr(own, -critical) == pytest.approx(MIN_COVERAGE, abs=1e-9)


def test_an_arm_with_fewer_seeds_than_most_is_lent_no_more_than_is_safe() -> None:
    own = np.array([2, *[6] * 7])
    variances = np.linspace(0.9, 1.1, 8)
    _, df = moderate(variances, own, fit_prior(variances, own))
    assert df[0] == pytest.approx(2 + safe_df(2).item())
    assert (df[1:] == 6 + own.sum() / 4).all()
    assert np.isinf(safe_df([25, 40])).all()


@pytest.mark.parametrize("arms", range(MIN_ARMS))
def test_too_few_arms_keep_their_own_variances(arms: int) -> None:
    prior = fit_prior(SDS[:arms] ** 2, 2)
    moderated, df = moderate(SDS[:arms] ** 2, 2, prior)
    assert prior.df.item() == 0
    assert (moderated == SDS[:arms] ** 2).all()
    assert (df == 2).all()


def test_arms_with_two_seeds_are_neither_learned_from_nor_moderated() -> None:
    none = fit_prior(SDS**2, 1)
    assert (none.df.item(), none.arms.item()) == (0, 0)
    own = [2] * 8 + [1]
    prior = fit_prior([*SDS**2, 4e-6], own)
    assert prior.df == fit_prior(SDS**2, 2).df
    moderated, df = moderate([*SDS**2, 4e-6], own, prior)
    assert (moderated[-1], df[-1]) == (4e-6, 1)
    assert df[0] > 2


def test_identical_arms_and_arms_without_pairs_do_not_change_the_prior() -> None:
    taught = fit_prior(SDS**2, 2)
    with_others = fit_prior([*SDS**2, 0.0, 0.0], [2] * 8 + [2, 0])
    assert with_others.df == pytest.approx(taught.df)
    assert with_others.df_limit.item() == 16
    assert with_others.arms.item() == 8
    assert fit_prior([*SDS[:3] ** 2, 0.0], 2).df.item() == 0


def test_arms_with_more_seeds_keep_their_own_degrees_of_freedom() -> None:
    own = np.array([2, 2, 4, 4, 6, 2, 2, 2])
    prior = fit_prior(SDS**2, own)
    _, df = moderate(SDS**2, own, prior)
    assert df == pytest.approx(own + prior.df.item())
    assert prior.df_limit.item() == own.sum()


def test_many_studies_are_moderated_at_once_as_one_by_one() -> None:
    studies = np.random.default_rng(0).chisquare(2, (50, 8)) * SDS**2
    together, df = moderate(studies, 2, fit_prior(studies, 2))
    for i, study in enumerate(studies):
        alone, alone_df = moderate(study, 2, fit_prior(study, 2))
        assert together[i] == pytest.approx(alone, rel=1e-9)
        assert df[i] == pytest.approx(alone_df, rel=1e-9)
