"""How many further seeds may settle an undecided arm, and with what chance.

The chance is a predictive power (Spiegelhalter, Freedman and Blackburn 1986, Controlled Clinical
Trials 7, 8-17): the power of the later test, averaged over what the runs so far leave open of effect
and variance. Taking the estimates for the truth promised 80% where 9 to 76% came true.

Before the data, the effect is taken to be normal around 0, with a spread of one standard deviation of
the differences or, where there is a smallest effect, of that (at least half a deviation); the variance
has the usual flat prior of its logarithm. Later runs are drawn from what is then known, on fixed
quasi-random points, so that the same runs give the same number.

The later test is that which will decide: pairs are judged by e-values after a look (`sequential`),
and runs without pairs by a t test at a part of alpha, each at the strictest level of the correction.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri, stdtrit

from .anytime import log_e
from .comparison import Comparison
from .effects import PAIRED, Estimate, welch_precision
from .rules import Plan
from .sequential import SHARE, Sequential, Spent, part_of_alpha

Floats = NDArray[np.float64]

MAX_FURTHER = 1000
"""Maximum number of further seeds that are considered."""
TARGETS = (0.8, 0.5)
"""The smallest number of seeds with the first of these chances is recommended; where
`MAX_FURTHER` seeds do not have it, with the second."""
TINY_GROWTH = 1e-6
"""Least number of differences that a further seed adds."""
POINTS = 256
"""Draws of what is not known."""
MIN_SPREAD = 0.5
"""Least spread of the effect before the data, in standard deviations, beside a smallest effect."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What further seeds may do for an undecided arm."""

    seeds: int | None
    """Recommended number of further seeds, in arm and baseline; None if no number up to
    `MAX_FURTHER` has an even chance."""
    chance: float
    """The chance that they settle the verdict; for None, that `MAX_FURTHER` do."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the runs so far say of an effect. Effects in nats, variances of one difference in nats^2."""

    effect: float
    n: float
    """Differences that the mean rests on; of unpaired runs, those of as precise a paired mean."""
    own_df: float
    own_variance: float
    """The estimate of the variance that goes into the later test, with `own_df`."""
    df: float
    variance: float
    """The best estimate of the variance, moderated by other arms, with `df`."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The later test."""

    delta: float
    """The smallest effect, nats."""
    shows: Callable[[Floats, Floats, float, float], NDArray[np.bool_]]
    """True where a mean at some distance (nats) from an effect excludes that effect: of distances,
    variances, the number of differences and the degrees of freedom."""
    growth: Callable[[int], tuple[float, float]]
    """Differences and degrees of freedom that a number of further seeds adds."""


def find_outlook(comparison: Comparison, estimate: Estimate, plan: Plan) -> Outlook | None:
    """The outlook of an undecided arm; None if its runs show no noise."""
    if estimate.standard_error == 0:
        return None
    tested = _paired if estimate.method in PAIRED else _unpaired
    return outlook(*tested(comparison, estimate, plan))


def outlook(known: Known, rule: Rule) -> Outlook:
    """The recommended number of further seeds and its chance."""
    draws = _draws(known, rule.delta)

    @cache
    def chance(further: int) -> float:
        return _chance(known, draws, rule, further)

    most = chance(MAX_FURTHER)
    for target in TARGETS:
        if most >= target:
            seeds = _first(chance, target)
            return Outlook(seeds=seeds, chance=chance(seeds))
    return Outlook(seeds=None, chance=most)


def _first(chance: Callable[[int], float], target: float) -> int:
    """The smallest number with the target's chance, which `MAX_FURTHER` has."""
    low, high = 0, 1
    while high < MAX_FURTHER and chance(high) < target:
        low, high = high, min(2 * high, MAX_FURTHER)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(middle) >= target else (middle, high)
    return high


def _paired(comparison: Comparison, estimate: Estimate, plan: Plan) -> tuple[Known, Rule]:
    n = len(comparison.seeds)
    known = Known(
        effect=estimate.effect,
        n=n,
        own_df=n - 1,
        own_variance=comparison.variance,
        df=estimate.df,
        variance=estimate.standard_error**2 * n,
    )
    taken_off = estimate.log_choices if isinstance(estimate, Sequential) else 0.0
    share = part_of_alpha(plan)
    level = _strictest(comparison.arm.arm, plan) * share * math.exp(-taken_off)
    return known, e_value_rule(plan.smallest_effect, level)


def e_value_rule(delta: float, level: float) -> Rule:
    """The test of pairs by e-values at a level; `delta` in nats."""

    def shows(distance: Floats, variance: Floats, size: float, _: float) -> NDArray[np.bool_]:
        return np.asarray(log_e(size, distance, variance) >= -math.log(level))

    def growth(further: int) -> tuple[float, float]:
        return float(further), float(further)

    return Rule(delta=delta, shows=shows, growth=growth)


