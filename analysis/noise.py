"""Noise: the standard deviation of one arm's losses over seeds."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincinv

from .effects import moments


@dataclass(frozen=True, kw_only=True)
class SharedSeeds:
    """The sd of single runs that share seeds, from the layout of their seeds: see `variance.shared`."""

    streams: tuple[str, ...]
    """Seed columns whose seeds several runs have, the one with the fewest seeds first."""
    n_independent: int
    """Seeds of the first of them: as many independent observations of the mean there are."""
    sd: float
    """Standard deviation of one run, nats."""
    ci_low: float
    ci_high: float


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Mean and sd of one arm's losses over distinct seeds, in nats."""

    n: int
    """Number of runs."""
    mean: float
    sd: float
    """Standard deviation with ddof = 1."""
    ci_low: float
    """Lower end of the exact chi-square interval for the sd, for normal losses.
    If runs share seeds on purpose, the interval of the layout in `shared`."""
    ci_high: float
    shared: SharedSeeds | None = None
    """None if no two runs share a seed."""

    @property
    def is_of_layout(self) -> bool:
        """True if sd and interval are those of runs that share seeds on purpose."""
        return self.shared is not None and self.shared.ci_high == self.ci_high

    @property
    def counted(self) -> int:
        """Number of values that sd and interval rest on: independent seeds of a layout, or runs."""
        return self.n_independent if self.is_of_layout else self.n

    @property
    def n_independent(self) -> int:
        """Number of independent seeds behind the mean: never more than runs."""
        return self.shared.n_independent if self.shared else self.n


def noise(losses: ArrayLike, alpha: float = 0.05) -> Noise:
    """Mean and sd of losses (nats) with the 1 - alpha chi-square interval for the sd.

    Raises ValueError for fewer than two losses.
    """
    values = np.asarray(losses, float)
    if values.size < 2:
        raise ValueError(f"noise needs at least two losses from distinct seeds, not {values.size}")
    mean, variance = moments(values)
    sd = math.sqrt(variance)
    low, high = sd_interval_factors(values.size, alpha)
    return Noise(n=values.size, mean=mean, sd=sd, ci_low=low * sd, ci_high=high * sd)


def sd_interval_factors(n: int, alpha: float = 0.05) -> tuple[float, float]:
    """Factors from the sample sd of `n` >= 2 normal values to the ends of its 1 - alpha interval."""
    half_df = (n - 1) / 2
    upper, lower = (2 * float(gammaincinv(half_df, q)) for q in (1 - alpha / 2, alpha / 2))
    return math.sqrt((n - 1) / upper), math.sqrt((n - 1) / lower)
