"""Estimates of one effect: arm minus baseline, in nats; negative is an improvement.

Differences are taken first and centred afterwards, so that losses near 1e6 that differ by 1e-6
keep their digits. Tail probabilities come from scipy.special: importing scipy.stats takes a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr, stdtrit

from .digits import centred, difference

Floats = NDArray[np.float64]
Method = Literal[
    "moderated paired t",
    "paired t",
    "moderated Welch t",
    "Welch t",
    "small-sample t",
    "pooled t",
    "Lenth",
    "prediction t",
    "e-value",
]
"""`small-sample t`: Welch's t on the degrees of freedom of the side with fewer runs. `pooled t` and
`Lenth` are those of `factorials`."""
PAIRED: frozenset[Method] = frozenset({"moderated paired t", "paired t", "e-value"})
"""Methods that compare arm and baseline by pairs."""

MAX_EXACT_N = 20
"""Up to this many differences, all 2^n sign patterns are enumerated (half a million sums)."""
MAX_RANDOM_N = 200
"""Up to this many differences, random sign patterns are drawn. Beyond, the normal limit is closer
to the exact p than they are."""
RANDOM_FLIPS = 19_999
"""Random sign patterns per test."""
FLIPS_PER_BATCH = 2_000
"""Random sign patterns that are in memory at once."""
TINY = float(np.finfo(float).tiny)
"""The smallest normal double: keeps a division by zero finite."""
LARGEST_P = 0.9
"""Standard errors are widened up to this p, which no level comes near."""
TIE = 1e-12
"""Sums of flipped differences closer than this, relative to sum |d|, are ties."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An effect and its standard error (both in nats), with the degrees of freedom of its t."""

    method: Method
    effect: float
    standard_error: float
    df: float

    @property
    def is_test(self) -> bool:
        """False for a single run: its p holds for normal noise as large as the baseline's only."""
        return self.method != "prediction t"

    @property
    def is_paired(self) -> bool:
        """True if it rests on differences over shared seeds."""
        return self.method in ("paired t", "moderated paired t", "e-value")

    @property
    def t(self) -> float:
        return self.effect / self.standard_error

    @property
    def p(self) -> float:
        """Two-sided p-value of no effect."""
        return min(1.0, 2.0 * float(stdtr(self.df, -abs(self.t))))

    def interval(self, alpha: float) -> tuple[float, float]:
        """The 1 - alpha confidence interval, in nats."""
        margin = -float(stdtrit(self.df, alpha / 2)) * self.standard_error
        return self.effect - margin, self.effect + margin

    def with_p_at_least(self, p: float) -> Estimate:
        """The estimate with a standard error so large that its two-sided p is not below `p`.

        Not below `LARGEST_P`, if that is less: a p of 1 would be an interval without ends.
        """
        least = min(p, LARGEST_P)
        if self.effect == 0 or least <= self.p:
            return self
        t = -float(stdtrit(self.df, least / 2))
        return replace(self, standard_error=abs(self.effect) / t)

    def p_below(self, limit: float) -> float:
        """One-sided p: small if the effect is shown to be below `limit` (nats)."""
        return float(stdtr(self.df, (self.effect - limit) / self.standard_error))

    def p_above(self, limit: float) -> float:
        """One-sided p: small if the effect is shown to be above `limit` (nats)."""
        return float(stdtr(self.df, (limit - self.effect) / self.standard_error))

    def p_within(self, delta: float) -> float:
        """The larger p of two one-sided tests: small if the effect is inside +-delta (nats).

        It is below a level exactly if the 1 - 2 level interval lies inside (Schuirmann 1987,
        J. Pharmacokinet. Biopharm. 15, 657-680).
        """
        return max(self.p_below(delta), self.p_above(-delta))


def moments(values: ArrayLike) -> tuple[float, float]:
    """Mean and variance (ddof = 1), computed after subtracting the first value to keep digits.

    The variance of a single value is 0. Raises ValueError for no values.
    """
    x = np.asarray(values, float)
    if x.size == 0:
        raise ValueError("there are no values to average; give at least one")
    shifted = centred(x)
    offset = float(shifted.mean())
    variance = float(((shifted - offset) ** 2).sum()) / max(x.size - 1, 1)
    return float(x[0]) + offset, variance


def paired_t(differences: ArrayLike) -> Estimate:
    """Student's paired t for differences by seed (nats).

    Raises ValueError for fewer than two differences, or when all of them are equal.
    """
    d = np.asarray(differences, float)
    mean, variance = _checked_moments(d, "a paired t")
    return Estimate(
        method="paired t",
        effect=mean,
        standard_error=float(np.sqrt(variance / d.size)),
        df=float(d.size - 1),
    )


