"""Further tests beside those that decide: published values, scipy's, and what they promise."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.details import brown_forsythe, details
from analysis.run_order import FEWEST_RUNS, run_order
from analysis.two_samples import mann_whitney_p, permutation_p
from analysis.verdict import Plan, judge

RNG = np.random.default_rng(5)
BASE = 3.5 + 0.01 * RNG.standard_normal(6)
ARMS = {f"arm-{i}": BASE + 0.004 * i + 0.003 * RNG.standard_normal(6) for i in range(-1, 3)}
PLAN = Plan(arms=tuple(ARMS), smallest_effect=0.005)


@pytest.fixture
def found(study):  # noqa: ANN001, ANN201  (fixtures)
    runs = study({"baseline": BASE, **ARMS})
    judgement = judge(runs, PLAN)
    return judgement, details(runs, PLAN, judgement)


# Hollander and Wolfe (1973), p. 69: permeability of the placenta; R's example of wilcox.test.
AT_TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLIER = [1.15, 0.88, 0.90, 0.74, 1.21]


def test_mann_whitney_s_exact_p_is_that_of_r() -> None:
    assert mann_whitney_p(AT_TERM, EARLIER) == pytest.approx(0.2544, abs=5e-5)


@pytest.mark.parametrize("sizes", [(1, 6), (3, 4), (5, 5), (7, 4)])
def test_mann_whitney_without_ties_is_scipy_s(sizes: tuple[int, int]) -> None:
    x, y = RNG.standard_normal(sizes[0]), RNG.standard_normal(sizes[1]) + 0.7
    expected = stats.mannwhitneyu(x, y, method="exact").pvalue
    assert mann_whitney_p(x, y) == pytest.approx(expected)


def test_the_smallest_permutation_p_counts_both_extreme_deals() -> None:
    assert permutation_p([1.0, 2.0, 3.0], [11.0, 12.0, 13.0]) == pytest.approx(2 / 20)
    assert permutation_p([1.0, 1.0], [1.0, 1.0]) == 1.0


@pytest.mark.parametrize(("n", "within"), [(15, 0.01), (150, 0.01)])
def test_many_runs_are_dealt_at_random_or_by_the_normal_limit(n: int, within: float) -> None:
    x, y = RNG.standard_normal(n), RNG.standard_normal(n) + 1.6 / n**0.5
    assert permutation_p(x, y) == pytest.approx(stats.ttest_ind(x, y).pvalue, abs=within)
    assert mann_whitney_p(x, y) == pytest.approx(stats.mannwhitneyu(x, y).pvalue, abs=within)


def test_a_test_of_two_samples_needs_both() -> None:
    with pytest.raises(ValueError, match="needs a run of each, not 0 and 2"):
        permutation_p([], [1.0, 2.0])


def test_brown_and_forsythe_s_test_is_levene_s_with_medians() -> None:
    arms = [RNG.standard_normal(n) * sd for n, sd in ((5, 1), (8, 4), (6, 2))]
    expected = stats.levene(*arms, center="median")
    test = brown_forsythe([*arms, np.array([1.0])])
    assert test is not None
    assert (test.f, test.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert test.df == (2, 16)
    assert brown_forsythe([np.ones(3), np.ones(3)]) is brown_forsythe(arms[:1]) is None


def test_one_sided_p_values_and_the_interval_of_equivalence_are_those_of_the_verdict(found) -> None:  # noqa: ANN001
    judgement, more = found
    for row, each in zip(judgement.arms[1:], more.arms, strict=True):
        assert 2 * min(each.p_less, each.p_greater) == pytest.approx(row.p)
        assert each.p_less + each.p_greater == pytest.approx(1)
        inside = each.equivalence_low > -0.005 and each.equivalence_high < 0.005
        assert inside == (each.p_negligible < 0.05)


def test_the_p_of_the_verdict_is_adjusted_by_every_correction(found) -> None:  # noqa: ANN001
    judgement, more = found
    for row, each in zip(judgement.arms[1:], more.arms, strict=True):
        by = each.p_adjusted_by
        assert (by["none"], by["holm"]) == (row.p, row.p_adjusted)
        assert by["none"] <= by["hommel"] <= by["hochberg"] <= by["holm"] <= by["bonferroni"]
        assert by["bh"] <= by["by"]


def test_dunnett_s_comparisons_are_scipy_s(found) -> None:  # noqa: ANN001
    _, more = found
    expected = stats.dunnett(*ARMS.values(), control=BASE, rng=np.random.default_rng(0))
    assert [each.dunnett.p for each in more.arms] == pytest.approx(expected.pvalue, abs=2e-3)


def test_arms_without_runs_have_no_tests(study) -> None:  # noqa: ANN001
    runs = study({"baseline": BASE, "arm-0": BASE + 0.1})
    plan = Plan(arms=("arm-0", "lost"), smallest_effect=0.0)
    lost = details(runs, plan, judge(runs, plan)).arms[1]
    assert (lost.p_less, lost.p_mann_whitney, lost.dunnett) == (None, None, None)
    assert set(lost.p_adjusted_by.values()) == {None}
    empty = runs[runs["arm"] == "none"]
    assert details(empty, plan, judge(empty, plan)).brown_forsythe is None


def in_order(drift: float, arms: int = 4, seeds: int = 10, random: int = 5) -> pd.DataFrame:
    """Runs queued by seed, whose losses rise and fall slowly by `drift`, beside effects and noise."""
    rng, n = np.random.default_rng(random), arms * seeds
    arm, seed = np.tile(np.arange(arms), seeds), np.repeat(np.arange(seeds), arms)
    noise = 0.01 * rng.standard_normal(n) + 0.1 * arm + 0.05 * rng.standard_normal(seeds)[seed]
    loss = 3 + noise + drift * np.sin(np.arange(n) / 2.5)
    return pd.DataFrame({"arm": arm, "seed": seed, "loss": loss, "finished": np.arange(n) + 1e9})


def test_drift_shows_in_the_order_of_runs_and_seeds_do_not() -> None:
    steady, drifting = run_order(in_order(0.0)), run_order(in_order(0.03))
    assert steady is not None
    assert drifting is not None
    assert steady.runs == drifting.runs == 40
    # What is left of four runs of a seed adds to zero: neighbours have a correlation of -1/3.
    assert steady.expected == drifting.expected == pytest.approx(-0.25, abs=0.05)
    assert drifting.correlation > steady.correlation + 0.2
    assert steady.p > 0.05 > drifting.p


def test_without_drift_few_studies_seem_to_drift() -> None:
    seen = [run_order(in_order(0.0, seeds=5, random=i)) for i in range(20)]
    assert sum(each is not None and each.p < 0.05 for each in seen) <= 4


def test_few_runs_and_runs_without_noise_have_no_order() -> None:
    runs = in_order(0.0)
    assert run_order(runs.head(FEWEST_RUNS - 1)) is None
    assert run_order(runs.assign(loss=3.0 + 0.1 * runs["arm"])) is None
    assert run_order(runs.assign(finished=np.nan)) is None
