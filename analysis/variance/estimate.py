"""Estimate variance components: how much each source contributes to the noise.

Balanced layouts use the method of moments with exact F intervals (Searle, Casella and McCulloch
1992, Variance Components, chapters 3 and 4), unbalanced ones REML; ML is there on request.
"""

import math
from collections.abc import Sequence

import pandas as pd
from scipy.special import chdtri, fdtri

from .anova import RESIDUAL, Anova, Layout, Source
from .component import Component, Components, MethodName


def variance_components(
    frame: pd.DataFrame,
    terms: Sequence[str],
    value: str = "loss",
    alpha: float = 0.05,
    *,
    method: MethodName | None = None,
) -> Components:
    """The variance of each of `terms`, all random, and of the residual.

    Crossed: `["init", "order"]`, with `"init:order"` where runs repeat a cell. Nested:
    `["init", "init:order"]`. A Latin square of three factors is balanced too. If there is a column
    `status`, rows that are not done are left out. Unless `method` says otherwise, balanced layouts
    are estimated by moments and others by REML, which gives no negative estimates; ML is biased
    downwards with few levels. Raises ValueError as `anova.anova` does; for imbalance only if
    `method` is moments.
    """
    layout = Layout.read(frame, terms, value)
    if method in ("REML", "ML") or (method is None and not layout.balanced):
        from .reml import fit_likelihood  # noqa: PLC0415  (scipy.optimize is slow to import)

        return fit_likelihood(layout, alpha, restricted=method != "ML")
    if not layout.balanced:
        raise ValueError(
            f"the layout of {', '.join(terms)} is not balanced, and the method of moments needs "
            "balance; REML and ML do not"
        )
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
    """Williams (1962), Biometrika 49, 278-281: the F interval of the ratio, scaled to the
    units of the values.
    """
    squares = (source.mean_square - q * below.mean_square for q in quantiles)
    low, high = (max(square, 0.0) / source.size for square in squares)
    return chi_square_interval(low, source.df, alpha)[0], chi_square_interval(
        high, source.df, alpha
    )[1]


def chi_square_interval(variance: float, df: float, alpha: float) -> tuple[float, float]:
    """The 1 - alpha interval of a variance estimated with `df` degrees of freedom."""
    upper, lower = (float(chdtri(df, q)) for q in (alpha / 2, 1 - alpha / 2))
    return variance * df / upper, variance * df / lower if lower > 0 else math.inf
