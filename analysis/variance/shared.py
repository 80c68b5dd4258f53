"""Spread of single runs that share random streams: 4 inits x 4 orders, or 4 orders inside each init.

The variance of one run is the sum of the streams' variances and the rest. It is estimated by the
method of moments from the variance of each stream's means and the residual mean square; the weights
make it unbiased for the layout at hand (Searle, Casella and McCulloch 1992, Variance Components,
chapter 5; unweighted means: Thomas and Hultquist 1978, Ann. Stat. 6, 582-587). Its interval is that
of Graybill and Wang (1980, J. Am. Stat. Assoc. 75, 869-873). Simulated (`benchmarks/clusters.py`),
it holds the true sd in 0.94 to 0.98 of the layouts of 4 x 4 and more runs.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri

from ..clusters import Clusters
from ..digits import centred
from ..noise import Noise, SharedSeeds, noise

Floats = NDArray[np.float64]

MAX_RUNS = 1000
"""With more runs, only the stream with the fewest seeds is told from the rest."""


def noise_of_runs(losses: ArrayLike, clusters: Clusters | None, alpha: float = 0.05) -> Noise:
    """Mean and sd of one arm's losses (nats), which share seeds as `clusters` says.

    If each shared seed has two runs or more on average, the sd and its interval are those of the
    layout. If only some runs share a seed, they are those of independent runs, and `Noise.shared`
    has the others beside them. Raises ValueError for fewer than two losses.
    """
    values = np.asarray(losses, float)
    plain = noise(values, alpha)
    if clusters is None:
        return plain
    shared = _shared(values, clusters, alpha)
    if not clusters.is_layout or math.isinf(shared.ci_high):
        return _with(plain, shared)
    mean = float(values[0]) + float(clusters.means(centred(values)).mean())
    return Noise(
        n=values.size,
        mean=mean,
        sd=shared.sd,
        ci_low=shared.ci_low,
        ci_high=shared.ci_high,
        shared=shared,
    )


def _with(plain: Noise, shared: SharedSeeds) -> Noise:
    return Noise(
        n=plain.n,
        mean=plain.mean,
        sd=plain.sd,
        ci_low=plain.ci_low,
        ci_high=plain.ci_high,
        shared=shared,
    )


def _shared(values: Floats, clusters: Clusters, alpha: float) -> SharedSeeds:
    """The sd of a run and its interval, from the layout."""
    squares, weights, df = _mean_squares(centred(values), clusters)
    terms = weights * squares
    total = max(float(terms.sum()), 0.0)
    # Ratios of an estimate to the ends of its interval, less one.
    below = 1 - df / np.array([float(chdtri(each, alpha / 2)) for each in df])
    above = df / np.array([float(chdtri(each, 1 - alpha / 2)) for each in df]) - 1
    down, up = (np.where(weights > 0, *ends) for ends in ((below, above), (above, below)))
    low = max(total - math.sqrt(float(((down * terms) ** 2).sum())), 0.0)
    high = total + math.sqrt(float(((up * terms) ** 2).sum()))
    return SharedSeeds(
        streams=clusters.streams,
        n_independent=clusters.count,
        sd=math.sqrt(total),
        ci_low=math.sqrt(low),
        ci_high=math.sqrt(high),
    )


def _mean_squares(values: Floats, clusters: Clusters) -> tuple[Floats, Floats, Floats]:
    """Variances of each stream's means and the residual's, their weights in the total, their df."""
    codes = [each for each in clusters.codes if each.max() > 0][
        : None if values.size <= MAX_RUNS else 1
    ]
    while codes:
        groups = [_indicators(each) for each in codes]
        design = np.hstack(groups)
        fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
        if rank < values.size:
            break
        codes = codes[:-1]  # too few runs to tell all streams apart
    if not codes:
        return np.array([values.var(ddof=1)]), np.ones(1), np.array([values.size - 1.0])
    residual = values - design @ fitted
    means = [group.T / group.sum(axis=0)[:, None] for group in groups]
    squares = [float((mean @ values).var(ddof=1)) for mean in means]
    # Row i: how often each stream's variance, and the residual's, is in mean square i.
    expected = np.eye(len(means) + 1)
    for i, mean in enumerate(means):
        parts = [mean @ group for group in groups] + [mean]
        expected[i] = [float(part.var(axis=0, ddof=1).sum()) for part in parts]
    error_df = float(values.size - rank)
    weights = np.asarray(np.linalg.solve(expected.T, np.ones(len(means) + 1)), float)
    df = np.array([*(mean.shape[0] - 1 for mean in means), error_df], float)
    return np.array([*squares, float(residual @ residual) / error_df]), weights, df


def _indicators(codes: NDArray[np.int64]) -> Floats:
    """Shape (runs, levels): 1 where a run has the level."""
    return np.asarray(codes[:, None] == np.arange(codes.max() + 1), float)