def _unpaired(comparison: Comparison, estimate: Estimate, plan: Plan) -> tuple[Known, Rule]:
    """Runs as if they were pairs with the same standard error."""
    arm, baseline = comparison.arm, comparison.baseline
    sizes = arm.observed.size, baseline.observed.size
    var_baseline = baseline.moments[1]
    # A single run shows no variance: assume that of the baseline.
    var_arm = arm.moments[1] if sizes[0] > 1 else var_baseline
    if var_arm + var_baseline == 0:  # equal losses: the estimate has the variance of rounding
        var_arm = var_baseline = estimate.standard_error**2 / (1 / sizes[0] + 1 / sizes[1])
    variance = estimate.standard_error**2 * sizes[0]
    # The next plan has half the part of alpha of the last one: see `sequential.Spent`.
    part = estimate.part if isinstance(estimate, Spent) else SHARE
    level = _strictest(arm.arm, plan) * part / 2
    known = Known(
        effect=estimate.effect,
        n=sizes[0],
        own_df=estimate.df,
        own_variance=variance,
        df=estimate.df,
        variance=variance,
    )

    def shows(distance: Floats, squared: Floats, size: float, df: float) -> NDArray[np.bool_]:
        limit = -float(stdtrit(df, level / 2))
        return np.asarray(np.abs(distance) >= limit * np.sqrt(squared / size))

    def growth(further: int) -> tuple[float, float]:
        error, df = welch_precision(var_arm, sizes[0] + further, var_baseline, sizes[1] + further)
        return max(variance / error - sizes[0], TINY_GROWTH), max(df - estimate.df, 1.0)

    return known, Rule(delta=plan.smallest_effect, shows=shows, growth=growth)


def _strictest(arm: str, plan: Plan) -> float:
    return plan.alpha if arm in plan.outside_family else plan.strictest_alpha


def _draws(known: Known, delta: float) -> tuple[Floats, Floats]:
    """Variances and effects, shape (POINTS,) each, from what is known: nats^2 and nats."""
    deviation = np.sqrt(known.variance)
    spread = max(delta, MIN_SPREAD * deviation) if delta > 0 else deviation
    precision = known.variance / spread**2  # of the effect before the data, in differences
    weight = known.n / (known.n + precision)
    squares = known.df * known.variance + precision * weight * known.effect**2
    variances = squares / _chi_squares(known.df + 1)
    errors = np.sqrt(variances / (known.n + precision))
    return variances, weight * known.effect + _NORMALS[0] * errors


def _chance(known: Known, draws: tuple[Floats, Floats], rule: Rule, further: int) -> float:
    """The share of draws in which the later test decides."""
    variances, effects = draws
    added, added_df = rule.growth(further)
    later = effects + _NORMALS[1] * np.sqrt(variances / added)
    size, df = known.n + added, known.own_df + added_df
    mean = (known.n * known.effect + added * later) / size
    squares = (
        known.own_df * known.own_variance
        + variances * _normal_chi_squares(added_df - 1)
        + known.n * added / size * (later - known.effect) ** 2
    )
    variance = squares / df
    settled = rule.shows(np.abs(mean), variance, size, df)
    if rule.delta > 0:
        room = rule.delta - np.abs(mean)
        settled = settled | ((room > 0) & rule.shows(room, variance, size, df))
    return float(settled.mean())


def _radical_inverses(base: int) -> Floats:
    """Halton's sequence (1960, Numerische Mathematik 2, 84-90): evenly spread over (0, 1)."""
    rest, value, unit = np.arange(1, POINTS + 1), np.zeros(POINTS), 1.0
    while rest.any():
        unit /= base
        value += unit * (rest % base)
        rest //= base
    return value


_UNIFORMS = _radical_inverses(2)
_NORMALS = np.asarray([ndtri(_radical_inverses(base)) for base in (3, 5, 7)], float)


@lru_cache(maxsize=256)
def _chi_squares(df: float) -> Floats:
    return np.asarray(2 * gammaincinv(df / 2, _UNIFORMS), float)


def _normal_chi_squares(df: float) -> Floats:
    """Chi-squares by Wilson and Hilferty's cube (1931, PNAS 17, 684-688); 0 for no df."""
    if df <= 0:
        return np.zeros(POINTS)
    share = 2 / (9 * df)
    return np.asarray(df * np.maximum(1 - share + _NORMALS[2] * np.sqrt(share), 0.0) ** 3, float)
