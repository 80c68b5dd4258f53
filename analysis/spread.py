"""The spread that all arms have in common, and Bartlett's test of whether they have one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from .effects import moments

FEWEST_RUNS = 4
"""Runs of an arm below which its variance says too little."""


@dataclass(frozen=True, kw_only=True)
class CommonSpread:
    """The pooled standard deviation of arms with `FEWEST_RUNS` runs or more."""

    arms: int
    df: int
    """Degrees of freedom of `sd`: runs less arms."""
    sd: float
    """Root of the mean variance, weighted by degrees of freedom; in nats."""
    p_bartlett: float
    """p of equal variances. It assumes normal losses: heavy tails make it small, too."""


def common_spread(arms: Sequence[ArrayLike]) -> CommonSpread | None:
    """Pool the variances of arms, each an array of losses of shape (n,).

    None if fewer than two have `FEWEST_RUNS` runs, or if none of these varies. Bartlett (1937,
    Proc. R. Soc. A 160, 268-282).
    """
    enough = [x for x in (np.asarray(arm, float) for arm in arms) if x.size >= FEWEST_RUNS]
    if len(enough) < 2:
        return None
    df = np.array([x.size - 1 for x in enough], float)
    variances = np.array([moments(x)[1] for x in enough])
    pooled = float((df * variances).sum() / df.sum())
    if pooled == 0:
        return None
    return CommonSpread(
        arms=len(enough),
        df=int(df.sum()),
        sd=float(np.sqrt(pooled)),
        p_bartlett=_p(variances / pooled, df),
    )


def _p(ratios: ArrayLike, df: ArrayLike) -> float:
    """P of variances, as ratios to the pooled one. 0 if one of them is zero."""
    q, n = np.asarray(ratios, float), np.asarray(df, float)
    if (q == 0).any():
        return 0.0
    correction = 1 + ((1 / n).sum() - 1 / n.sum()) / (3 * (n.size - 1))
    # Equal variances give a statistic of zero, which rounding may carry below it.
    return float(chdtrc(n.size - 1, max(0.0, -(n * np.log(q)).sum() / correction)))
