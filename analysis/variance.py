"""Variance components: how much of the noise each of its sources makes.

Balanced layouts by the method of moments, with exact F intervals: Searle, Casella and McCulloch
(1992), Variance Components, chapters 3 and 4. Others by REML.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from scipy.special import chdtri, fdtri

from analysis.anova import RESIDUAL, Anova, Layout, Source

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


def variance_components(
    frame: pd.DataFrame, terms: Sequence[str], value: str = "loss", alpha: float = 0.05
) -> Components:
    """The variance of each of `terms`, all random, and of the residual.

    Crossed: `["init", "order"]`, with `"init:order"` where runs repeat a cell. Nested:
    `["init", "init:order"]`. A Latin square of three factors is balanced too. Where a column
    `status` is present, rows that are not done are left out; what is then no longer balanced is
    fitted by REML, whose estimates stop at zero. Raises ValueError as `anova.anova` does, but for
    want of balance.
    """
    layout = Layout.read(frame, terms, value)
    if not layout.balanced:
        from analysis.reml import fit_reml  # noqa: PLC0415  (scipy.optimize is slow to import)

        return fit_reml(layout, alpha)
    table = layout.table()
    parts = tuple(_component(source, table, alpha) for source in table.sources)
    return Components(method="moments", n=table.n, mean=table.mean, parts=parts)


def _component(source: Source, table: Anova, alpha: float) -> Component:
    if source.error is None:
        low, high = chi_square_interval(source.mean_square, source.df, alpha)
        return Component(
            term=RESIDUAL,
            levels=source.levels,
            variance=source.mean_square,
            ci_low=low,
            ci_high=high,
        )
    below = table[source.error]
    quantiles = tuple(float(fdtri(source.df, below.df, q)) for q in (1 - alpha / 2, alpha / 2))
    low, high = _interval(source, below, quantiles, alpha)
    f = table.f(source.term) if below.mean_square > 0 else None
    return Component(
        term=source.term,
        levels=source.levels,
        variance=(source.mean_square - below.mean_square) / source.size,
        ci_low=low,
        ci_high=high,
        ratio_low=None if f is None else (f / quantiles[0] - 1) / source.size,
        ratio_high=None if f is None else (f / quantiles[1] - 1) / source.size,
        f=f,
        p=None if f is None else table.p(source.term),
    )


def _interval(
    source: Source, below: Source, quantiles: tuple[float, ...], alpha: float
) -> tuple[float, float]:
    """Williams (1962), Biometrika 49, 278-281: the F interval of the ratio, in units of the values."""
    squares = (source.mean_square - q * below.mean_square for q in quantiles)
    low, high = (max(square, 0.0) / source.size for square in squares)
    return chi_square_interval(low, source.df, alpha)[0], chi_square_interval(
        high, source.df, alpha
    )[1]


def chi_square_interval(variance: float, df: float, alpha: float) -> tuple[float, float]:
    """The 1 - alpha interval of a variance that was estimated on `df` degrees of freedom."""
    upper, lower = (float(chdtri(df, q)) for q in (alpha / 2, 1 - alpha / 2))
    return variance * df / upper, variance * df / lower if lower > 0 else math.inf
