"""What an analysis says of the sources of variance."""

import math
from dataclasses import dataclass
from typing import Literal

FEWEST_LEVELS = 4
"""With fewer levels than this a component's share is not quoted: three degrees of freedom leave
its interval a factor of thirty wide."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One source of variance; variances in squared units of the values."""

    term: str
    levels: int
    """How many levels of the term were seen; for the residual, the number of values."""
    variance: float
    """As it was estimated: negative where levels differ by less than chance lets them."""
    ci_low: float
    """The 1 - alpha interval of the variance, cut off at zero."""
    ci_high: float
    ratio_low: float | None = None
    """The exact 1 - alpha interval of the variance over that of its error, not cut off at zero:
    F / F(1 - alpha/2) - 1 and F / F(alpha/2) - 1, per value in a cell. None for the residual, by
    REML, and where the error is zero."""
    ratio_high: float | None = None
    f: float | None = None
    """Against the term's own error, as is `p`; None where `ratio_low` is."""
    p: float | None = None

    @property
    def sd(self) -> float:
        """Zero where the variance was estimated below it."""
        return math.sqrt(max(self.variance, 0.0))


@dataclass(frozen=True, kw_only=True)
class Components:
    """Where the variance of the values comes from."""

    method: Literal["moments", "REML"]
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
        """The variance of a value whose levels are all drawn anew; negative parts count as zero."""
        return math.fsum(max(part.variance, 0.0) for part in self.parts)

    def share(self, term: str) -> float | None:
        """A term's part of the total; None from fewer than `FEWEST_LEVELS` levels of any term."""
        known = all(part.levels >= FEWEST_LEVELS for part in self.parts)
        return max(self[term].variance, 0.0) / self.total if known and self.total > 0 else None
