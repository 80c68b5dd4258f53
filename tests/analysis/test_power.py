"""Power and numbers of seeds, against R and scipy, and their monotony."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import stdtr

from analysis.moderation import fit_prior, moderate
from analysis.power import (
    MAX_SEEDS,
    moderated_spread,
    paired_precision,
    seeds_to_see,
    smallest_visible_effect,
    smallest_visible_effect_unpaired,
    t_power,
    unpaired_precision,
)

effects = st.floats(-0.02, 0.02)
spreads = st.floats(1e-4, 0.05)
counts = st.integers(2, 9)


def test_unpaired_power_is_that_of_rs_power_t_test() -> None:
    # R: power.t.test(n = 20, delta = 1, sd = 1) gives 0.8689528;
    # power.t.test(power = .90, delta = 1) gives n = 22.02110 (both from its help page).
    assert t_power(1.0, math.sqrt(2 / 20), 38, 0.05) == pytest.approx(0.8689528, abs=5e-7)
    effect = smallest_visible_effect_unpaired(20, 1.0, power=0.8689528)
    assert effect == pytest.approx(1.0, abs=1e-5)
    assert smallest_visible_effect_unpaired(23, 1.0, power=0.9) < 1.0
    assert smallest_visible_effect_unpaired(22, 1.0, power=0.9) > 1.0


@pytest.mark.parametrize("df", [1, 2, 2.4, 6, 14.5, 200])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 8])
@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0, 12.0])
def test_power_agrees_with_scipys_noncentral_t(df: float, alpha: float, shift: float) -> None:
    critical = stats.t.isf(alpha / 2, df)
    wrong_side = stats.nct.cdf(-critical, df, shift) if shift < 5 else 0.0  # scipy: NaN at 12
    expected = stats.nct.sf(critical, df, shift) + wrong_side
    assert t_power(-shift, 1.0, df, alpha) == pytest.approx(expected, abs=1e-6)


@given(effects, spreads, counts, st.floats(0.0, 6.0))
def test_power_never_falls_with_more_seeds(
    effect: float, sd: float, n: int, extra_df: float
) -> None:
    precision = paired_precision(sd, n, extra_df)
    steps = [precision(further) for further in (0, 1, 2, 5, 20, 100, 1000)]
    against_zero = [t_power(effect, *step, 0.05) for step in steps]
    assert (np.diff(against_zero) >= -1e-6).all()


def test_the_visible_effect_shrinks_with_seeds_and_is_infinite_for_one() -> None:
    for visible in (smallest_visible_effect, smallest_visible_effect_unpaired):
        sizes = [visible(n, 0.0123) for n in range(1, 21)]
        assert sizes[0] == math.inf
        assert sizes == sorted(sizes, reverse=True)


def test_the_visible_effect_scales_with_the_noise() -> None:
    assert smallest_visible_effect(5, 0.02) == pytest.approx(2 * smallest_visible_effect(5, 0.01))


@given(effect=st.floats(1e-3, 0.1), sd=spreads, paired=st.booleans())
def test_seeds_to_see_is_the_smallest_number_with_the_power(
    effect: float, sd: float, paired: bool
) -> None:
    visible = smallest_visible_effect if paired else smallest_visible_effect_unpaired
    precision = paired_precision(sd, 1) if paired else unpaired_precision(sd**2, 1, sd**2, 1)
    seeds = seeds_to_see(effect, precision, 0.05 / 8)
    if seeds is None:
        assert visible(MAX_SEEDS, sd, 0.05 / 8) > effect
        return
    assert visible(seeds, sd, 0.05 / 8) <= effect * (1 + 1e-9)
    assert seeds == 2 or visible(seeds - 1, sd, 0.05 / 8) > effect * (1 - 1e-9)


def test_seeds_to_see_are_those_of_rs_power_t_test() -> None:
    # R: power.t.test(power = .90, delta = 1) gives n = 22.02110 (from its help page).
    assert seeds_to_see(1.0, unpaired_precision(1.0, 1, 1.0, 1), power=0.9) == 23


@pytest.mark.parametrize("effect", [0.0, -0.01, math.inf, math.nan])
def test_seeds_to_see_no_effect_are_refused(effect: float) -> None:
    with pytest.raises(ValueError, match="no number of seeds detects an effect of "):
        seeds_to_see(effect, paired_precision(0.01, 1))


def test_only_many_arms_gain_degrees_of_freedom_from_each_other() -> None:
    variances = [1e-6, 4e-6, 9e-6, 1e-5, 2e-6, 3e-6, 8e-6, 5e-6]
    moderated, lent = moderated_spread(variances, 4, seeds=3, arms=8)
    assert 0 < lent <= 7 * 2
    assert moderated[0] > variances[0]
    assert moderated[3] == variances[3]
    for known, seeds, arms in ((variances, 3, 5), (variances[:5], 3, 8), (variances, 2, 8)):
        spread, lent = moderated_spread(known, 4, seeds=seeds, arms=arms)
        assert (spread.tolist(), lent) == (known, 0.0)


def test_a_moderated_t_has_the_power_that_its_plan_promises() -> None:
    sds = np.array([0.0025, 0.0063, 0.0030, 0.0091, 0.0003, 0.0006, 0.0188, 0.0075])
    seeds, alpha, generator = 3, 0.05 / 8, np.random.default_rng(1)
    spread, lent = moderated_spread(sds**2, seeds - 1, seeds, len(sds))
    effects = [smallest_visible_effect(seeds, sd, alpha, extra_df=lent) for sd in np.sqrt(spread)]
    noise = generator.normal(size=(4000, len(sds), seeds)) * sds[:, None]
    differences = np.array(effects)[:, None] + noise
    means, variances = differences.mean(axis=-1), differences.var(axis=-1, ddof=1)
    moderated, df = moderate(variances, seeds - 1, fit_prior(variances, seeds - 1))
    p = 2 * stdtr(df, -np.abs(means) / np.sqrt(moderated / seeds))
    power = (p < alpha).mean(axis=0)
    assert np.median(power) == pytest.approx(0.8, abs=0.04)
    assert power.min() > 0.7  # an arm much steadier than the others has more


def test_the_smallest_visible_effect_of_n_seeds_needs_n_seeds() -> None:
    effect = smallest_visible_effect(12, 0.01, alpha=0.01)
    precision = paired_precision(0.01, 1)
    assert seeds_to_see(effect * (1 + 1e-9), precision, 0.01) == 12
    assert seeds_to_see(effect * (1 - 1e-6), precision, 0.01) == 13


def test_unpaired_seeds_are_those_of_rs_power_t_test() -> None:
    assert seeds_to_see(1.0, unpaired_precision(1.0, 1, 1.0, 1), 0.05, power=0.9) == 23
