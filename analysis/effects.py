"""The estimate of one effect: arm minus baseline, in nats, negative being an improvement.

Differences are taken first and centred afterwards, so that losses near 1e6 that differ by 1e-6
keep their digits. Tails come from scipy.special: importing scipy.stats costs a second.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr, stdtrit

from analysis.digits import centred, difference

Floats = NDArray[np.float64]
Method = Literal["moderated paired t", "paired t", "Welch t", "prediction t"]

EXACT_FLIPS = 20
"""Up to this many differences all 2^n sign patterns are enumerated (half a million sums)."""
MOST_FLIPS = 200
"""Beyond this many differences the normal limit of the flipped sum is nearer than random flips."""
RANDOM_FLIPS = 19_999
FLIPS_AT_ONCE = 2_000
"""Of them, as many as are held as numbers of their own."""
TINY = float(np.finfo(float).tiny)
TIE = 1e-12
"""Sums of flipped differences closer than this, relative to sum |d|, are ties."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An effect with its standard error (both in nats) and the t distribution it is judged on."""

    method: Method
    effect: float
    standard_error: float
    df: float

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

    def within(self, delta: float, alpha: float) -> bool:
        """Two one-sided tests at `alpha` each: is the effect inside +-delta (nats)?

        The same as the 1 - 2 alpha interval lying inside (Schuirmann 1987, J. Pharmacokinet.
        Biopharm. 15, 657-680).
        """
        low, high = self.interval(2 * alpha)
        return -delta < low and high < delta


def moments(values: ArrayLike) -> tuple[float, float]:
    """Mean and variance (ddof = 1), centred on the first value so that no digits cancel.

    The variance of a single value is 0. Raises ValueError when there is no value.
    """
    x = np.asarray(values, float)
    if x.size == 0:
        raise ValueError("the mean of no values was asked for; give at least one")
    shifted = centred(x)
    offset = float(shifted.mean())
    variance = float(((shifted - offset) ** 2).sum()) / max(x.size - 1, 1)
    return float(x[0]) + offset, variance


def paired_t(differences: ArrayLike) -> Estimate:
    """Student's paired t on per-seed differences (nats).

    Raises ValueError for fewer than two differences, or when all of them are equal.
    """
    d = np.asarray(differences, float)
    mean, variance = _spread(d, "a paired t")
    return Estimate(
        method="paired t",
        effect=mean,
        standard_error=float(np.sqrt(variance / d.size)),
        df=float(d.size - 1),
    )


def welch_t(arm: ArrayLike, baseline: ArrayLike) -> Estimate:
    """Welch's t between losses (nats) that share no seed (Welch 1947, Biometrika 34, 28-35).

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
    share = error_x / total  # as a share, tiny variances cannot underflow when squared
    return total, 1.0 / (share**2 / (n_x - 1) + (1.0 - share) ** 2 / (n_y - 1))


def prediction_t(loss: float, baseline: ArrayLike) -> Estimate:
    """One run placed against a baseline's runs: (x - mean) / (s sqrt(1 + 1/m)) on m - 1 df.

    Losses in nats. Assumes that the arm is as noisy as the baseline (Hahn 1969, JASA 64,
    878-888). Raises ValueError for fewer than two baseline losses or when they are all equal.
    """
    y = np.asarray(baseline, float)
    mean, variance = _spread(difference(y, loss), "a prediction t")
    return Estimate(
        method="prediction t",
        effect=-mean,
        standard_error=float(np.sqrt(variance * (1.0 + 1.0 / y.size))),
        df=float(y.size - 1),
    )


def sign_flip_p(differences: ArrayLike) -> float:
    """Two-sided p of the mean difference under all sign flips (Fisher 1935, section 21).

    Exact up to `EXACT_FLIPS` differences, where p cannot go below 2 / 2^n; up to `MOST_FLIPS` a
    seeded Monte Carlo with (b + 1) / (B + 1); beyond, the normal limit, whose variance is the sum
    of squares. Raises ValueError when there is no difference.
    """
    return sign_flip_ps([differences])[0]


def sign_flip_ps(many: Sequence[ArrayLike]) -> list[float]:
    """The same of many arms' differences: those that are equally many are flipped together."""
    arms = [np.asarray(differences, float) for differences in many]
    found = {n: _flipped([d for d in arms if d.size == n]) for n in {d.size for d in arms}}
    return [next(found[d.size]) for d in arms]


def _flipped(arms: list[Floats]) -> Iterator[float]:
    """The ps of arms with n differences each."""
    n = arms[0].size
    if n == 0:
        raise ValueError("a sign-flip test needs at least one difference")
    if n > MOST_FLIPS:
        return (2.0 * float(ndtr(-abs(d.sum()) / max(float(np.sqrt(d @ d)), TINY))) for d in arms)
    thresholds = np.array([abs(float(d.sum())) - TIE * float(np.abs(d).sum()) for d in arms])
    if n <= EXACT_FLIPS:
        pairs = zip(arms, thresholds, strict=True)
        return (float(np.mean(np.abs(_all_flips(d)) >= threshold)) for d, threshold in pairs)
    hits = sum((np.abs(sums) >= thresholds).sum(axis=0) for sums in _random_flips(np.stack(arms)))
    return iter(((hits + 1) / (RANDOM_FLIPS + 1)).tolist())


def _all_flips(d: Floats) -> Floats:
    """Sums under every sign pattern with the first sign held: the other half mirrors them."""
    sums = d[:1]
    for value in d[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _random_flips(arms: Floats) -> Iterator[Floats]:
    """Sums of differences, shape (arms, n), under random signs: arrays (flips, arms), by and by."""
    generator = np.random.default_rng(0)
    for first in range(0, RANDOM_FLIPS, FLIPS_AT_ONCE):
        size = (min(FLIPS_AT_ONCE, RANDOM_FLIPS - first), arms.shape[1])
        signs = 2.0 * generator.integers(0, 2, size=size, dtype=np.int8) - 1.0
        yield np.asarray(signs @ arms.T, float)


def _spread(values: Floats, test: str) -> tuple[float, float]:
    """Mean and a variance that is not zero."""
    if values.size < 2:
        raise ValueError(f"{test} needs at least two values to see a spread, not {values.size}")
    mean, variance = moments(values)
    if variance == 0:
        raise ValueError(f"{test} needs values that vary; all {values.size} are equal")
    return mean, variance
