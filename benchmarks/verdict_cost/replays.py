"""Studies that are drawn from recorded seeds, thousands at once.

A drawn study gets its seeds from the record, all arms of a seed together, so that pairs stay pairs.
No seed is drawn twice, and no more than half of them are: with replacement, three seeds would often
be two, and their spread too small. Means of such draws vary too little, as the record is finite;
every study is therefore shifted by a normal error of the record's own means, which restores the
variance exactly. Further seeds are drawn from the normal distribution with the recorded means and
covariances.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DRAWN = 64
"""Studies of up to this many seeds are drawn seed by seed, larger ones by their moments."""


@dataclass(frozen=True)
class Moments:
    """Means and variances (ddof 1) of many studies of `n` seeds each."""

    n: int
    means: Floats
    """Shape (studies, 1 + arms), the baseline first."""
    variances: Floats
    """Variances of the losses; the same shape."""
    paired: Floats
    """Variances of the differences to the baseline, shape (studies, arms)."""

    @property
    def effects(self) -> Floats:
        """Arm minus baseline, shape (studies, arms)."""
        return self.means[:, 1:] - self.means[:, :1]


@dataclass(frozen=True)
class Source:
    """The distribution that seeds are drawn from."""

    means: Floats
    """Shape (1 + arms,), the baseline first."""
    root: Floats
    """Shape (rank, 1 + arms): the covariance is root.T @ root."""
    recorded: Floats | None = None
    """Recorded losses with these means, shape (seeds, 1 + arms)."""

    @classmethod
    def of(cls, losses: Floats, effects: Floats) -> Source:
        """The source of recorded losses, shape (seeds, 1 + arms), moved to have these effects."""
        centred = losses - losses.mean(axis=0)
        means = losses[:, 0].mean() + np.concatenate([[0.0], effects])
        root = np.linalg.qr(centred / np.sqrt(len(losses) - 1), mode="r")
        return cls(means, root, centred + means)

    @cached_property
    def half(self) -> int:
        """Number of recorded seeds that a study may have."""
        return 0 if self.recorded is None else len(self.recorded) // 2

    def normal(self, generator: np.random.Generator, studies: int, seeds: int) -> Floats:
        """Losses from the normal distribution, shape (studies, seeds, 1 + arms)."""
        return self.means + generator.standard_normal((studies, seeds, len(self.root))) @ self.root

    def replayed(self, generator: np.random.Generator, studies: int) -> Floats:
        """Losses of recorded seeds, shape (studies, `half`, 1 + arms)."""
        if self.recorded is None:
            return np.empty((studies, 0, len(self.means)))
        count = len(self.recorded)
        order = np.argsort(generator.random((studies, count)), axis=1)[:, : self.half]
        error = generator.standard_normal((studies, 1, len(self.root))) @ self.root
        return np.asarray(self.recorded[order] + error / np.sqrt(count), float)

    def losses(self, generator: np.random.Generator, studies: int, seeds: int) -> Floats:
        """Losses of shape (studies, seeds, 1 + arms): recorded seeds first, then normal ones."""
        first = self.replayed(generator, studies)[:, :seeds]
        rest = self.normal(generator, studies, seeds - first.shape[1])
        return np.concatenate([first, rest], axis=1)

    def stream(self, generator: np.random.Generator, studies: int) -> Iterator[Floats]:
        """Losses seed by seed without end, each of shape (studies, 1 + arms)."""
        yield from np.moveaxis(self.replayed(generator, studies), 1, 0)
        while True:
            yield self.normal(generator, studies, 1)[:, 0]

    def moments(self, generator: np.random.Generator, studies: int, n: int) -> Moments:
        """Moments of studies of `n` seeds, without their losses (Bartlett 1933's decomposition)."""
        rank = len(self.root)
        lower = np.tril(generator.standard_normal((studies, rank, rank)), -1)
        diagonal = np.arange(rank)
        lower[:, diagonal, diagonal] = np.sqrt(
            generator.chisquare(n - 1 - diagonal, (studies, rank))
        )
        columns = np.hstack([self.root, self.root[:, 1:] - self.root[:, :1]])
        variances = ((np.swapaxes(lower, 1, 2) @ columns) ** 2).sum(axis=1) / (n - 1)
        means = self.normal(generator, studies, 1)[:, 0]
        return Moments(
            n,
            self.means + (means - self.means) / np.sqrt(n),
            variances[:, : len(self.means)],
            variances[:, len(self.means) :],
        )


def moments_of(losses: Floats) -> Moments:
    """Moments of studies with losses of shape (studies, seeds, 1 + arms)."""
    differences = losses[..., 1:] - losses[..., :1]
    return Moments(
        losses.shape[1],
        losses.mean(axis=1),
        losses.var(axis=1, ddof=1),
        differences.var(axis=1, ddof=1),
    )
