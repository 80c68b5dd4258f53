"""Runs that share random streams: they are not independent, and count once per shared seed.

Sixteen runs with 4 init seeds and 4 order seeds are not sixteen seeds. The mean of an arm varies
with the init seeds that it happens to have, and there are four of them. So the values of the runs
with one init seed are averaged, and the four means are the observations. If several streams repeat
(4 inits, each with the same 4 orders), the stream with the fewest seeds gives the clusters, and
their spread is widened to the variance that all streams together give the mean: by inclusion and
exclusion over the streams (Cameron, Gelbach and Miller 2011, J. Bus. Econ. Stat. 29, 238-249), and
not below that of any single stream.

Simulated (`benchmarks/clusters.py`): 4 inits x 4 orders, one and eight arms, paired and unpaired,
every split of the variance that was tried: familywise error at most 0.06. The price is degrees of
freedom: those of the stream with the fewest seeds.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Clusters:
    """Runs grouped by the stream with the fewest seeds, and by the others that repeat."""

    streams: tuple[str, ...]
    """The streams that repeat, the one with the fewest seeds first. Never empty."""
    codes: tuple[Codes, ...]
    """For each of them: the number of each run's seed, from 0, shape (runs,)."""

    @property
    def count(self) -> int:
        """Number of independent values."""
        return int(self.codes[0].max()) + 1

    @property
    def is_layout(self) -> bool:
        """True if each seed has at least two runs on average: shared on purpose, not by chance."""
        return self.codes[0].size >= 2 * self.count

    def means(self, values: ArrayLike) -> Floats:
        """Mean of each cluster; the last axis of `values` runs over the runs."""
        return _means(np.asarray(values, float), self.codes[0])

    def independent(self, values: ArrayLike) -> Floats:
        """Values that a test may take for independent; shapes (..., runs) and (..., count).

        Their mean is the mean of the clusters' means. Their variance over their number estimates
        the variance of that mean.
        """
        means = self.means(values)
        if len(self.codes) == 1 or self.count < 2:
            return means
        x, centre = np.asarray(values, float), means.mean(axis=-1, keepdims=True)
        own = _variance_of_mean(means)
        total = self._variance_of_mean(x)
        scale = np.sqrt(np.divide(total, own, out=np.ones_like(own), where=own > 0))
        # Means that are all equal cannot be spread: two of them are moved apart instead.
        first = np.zeros(self.count)
        first[:2] = np.sqrt(self.count * (self.count - 1) / 2) * np.array([1.0, -1.0])
        apart = np.where(own > 0, 0.0, np.sqrt(total))[..., None] * first
        return np.asarray(centre + (means - centre) * scale[..., None] + apart, float)

    def _variance_of_mean(self, values: Floats) -> Floats:
        """Variance of the mean over all streams that repeat."""
        total, largest = np.zeros(values.shape[:-1]), np.zeros(values.shape[:-1])
        for size in range(1, len(self.codes) + 1):
            for some in itertools.combinations(self.codes, size):
                variance = _variance_of_mean(_means(values, _joint(some)))
                total += variance if size % 2 else -variance
                largest = np.maximum(largest, variance) if size == 1 else largest
        return np.maximum(total, largest)


def find_clusters(
    streams: Sequence[str], seeds: Sequence[tuple[object, ...]], held: Sequence[str] = ()
) -> Clusters | None:
    """The clusters of runs whose `seeds` are given in the order of `streams`; None if none repeats.

    A stream in `held` has one seed in the whole study, which is part of the recipe. A stream that
    repeats only inside the seeds of another one adds nothing: the outer one is kept.
    """
    if len(streams) < 2 or len(seeds) < 2:
        return None
    columns = zip(streams, zip(*seeds, strict=True), strict=True)
    codes = {name: _codes(column) for name, column in columns if name not in held}
    kept = [name for name in codes if _repeats(codes[name])]
    kept = [name for name in kept if not _is_inside_another(name, kept, codes)]
    kept.sort(key=lambda name: int(codes[name].max()))
    return Clusters(tuple(kept), tuple(codes[name] for name in kept)) if kept else None


def _is_inside_another(name: str, names: Sequence[str], codes: dict[str, Codes]) -> bool:
    """True if every seed of a stream occurs with one seed of another; of two alike, one is kept."""
    place = names.index(name)
    for other in names:
        if other != name and _refines(codes[name], codes[other]):
            alike = _refines(codes[other], codes[name])
            if not alike or names.index(other) < place:
                return True
    return False


def _refines(inner: Codes, outer: Codes) -> bool:
    return int(_joint((inner, outer)).max()) == int(inner.max())


def _repeats(codes: Codes) -> bool:
    return int(codes.max()) + 1 < codes.size


def _codes(values: Sequence[object]) -> Codes:
    """The number of each value among the distinct ones, in their order of size."""
    return np.unique(np.array(values), return_inverse=True)[1].astype(np.int64)


def _joint(codes: Sequence[Codes]) -> Codes:
    """The number of each run's combination."""
    first, *others = codes
    for other in others:
        first = np.unique(first * (other.max() + 1) + other, return_inverse=True)[1]
    return first.astype(np.int64)


def _means(values: Floats, codes: Codes) -> Floats:
    order, sizes = np.argsort(codes, kind="stable"), np.bincount(codes)
    first = values[..., :1]  # subtracted, so that large constants cost no digits
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums = np.add.reduceat((values - first)[..., order], starts, axis=-1)
    return np.asarray(first + sums / sizes, float)


def _variance_of_mean(values: Floats) -> Floats:
    """Variance of the mean of independent values; 0 for a single one."""
    count = values.shape[-1]
    return np.asarray(values.var(axis=-1, ddof=min(1, count - 1)) / count, float)
