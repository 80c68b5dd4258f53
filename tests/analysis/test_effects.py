"""Estimates of one effect, against published numbers, scipy and their own symmetries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.effects import (
    MAX_EXACT_N,
    MAX_RANDOM_N,
    moments,
    paired_t,
    prediction_t,
    sign_flip_p,
    sign_flip_ps,
    welch_t,
)
from benchmarks.published import SLEEP_1, SLEEP_2

# Darwin's maize, Fisher (1935), The Design of Experiments, section 17.
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]

# Box, Hunter and Hunter (1978), Statistics for Experimenters, p. 98: wear of boys' shoes, soles
# of material A less those of B, boy by boy (R's MASS::shoes).
SHOES = [-0.8, -0.6, -0.3, 0.1, -1.1, 0.2, -0.3, -0.5, -0.5, -0.3]

losses = st.lists(st.integers(-4096, 4096).map(lambda k: k / 1024), min_size=2, max_size=9)
varied = losses.filter(lambda x: len(set(x)) > 1)


def test_paired_t_reproduces_r_on_the_sleep_data() -> None:
    # As printed by R's t.test, like the test below.
    estimate = paired_t(np.subtract(SLEEP_1, SLEEP_2))
    assert estimate.t == pytest.approx(-4.0621, abs=5e-5)
    assert estimate.p == pytest.approx(0.002833, abs=5e-7)
    assert estimate.interval(0.05) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)


def test_welch_t_reproduces_r_on_the_sleep_data() -> None:
    estimate = welch_t(SLEEP_1, SLEEP_2)
    assert estimate.t == pytest.approx(-1.8608, abs=5e-5)
    assert estimate.df == pytest.approx(17.776, abs=5e-4)
    assert estimate.p == pytest.approx(0.07939, abs=5e-6)
    assert estimate.interval(0.05) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


def test_the_shoes_of_box_hunter_and_hunter_are_reproduced() -> None:
    estimate = paired_t(SHOES)  # as printed by R's t.test
    assert (estimate.t, estimate.df) == (pytest.approx(-3.3489, abs=5e-5), 9)
    assert estimate.p == pytest.approx(0.008539, abs=5e-7)
    assert estimate.interval(0.05) == pytest.approx((-0.6869539, -0.1330461), abs=5e-8)
    assert sign_flip_p(SHOES) == 14 / 1024  # 3 of 1024 are larger and 4 equal, on either side


def test_a_paired_t_gives_fishers_for_darwins_maize() -> None:
    # Fisher (1935), section 17: t = 2.148 on 14 degrees of freedom, just below the 5 percent level.
    estimate = paired_t(DARWIN)
    assert (estimate.t, estimate.df) == (pytest.approx(2.148, abs=5e-4), 14)
    assert 0.049 < estimate.p < 0.05


@pytest.mark.parametrize(("runs", "factor"), [(5, 3.04), (7, 2.62), (10, 2.37), (20, 2.14)])
def test_a_prediction_interval_has_hahns_factors(runs: int, factor: float) -> None:
    # Hahn (1969), JASA 64, 878-888: factors of s for one further observation, 95 percent.
    baseline = np.random.default_rng(runs).normal(3.5, 0.01, runs)
    low, high = prediction_t(3.5, baseline).interval(0.05)
    assert (high - low) / 2 / baseline.std(ddof=1) == pytest.approx(factor, abs=6e-3)


def test_sign_flips_reproduce_fishers_count_for_darwins_maize() -> None:
    # Fisher (1935), section 21: 1726 of 32768 sign patterns reach the observed total.
    assert sign_flip_p(DARWIN) == 1726 / 32768


@given(varied)
def test_paired_t_agrees_with_scipy(differences: list[float]) -> None:
    expected = stats.ttest_1samp(differences, 0.0)
    assert paired_t(differences).p == pytest.approx(expected.pvalue, rel=1e-9)


@given(varied, varied)
def test_welch_t_agrees_with_scipy(arm: list[float], baseline: list[float]) -> None:
    expected = stats.ttest_ind(arm, baseline, equal_var=False)
    estimate = welch_t(arm, baseline)
    assert estimate.p == pytest.approx(expected.pvalue, rel=1e-8)
    assert estimate.df == pytest.approx(expected.df)


@given(varied)
def test_a_prediction_t_is_a_pooled_t_with_one_run_in_the_arm(baseline: list[float]) -> None:
    expected = stats.ttest_ind([1.5], baseline, equal_var=True)
    assert prediction_t(1.5, baseline).p == pytest.approx(expected.pvalue, rel=1e-9)


@given(varied, varied)
def test_swapping_the_sides_flips_the_sign_of_welchs_t(x: list[float], y: list[float]) -> None:
    assert welch_t(x, y).t == pytest.approx(-welch_t(y, x).t, abs=1e-9)


@given(losses)
def test_sign_flips_agree_with_scipys_exact_permutation(differences: list[float]) -> None:
    def size(sample: np.ndarray, axis: int) -> np.ndarray:
        return np.round(np.abs(np.sum(sample, axis=axis)), 9)

    expected = stats.permutation_test(
        (differences,), size, permutation_type="samples", alternative="greater", n_resamples=1024
    )
    assert sign_flip_p(differences) == pytest.approx(expected.pvalue)


@given(losses, st.floats(1e-6, 1e6))
def test_sign_flips_do_not_depend_on_scale_and_direction(
    differences: list[float], by: float
) -> None:
    p = sign_flip_p(differences)
    assert p == sign_flip_p(-np.array(differences))
    assert p == sign_flip_p(by * np.array(differences))
    assert min(1.0, 2.0 ** (1 - len(differences))) <= p <= 1.0


def test_sums_that_differ_by_rounding_are_counted_as_ties() -> None:
    assert sign_flip_p([0.1, 0.2, 0.3, -0.3, -0.2, -0.1]) == 1.0
    assert sign_flip_p([0.1, 0.2, 0.3]) == 0.25


def test_random_sign_flips_are_repeatable_and_near_the_t_test() -> None:
    differences = np.random.default_rng(5).normal(0.4, 1.0, MAX_EXACT_N + 10)
    p = sign_flip_p(differences)
    assert p == sign_flip_p(differences)
    assert p == pytest.approx(paired_t(differences).p, abs=0.01)
    assert sign_flip_p(np.ones(40)) == 1 / 20_000


def test_many_sign_flips_follow_their_normal_limit_without_filling_the_memory() -> None:
    generator = np.random.default_rng(6)
    for n in (MAX_RANDOM_N, MAX_RANDOM_N + 1):
        differences = generator.normal(0.15, 1.0, n)
        assert sign_flip_p(differences) == pytest.approx(paired_t(differences).p, rel=0.15)
    assert 0 < sign_flip_p(generator.normal(0.01, 1.0, 1_000_000)) < 1e-10
    assert sign_flip_p(np.zeros(1000)) == 1.0


def test_many_arms_flipped_together_have_the_same_p_as_one_by_one() -> None:
    generator = np.random.default_rng(6)
    arms = [generator.normal(0.3, 1.0, n) for n in (3, 40, 8, 40, MAX_RANDOM_N + 1, 40)]
    assert sign_flip_ps(arms) == [sign_flip_p(arm) for arm in arms]


def test_losses_near_a_million_keep_differences_of_a_millionth() -> None:
    millionths = np.array([3, 1, 4, 1, 5, 9, 2, 6]) * 2.0**-20
    mean, variance = moments(1e6 + millionths)
    assert mean - 1e6 == pytest.approx(millionths.mean(), abs=2e-10)
    assert variance == pytest.approx(millionths.var(ddof=1), rel=1e-12)
    assert paired_t((1e6 + millionths) - 1e6).t == paired_t(millionths).t


@given(losses)
def test_a_variance_is_never_negative(values: list[float]) -> None:
    assert moments(values)[1] >= 0


def test_an_interval_excludes_zero_exactly_if_p_is_below_alpha() -> None:
    estimate = paired_t(np.subtract(SLEEP_1, SLEEP_2))
    low, high = estimate.interval(estimate.p)
    assert low < high == pytest.approx(0.0, abs=1e-9)


def test_equivalence_means_that_the_interval_at_twice_alpha_is_inside_delta() -> None:
    estimate = paired_t([0.1, -0.1, 0.2, 0.0])
    widest = max(np.abs(estimate.interval(0.10)))
    assert estimate.p_within(widest * 1.001) < 0.05 < estimate.p_within(widest * 0.999)


def test_one_sided_p_values_are_halves_of_the_two_sided_one_and_complements() -> None:
    estimate = paired_t(np.subtract(SLEEP_1, SLEEP_2))  # R: alternative = "less", p = 0.001416
    assert estimate.p_below(0.0) == pytest.approx(0.001416, abs=5e-7)
    assert estimate.p_below(0.0) == pytest.approx(estimate.p / 2)
    assert estimate.p_above(0.0) == pytest.approx(1 - estimate.p_below(0.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_t([0.1]), "paired t needs at least two values"),
        (lambda: paired_t([0.5, 0.5]), "all 2 are equal"),
        (lambda: welch_t([1.0], [1.0, 2.0]), "two losses on each side, not 1 and 2"),
        (lambda: welch_t([1.0, 1.0], [2.0, 2.0]), "needs a side that varies"),
        (lambda: prediction_t(1.0, [2.0]), "prediction t needs at least two values"),
        (lambda: sign_flip_p([]), "at least one difference"),
        (lambda: moments([]), "give at least one"),
    ],
)
def test_an_effect_that_cannot_be_estimated_is_refused_with_the_reason(call, message: str) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=message):
        call()
