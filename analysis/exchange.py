"""Effects in the currency of compute: how many more tokens would change the loss as much.

The baseline is trained with other budgets of tokens too, with the same seeds. The slope of its loss
over log tokens turns an effect into a number of tokens: an arm with the effect of 12% more tokens is
"worth 12% of the tokens". Both are estimated from the same seeds, and both have errors: the
interval of their ratio is Fieller's (1954, J. R. Statist. Soc. B 16, 175-185).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from .comparison import Comparison
from .ratios import ratio_interval
from .runs import Seed

Floats = NDArray[np.float64]
Slopes = Mapping[Seed, float]
"""By seed: the slope of the baseline's loss over log tokens, nats."""


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What an effect is worth: 0.12 is as much as 12% more tokens for the baseline."""

    tokens: float
    low: float
    """The 1 - alpha interval, not adjusted for multiple comparisons."""
    high: float
    is_extrapolated: bool
    """True if it lies outside the budgets that were trained."""


def token_slopes(budgets: Mapping[float, Comparison]) -> Slopes:
    """The slope of each seed that all budgets have, by least squares over log tokens.

    `budgets`: the baseline with other budgets, compared with the baseline, by their ratio of tokens;
    at least one. The baseline itself is the budget of ratio 1.
    """
    logs = np.log([1.0, *budgets])
    weights = (logs - logs.mean()) / ((logs - logs.mean()) ** 2).sum()
    found = [_by_seed(each) for each in budgets.values()]
    shared = set(found[0]).intersection(*found[1:])
    # The weights add to zero, so that differences from the baseline have the slope of the losses.
    return {
        seed: float(sum(w * each[seed] for w, each in zip(weights[1:], found, strict=True)))
        for seed in found[0]
        if seed in shared
    }


def worth(
    comparison: Comparison, slopes: Slopes, budgets: Mapping[float, Comparison], alpha: float
) -> Worth | None:
    """What an arm's effect is worth in tokens.

    None below two seeds, if more tokens do not lower the loss, or if the slope is so uncertain that
    the interval has no end.
    """
    effects = _by_seed(comparison)
    seeds = [seed for seed in effects if seed in slopes]
    if len(seeds) < 2:
        return None
    d = np.array([effects[seed] for seed in seeds])
    b = np.array([slopes[seed] for seed in seeds])
    ends = fieller(d, b, alpha)
    if ends is None or b.mean() >= 0:
        return None
    ratio = float(d.mean() / b.mean())
    logs = np.log([1.0, *budgets])
    return Worth(
        tokens=math.expm1(ratio),
        low=_expm1(ends[0]),
        high=_expm1(ends[1]),
        is_extrapolated=not logs.min() <= ratio <= logs.max(),
    )


def fieller(numerators: Floats, denominators: Floats, alpha: float) -> tuple[float, float] | None:
    """The 1 - alpha interval of mean(numerators) / mean(denominators), paired values of shape (n,).

    It has the ratios r for which a t test does not reject that the mean of numerators - r
    denominators is zero. None if the denominator does not differ from zero at that level, where the
    interval has no end.
    """
    n = numerators.size
    covariance = np.cov(numerators, denominators) / n
    x, y = float(numerators.mean()), float(denominators.mean())
    return ratio_interval(x, y, covariance, float(stdtrit(n - 1, alpha / 2)))


def _by_seed(comparison: Comparison) -> dict[Seed, float]:
    return dict(zip(comparison.seeds, comparison.differences.tolist(), strict=True))


def _expm1(log: float) -> float:
    """Capped: e^700 is the largest double, and no run has that many tokens."""
    return math.expm1(min(log, 700.0))
