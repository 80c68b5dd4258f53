"""Power: the effects that a number of seeds can detect, and the seeds that an effect needs.

The power of t tests is the normal power averaged over the chi distribution of the estimated
standard error. That integral (`analysis.quadrature`) handles a real df, and does not depend on the
noncentral t of the installed scipy (1.17 gives NaN in its far tail). Powers are accurate to 1e-6.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from .effects import welch_precision
from .moderation import MIN_ARMS, fit_prior, moderate
from .quadrature import WEIGHTS, relative_errors

MAX_SEEDS = 10_000
"""Maximum number of seeds that a search tries."""

Precision = Callable[[int], tuple[float, float]]
"""Maps a number of further seeds to the standard error (nats) and its degrees of freedom."""

Floats = NDArray[np.float64]


def t_power(effect: float, standard_error: float, df: float, alpha: float) -> float:
    """Power of the two-sided t test at `alpha` for a true effect and standard error (nats)."""
    shift, critical = abs(effect) / standard_error, -float(stdtrit(df, alpha / 2))
    limit = critical * relative_errors(df)
    return _average(ndtr(shift - limit) + ndtr(-shift - limit))


def smallest_visible_effect(
    n: int, sd: float, alpha: float = 0.05, power: float = 0.8, extra_df: float = 0.0
) -> float:
    """The smallest effect (nats) that a paired t over `n` seeds detects with `power`.

    `sd` is that of the paired differences, nats; `extra_df` are the degrees of freedom that
    moderation adds. Infinite for a single seed.
    """
    if n < 2:
        return math.inf
    return sd * visible_shift(n - 1 + extra_df, alpha, power) / math.sqrt(n)


def smallest_visible_effect_unpaired(
    n: int, sd: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest effect (nats) that an unpaired t with `n` seeds per arm detects with `power`.

    `sd` is that of single runs, nats, the same in both arms. Infinite for a single seed.
    """
    return math.inf if n < 2 else sd * visible_shift(2 * n - 2, alpha, power) * math.sqrt(2 / n)


def seeds_to_see(
    effect: float, precision: Precision, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Seeds per arm, two or more, that detect an effect (nats) with `power`.

    `precision` takes the number of seeds beyond the first. None if that needs more than
    `MAX_SEEDS`. Raises ValueError unless the effect is above 0 and finite.
    """
    if not 0 < effect < math.inf:
        raise ValueError(f"no number of seeds detects an effect of {effect}; give one above 0")
    further = _smallest_count(lambda more: t_power(effect, *precision(more), alpha), power)
    return None if further is None else 1 + further


def moderated_spread(
    variances: ArrayLike, df: ArrayLike, seeds: int, arms: int
) -> tuple[Floats, float]:
    """Expected variances of a moderated paired t, and the df that moderation adds.

    `variances` of paired differences (nats^2) were observed with `df` degrees of freedom; the
    planned test has `seeds` seeds of `arms` arms.
    """
    prior = fit_prior(variances, df)
    if arms < MIN_ARMS:
        return np.asarray(variances, float), 0.0
    planned_df = seeds - 1.0
    prior = replace(prior, df_limit=np.array([arms * planned_df]), usual_df=np.array([planned_df]))
    moderated, total = moderate(variances, seeds - 1, prior)
    return moderated, float(total.max()) - (seeds - 1)


def paired_precision(sd: float, n: int, extra_df: float = 0.0) -> Precision:
    """Precision of a paired t over `n` shared seeds and further ones.

    `sd` is that of the paired differences, nats; `extra_df` are the degrees of freedom that
    moderation adds.
    """
    return lambda further: (sd / math.sqrt(n + further), n + further - 1 + extra_df)


def unpaired_precision(
    var_arm: float, n_arm: int, var_baseline: float, n_baseline: int
) -> Precision:
    """Precision of Welch's t with further seeds on both sides; variances in nats^2."""

    def precision(further: int) -> tuple[float, float]:
        squared, df = welch_precision(var_arm, n_arm + further, var_baseline, n_baseline + further)
        return math.sqrt(squared), df

    return precision


def _smallest_count(power: Callable[[int], float], target: float) -> int | None:
    """The smallest count from 1 to MAX_SEEDS at which an increasing power reaches its target."""
    low, high = 0, 1
    while power(high) < target:
        if high == MAX_SEEDS:
            return None
        low, high = high, min(2 * high, MAX_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= target else (middle, high)
    return high


def visible_shift(df: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The effect, in standard errors, at which the two-sided t test has `power`."""
    low, high = 0.0, 1.0
    while t_power(high, 1.0, df, alpha) < power:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if t_power(middle, 1.0, df, alpha) >= power else (middle, high)
    return high


def _average(conditional: Floats) -> float:
    """Average powers that are conditional on the estimated standard error (`relative_errors`)."""
    return float(min(1.0, max(0.0, float(WEIGHTS @ conditional))))
