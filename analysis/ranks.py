"""Exact rank tests, in which a run without a loss can count as the worst of all.

Values may be infinite: only their order counts. Ties get mid-ranks, and the distributions are those
of the ranks as they are, ties included: by counting up to `MAX_EXACT` values, by the normal limit
beyond.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

MAX_EXACT = 100
"""Maximum number of values whose rank sums are counted."""


@dataclass(frozen=True, kw_only=True)
class RankTest:
    """p-values of a rank test."""

    p_less: float
    """One-sided: small if the differences, or the first sample, tend to be low."""
    p_greater: float

    @property
    def p(self) -> float:
        """Two-sided p-value: twice the smaller one."""
        return min(1.0, 2 * min(self.p_less, self.p_greater))


NO_TEST = RankTest(p_less=1.0, p_greater=1.0)
"""The result without any value to rank."""


def signed_rank(differences: ArrayLike) -> RankTest:
    """Wilcoxon's signed-rank test of paired differences; zeros are left out.

    Wilcoxon (1945), Biometrics Bulletin 1, 80-83. Infinite differences share the highest ranks.
    """
    d = np.asarray(differences, float)
    d = d[d != 0]
    if d.size == 0:
        return NO_TEST
    ranks = doubled_ranks(np.abs(d))
    return _tails(int(ranks[d > 0].sum()), ranks, None)


def mann_whitney(sample: ArrayLike, other: ArrayLike) -> RankTest:
    """The rank-sum test of two independent samples.

    Mann and Whitney (1947), Ann. Math. Statist. 18, 50-60.
    """
    x, y = np.asarray(sample, float), np.asarray(other, float)
    if x.size == 0 or y.size == 0:
        return NO_TEST
    ranks = doubled_ranks(np.concatenate([x, y]))
    return _tails(int(ranks[: x.size].sum()), ranks, x.size)


def doubled_ranks(values: Floats) -> NDArray[np.int64]:
    """Twice the ranks, shape (n,), which are whole numbers: ties share their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((2 * last - count + 1)[place], np.int64)


def _tails(observed: int, ranks: NDArray[np.int64], size: int | None) -> RankTest:
    """Tails of the sum of a random subset: of `size` ranks, or of any number if that is None."""
    if ranks.size > MAX_EXACT:
        return _normal_tails(observed, ranks, size)
    ways = _subset_sums(ranks) if size is None else _sized_subset_sums(ranks, size)
    total = ways.sum()
    return RankTest(
        p_less=float(ways[: observed + 1].sum() / total),
        p_greater=float(ways[observed:].sum() / total),
    )


def _subset_sums(ranks: NDArray[np.int64]) -> Floats:
    """The number of subsets by their sum."""
    ways = np.zeros(int(ranks.sum()) + 1)
    ways[0] = 1.0
    for rank in ranks.tolist():
        ways[rank:] = ways[rank:] + ways[: ways.size - rank]
    return ways


def _sized_subset_sums(ranks: NDArray[np.int64], size: int) -> Floats:
    """The number of subsets of `size` ranks by their sum."""
    ways = np.zeros((size + 1, int(np.sort(ranks)[-size:].sum()) + 1))
    ways[0, 0] = 1.0
    for rank in ranks.tolist():
        ways[1:, rank:] = ways[1:, rank:] + ways[:-1, : ways.shape[1] - rank]
    return np.asarray(ways[size], float)


def _normal_tails(observed: int, ranks: NDArray[np.int64], size: int | None) -> RankTest:
    """The normal limit with the variance of the ranks as they are."""
    n = ranks.size
    if size is None:
        mean, variance = ranks.sum() / 2, float((ranks.astype(float) ** 2).sum()) / 4
    else:
        mean = size * ranks.mean()
        variance = size * (n - size) / n * float(ranks.var(ddof=1))
    if variance == 0:
        return NO_TEST
    z = (observed - mean) / math.sqrt(variance)
    return RankTest(p_less=float(ndtr(z)), p_greater=float(ndtr(-z)))
