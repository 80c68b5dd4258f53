"""Correlation of two series of losses, with Fisher's interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .digits import centred, difference, rounding
from .effects import moments

MIN_PAIRS = 3
"""Pairs below which no correlation is computed: two always give -1 or 1."""


def correlation(x: ArrayLike, y: ArrayLike) -> float | None:
    """Pearson correlation of two series, shape (n,) each.

    None below `MIN_PAIRS` values, or if a series does not vary.
    """
    if np.size(x) < MIN_PAIRS:
        return None
    a, b = (centred(np.asarray(side, float)) for side in (x, y))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return None if norm == 0 else float(np.clip((a @ b) / norm, -1.0, 1.0))


def fisher_interval(r: float, n: int, alpha: float) -> tuple[float, float]:
    """The 1 - alpha interval of a correlation `r` of `n` pairs (Fisher 1921, Metron 1, 3-32).

    artanh(r) is roughly normal with variance 1 / (n - 3). Three pairs say nothing: -1 to 1.
    """
    if n <= MIN_PAIRS:
        return -1.0, 1.0
    margin = -float(ndtri(alpha / 2)) / float(np.sqrt(n - 3))
    z = float(np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15)))
    return float(np.tanh(z - margin)), float(np.tanh(z + margin))


@dataclass(frozen=True, kw_only=True)
class SeedCorrelation:
    """Correlation of an arm's losses with the baseline's over equal seeds."""

    arm: str
    r: float
    low: float
    """The 1 - alpha interval, by `fisher_interval`."""
    high: float
    n: int
    """Number of independent equal seeds."""
    gain: float | None
    """How many unpaired runs a pair is worth: (var arm + var baseline) / var of the differences."""


def seed_correlation(
    arm: str, losses: ArrayLike, baseline: ArrayLike, n: int, alpha: float
) -> SeedCorrelation | None:
    """Correlation of an arm's losses with the baseline's, each of shape (n_shared,).

    `n` of the seeds are independent. None below `MIN_PAIRS` seeds, or if a side does not vary.
    """
    r = correlation(losses, baseline)
    if r is None:
        return None
    low, high = fisher_interval(r, n, alpha)
    return SeedCorrelation(arm=arm, r=r, low=low, high=high, n=n, gain=_gain(losses, baseline))


def _gain(x: ArrayLike, y: ArrayLike) -> float | None:
    """Variance of unpaired differences over that of paired ones; None if these do not vary."""
    a, b = np.asarray(x, float), np.asarray(y, float)
    unpaired, paired = moments(a)[1] + moments(b)[1], moments(difference(a, b))[1]
    return unpaired / paired if paired > rounding(float(np.abs([a, b]).max())) ** 2 else None
