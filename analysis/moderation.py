"""Moderated variances: each arm's variance of paired differences shrinks toward a common prior.

With three seeds, an arm has two degrees of freedom. Smyth (2004), "Linear models and empirical Bayes
methods for assessing differential expression", Stat. Appl. Genet. Mol. Biol. 3(1), article 3,
section 6.2, fits a prior to the variances of all arms. Changes that keep the error rate and each
arm's coverage when arms are few or unequally noisy (`docs/decisions/0014-unequal-seeds.md`): the
prior counts for half the fitted degrees of freedom, and for at most a quarter of those that it was
learned from; no variance is moderated below the arm's own; and an arm with fewer seeds than most is
lent so few degrees of freedom that its 95% interval covers at least 93.5%, however noisy it is.

In every function, the last axis of an array runs over the arms of one study, so that the same code
judges one real study and thousands of simulated ones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, polygamma, psi, stdtridf, stdtrit

Floats = NDArray[np.float64]

MIN_ARMS = 6
"""Minimum number of arms; with fewer, no prior is fitted, and the plain paired t decides.

Measured on unequally noisy arms with three seeds: familywise error 0.077 with a prior fitted to
four arms, at most 0.06 on average from six arms on (`docs/decisions/0002-fewest-arms.md`).
"""
MIN_DF = 2
"""Minimum degrees of freedom. A variance with one (two seeds) is too noisy to fit a prior to, or to
moderate: see the same page."""
MAX_SHARE = 0.25
"""Of the degrees of freedom that the prior was learned from, the share that an arm may be lent. With
all of them, one arm that is three times as noisy as seven others, three seeds each, gives a
familywise error of 0.08 (`docs/decisions/0014-unequal-seeds.md`)."""
MIN_COVERAGE = 0.935
"""Coverage of the 95% interval of an arm with few seeds, whatever its noise: see `safe_df`. A little
more than the 0.93 that is promised, so that simulations can tell."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A scaled inverse-chi-square prior for the variances of one study, or of an array of studies.

    The last axis has length one, the others are those of the fitted variances.
    """

    df: Floats
    """Degrees of freedom of the prior (half of Smyth's d0); 0 if no prior was fitted."""
    variance: Floats
    """Smyth's s0 squared, in squared units of the differences; 0 if no prior was fitted."""
    df_limit: Floats
    """Sum of the fitted arms' degrees of freedom: no moderated arm has more, or is lent more than
    `MAX_SHARE` of it."""
    usual_df: Floats
    """Median of the fitted arms' degrees of freedom (the upper one of two): arms with fewer are lent
    no more than `safe_df`."""
    arms: NDArray[np.int64]
    """Number of arms that the prior was fitted to."""


def fit_prior(variances: ArrayLike, df: ArrayLike) -> Prior:
    """Fit the prior by the moments of log s^2 (Smyth 2004, section 6.2), then halve its weight.

    `variances` and `df` broadcast to (..., arms). Arms with a variance of zero (identical arms) or
    a df below `MIN_DF` are left out of the fit. If the excess variance of log s^2 is not
    positive, the arms are equally noisy and the df is infinite.
    """
    s2, d = np.broadcast_arrays(np.asarray(variances, float), np.asarray(df, float))
    used = (s2 > 0) & (d >= MIN_DF)
    arms = used.sum(axis=-1, keepdims=True)
    half = np.where(used, d, 1.0) / 2
    log_s2 = np.log(np.where(used, s2, 1.0)) - psi(half) + np.log(half)
    mean = _mean(log_s2, used, arms)
    spread = _mean((log_s2 - mean) ** 2, used, arms - 1) - _mean(polygamma(1, half), used, arms)
    learned = arms >= MIN_ARMS
    prior_half, correction = _prior_from_excess(spread)
    return Prior(
        df=np.where(learned, prior_half, 0.0),  # d0 / 2: Smyth's d0, halved
        variance=np.where(learned, np.exp(mean + correction), 0.0),
        df_limit=np.where(used, d, 0.0).sum(axis=-1, keepdims=True),
        usual_df=_upper_median(np.where(used, d, np.inf), arms),
        arms=arms,
    )


def moderate(variances: ArrayLike, df: ArrayLike, prior: Prior) -> tuple[Floats, Floats]:
    """Moderated variances and their degrees of freedom, in the shape of `variances` and `df`.

    They are unchanged if no prior was fitted, or for a df below `MIN_DF`.
    """
    s2, own_df = np.broadcast_arrays(np.asarray(variances, float), np.asarray(df, float))
    lent = np.where(own_df >= MIN_DF, np.minimum(prior.df, MAX_SHARE * prior.df_limit), 0.0)
    few = (own_df < prior.usual_df) & (lent > 0)
    if few.any():
        lent = np.where(few, np.minimum(lent, safe_df(own_df)), lent)
    sum_df = own_df + lent
    weight = lent / np.maximum(sum_df, np.finfo(float).tiny)
    shrunk = weight * prior.variance + (1.0 - weight) * s2
    total = np.minimum(sum_df, np.maximum(prior.df_limit, own_df))
    return np.maximum(shrunk, s2), total


def safe_df(own_df: ArrayLike) -> Floats:
    """Degrees of freedom that a variance may be lent without harm, in the shape of `own_df`.

    A moderated variance is at least the arm's own, so |t| is at most the plain t. If the critical
    value is no less than that of a plain interval with `MIN_COVERAGE`, the 95% interval covers at
    least that, whatever the arm's true noise. Infinite from about 15 degrees of freedom on.
    """
    df = np.asarray(own_df, float)
    known, place = np.unique(df, return_inverse=True)
    critical = -stdtrit(np.maximum(known, 1.0), (1 - MIN_COVERAGE) / 2)
    # The normal distribution is the limit: any number of degrees of freedom is safe there.
    bounded = critical > -ndtri(0.025) * (1 + 1e-9)
    total = np.where(bounded, stdtridf(0.975, np.where(bounded, critical, 12.0)), np.inf)
    return np.asarray(np.maximum(total - known, 0.0)[place].reshape(df.shape), float)


def trigamma_inverse(x: ArrayLike) -> Floats:
    """The y > 0 with trigamma(y) = x > 0, by the Newton iteration of Smyth (2004), appendix."""
    target = np.asarray(x, float)
    y = 0.5 + 1.0 / target
    for _ in range(50):
        trigamma = polygamma(1, y)
        step = trigamma * (1.0 - trigamma / target) / polygamma(2, y)
        y = y + step
        if np.all(np.abs(step) <= 1e-12 * y):
            break
    return np.asarray(y, float)


def _prior_from_excess(excess: Floats) -> tuple[Floats, Floats]:
    """Half of d0, and the correction that is added to the mean of log s^2 to give log s0^2."""
    # Below 1e-7 the prior has more than 1e7 degrees of freedom: use the infinite limit, since
    # Newton's iteration loses its digits to cancellation there.
    finite = excess > 1e-7
    half = trigamma_inverse(np.where(finite, excess, 1.0))
    correction = np.where(finite, psi(half) - np.log(half), 0.0)
    return np.where(finite, half, np.inf), correction


def _upper_median(df: Floats, arms: NDArray[np.int64]) -> Floats:
    """The median df of the arms that were used; the others are infinite."""
    if df.shape[-1] == 0:
        return np.full((*df.shape[:-1], 1), np.inf)
    ascending = np.sort(df, axis=-1)
    middle = np.minimum(arms // 2, df.shape[-1] - 1)
    return np.asarray(np.take_along_axis(ascending, middle, axis=-1), float)


def _mean(values: Floats, used: NDArray[np.bool_], count: NDArray[np.int64]) -> Floats:
    total = np.where(used, values, 0.0).sum(axis=-1, keepdims=True)
    return np.asarray(total / np.maximum(count, 1), float)