def welch_t(arm: ArrayLike, baseline: ArrayLike) -> Estimate:
    """Welch's t for losses (nats) that share no seed (Welch 1947, Biometrika 34, 28-35).

    Raises ValueError for fewer than two losses on a side, or when neither side varies.
    """
    x, y = np.asarray(arm, float), np.asarray(baseline, float)
    if min(x.size, y.size) < 2:
        raise ValueError(f"Welch's t needs two losses on each side, not {x.size} and {y.size}")
    (mean_x, var_x), (mean_y, var_y) = moments(difference(x, y[0])), moments(difference(y, y[0]))
    if var_x + var_y == 0:
        raise ValueError("Welch's t needs a side that varies; all losses of each side are equal")
    squared_error, df = welch_precision(var_x, x.size, var_y, y.size)
    return Estimate(
        method="Welch t",
        effect=mean_x - mean_y,
        standard_error=float(np.sqrt(squared_error)),
        df=df,
    )


def welch_precision(var_x: float, n_x: int, var_y: float, n_y: int) -> tuple[float, float]:
    """Squared standard error (nats^2) of a difference of means, and its Satterthwaite df."""
    error_x, error_y = var_x / n_x, var_y / n_y
    total = error_x + error_y
    share = error_x / total  # the square of a share cannot underflow, that of a tiny variance can
    return total, 1.0 / (share**2 / (n_x - 1) + (1.0 - share) ** 2 / (n_y - 1))


def prediction_t(loss: float, baseline: ArrayLike, least_variance: float = 0.0) -> Estimate:
    """One run compared with a baseline's m runs: (x - mean) / (s sqrt(1 + 1/m)) on m - 1 df.

    Losses in nats. Assumes that the arm is as noisy as the baseline (Hahn 1969, JASA 64,
    878-888). The variance (nats^2) is taken to be `least_variance` or more. Raises ValueError for
    fewer than two baseline losses or when they are all equal.
    """
    y = np.asarray(baseline, float)
    mean, variance = _checked_moments(difference(y, loss), "a prediction t")
    return Estimate(
        method="prediction t",
        effect=-mean,
        standard_error=float(np.sqrt(max(variance, least_variance) * (1.0 + 1.0 / y.size))),
        df=float(y.size - 1),
    )


def sign_flip_p(differences: ArrayLike) -> float:
    """Two-sided p of the mean difference under all sign flips (Fisher 1935, section 21).

    Exact up to `MAX_EXACT_N` differences (p is at least 2 / 2^n). Up to `MAX_RANDOM_N`, Monte Carlo
    with a fixed seed and p = (b + 1) / (B + 1). Beyond, the normal limit with the sum of squares as
    its variance. Raises ValueError for no differences.
    """
    return sign_flip_ps([differences])[0]


def sign_flip_ps(many: Sequence[ArrayLike]) -> list[float]:
    """`sign_flip_p` of many arms; arms with equally many differences share their sign patterns."""
    arms = [np.asarray(differences, float) for differences in many]
    found = {n: _p_values([d for d in arms if d.size == n]) for n in {d.size for d in arms}}
    return [next(found[d.size]) for d in arms]


def _p_values(arms: list[Floats]) -> Iterator[float]:
    """p-values of arms that all have the same number of differences."""
    n = arms[0].size
    if n == 0:
        raise ValueError("a sign-flip test needs at least one difference")
    if n > MAX_RANDOM_N:
        return (2.0 * float(ndtr(-abs(d.sum()) / max(float(np.sqrt(d @ d)), TINY))) for d in arms)
    thresholds = np.array([abs(float(d.sum())) - TIE * float(np.abs(d).sum()) for d in arms])
    if n <= MAX_EXACT_N:
        pairs = zip(arms, thresholds, strict=True)
        return (float(np.mean(np.abs(_all_flips(d)) >= threshold)) for d, threshold in pairs)
    hits = sum((np.abs(sums) >= thresholds).sum(axis=0) for sums in _random_flips(np.stack(arms)))
    return iter(((hits + 1) / (RANDOM_FLIPS + 1)).tolist())


def _all_flips(d: Floats) -> Floats:
    """Sums under every sign pattern with a positive first sign; the others have opposite sums."""
    sums = d[:1]
    for value in d[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _random_flips(arms: Floats) -> Iterator[Floats]:
    """Sums of differences, shape (arms, n), under random signs: yields arrays (flips, arms)."""
    generator = np.random.default_rng(0)
    for first in range(0, RANDOM_FLIPS, FLIPS_PER_BATCH):
        size = (min(FLIPS_PER_BATCH, RANDOM_FLIPS - first), arms.shape[1])
        signs = 2.0 * generator.integers(0, 2, size=size, dtype=np.int8) - 1.0
        yield np.asarray(signs @ arms.T, float)


def _checked_moments(values: Floats, test: str) -> tuple[float, float]:
    """Mean and variance. Raises ValueError if the variance is zero or undefined."""
    if values.size < 2:
        raise ValueError(f"{test} needs at least two values, not {values.size}")
    mean, variance = moments(values)
    if variance == 0:
        raise ValueError(f"{test} needs values that vary; all {values.size} are equal")
    return mean, variance
