"""Estimated variance components."""

import math
from dataclasses import dataclass
from typing import Literal

MethodName = Literal["moments", "REML", "ML"]
MIN_LEVELS = 4
"""Minimum number of levels for a share of the variance: with three degrees of freedom, the interval
of a component is already a factor of thirty wide."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One source of variance; variances in squared units of the values."""

    term: str
    levels: int
    """Number of levels of the term; for the residual, of values."""
    variance: float
    """The estimate; negative if levels differ by less than expected by chance."""
    ci_low: float
    """The 1 - alpha interval of the variance, cut off at zero."""
    ci_high: float
    ratio_low: float | None = None
    """The exact 1 - alpha interval of the ratio of this variance to its error, not cut off at zero:
    F / F(1 - alpha/2) - 1 and F / F(alpha/2) - 1, divided by the values per cell. None for the
    residual, by REML, and if the error is zero."""
    ratio_high: float | None = None
    f: float | None = None
    """F against the term's own error, with its `p`; None if `ratio_low` is."""
    p: float | None = None

    @property
    def sd(self) -> float:
        """The standard deviation; 0 if the estimated variance is negative."""
        return math.sqrt(max(self.variance, 0.0))


@dataclass(frozen=True, kw_only=True)
class Components:
    """The components of the variance of some values."""

    method: MethodName
    n: int
    mean: float
    parts: tuple[Component, ...]
    """The terms in the order in which they were given, then the residual."""

    def __getitem__(self, term: str) -> Component:
        for part in self.parts:
            if part.term == term:
                return part
        raise KeyError(f"no term {term!r}; terms: {[part.term for part in self.parts]}")

    @property
    def total(self) -> float:
        """The variance of one value: the sum of all components, negative ones as zero."""
        return math.fsum(max(part.variance, 0.0) for part in self.parts)

    def share(self, term: str) -> float | None:
        """A term's share of the total; None if any term has fewer than `MIN_LEVELS` levels."""
        known = all(part.levels >= MIN_LEVELS for part in self.parts)
        return max(self[term].variance, 0.0) / self.total if known and self.total > 0 else None
