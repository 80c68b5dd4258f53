"""Permutation tests of two samples that share no seeds: of their means, and of their ranks."""

import math
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from .effects import MAX_RANDOM_N, RANDOM_FLIPS, TIE
from .ranks import doubled_ranks

Floats = NDArray[np.float64]

MAX_PATTERNS = 200_000
"""Up to this many ways to deal the values out to the two samples, all are tried: ten runs of each
have 184,756. Beyond, `effects.RANDOM_FLIPS` random ones; and the normal limit above
`effects.MAX_RANDOM_N` runs."""


def permutation_p(arm: ArrayLike, baseline: ArrayLike) -> float:
    """Two-sided p of the difference of means, if any run could have been in either sample.

    (Fisher 1935, section 21; Pitman 1937.) It assumes equal distributions but for a shift. Raises
    ValueError for an empty sample.
    """
    return _p(np.asarray(arm, float), np.asarray(baseline, float))


def mann_whitney_p(arm: ArrayLike, baseline: ArrayLike) -> float:
    """Two-sided p of Mann and Whitney (1947, Ann. Math. Statist. 18, 50-60), exact given the ties.

    The same test as `permutation_p`, on ranks. Raises ValueError for an empty sample.
    """
    x, y = np.asarray(arm, float), np.asarray(baseline, float)
    ranks = doubled_ranks(np.concatenate([x, y])).astype(float)
    return _p(ranks[: x.size], ranks[x.size :])


def _p(x: Floats, y: Floats) -> float:
    if min(x.size, y.size) == 0:
        raise ValueError(f"a test of two samples needs a run of each, not {x.size} and {y.size}")
    values = np.concatenate([x, y])
    values = values - values.mean()  # the sum of one sample is then as far from zero as its mean
    found = abs(float(values[: x.size].sum())) - TIE * float(np.abs(values).sum())
    if math.comb(values.size, x.size) <= MAX_PATTERNS:
        sums = values[_patterns(values.size, x.size)].sum(axis=1)
        return float(np.mean(np.abs(sums) >= found))
    if values.size > MAX_RANDOM_N:
        share = x.size * y.size / (values.size * (values.size - 1))
        error = math.sqrt(share * float(values @ values))
        return 2.0 * float(ndtr(-found / error)) if error > 0 else 1.0
    generator = np.random.default_rng(0)
    dealt = generator.permuted(np.tile(values, (RANDOM_FLIPS, 1)), axis=1)[:, : x.size]
    hits = int((np.abs(dealt.sum(axis=1)) >= found).sum())
    return (hits + 1) / (RANDOM_FLIPS + 1)


@lru_cache(maxsize=4)
def _patterns(n: int, size: int) -> NDArray[np.int64]:
    """Every choice of `size` of n places, shape (choices, size)."""
    return np.array(list(combinations(range(n), size)), np.int64)
