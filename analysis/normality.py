"""Check that losses look normal, as chi-square intervals and t tests assume."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

MIN_LOSSES = 3
"""Minimum number of losses for a QQ plot."""
MAX_POINTS = 200
"""Maximum number of points of a QQ plot; more would overlap."""
MAX_SHAPIRO_N = 5_000
"""Royston's approximation of the p-value is valid up to this many losses."""


@dataclass(frozen=True, kw_only=True)
class Normality:
    """QQ plot and normality test of a sample of losses."""

    correlation: float
    """Correlation of the QQ plot's points: 1 on a straight line."""
    w: float | None
    """Shapiro and Wilk's statistic (1965, Biometrika 52, 591-611)."""
    p: float | None
    """The p-value of normal losses; None with more than `MAX_SHAPIRO_N`."""
    points: list[tuple[float, float]]
    """Normal quantile and loss (nats), in ascending order."""


def normality(losses: ArrayLike) -> Normality | None:
    """The QQ plot of losses with Blom's positions, its correlation, and Shapiro and Wilk's test.

    None for fewer than three losses, or if all are equal.
    """
    values = np.sort(np.asarray(losses, float))
    n = values.size
    if n < MIN_LOSSES or values[0] == values[-1]:
        return None
    quantiles = ndtri((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    centred = values - values.mean()
    correlation = float(
        quantiles @ centred / np.sqrt((quantiles @ quantiles) * (centred @ centred))
    )
    w, p = _shapiro(centred) if n <= MAX_SHAPIRO_N else (None, None)
    shown = np.unique(np.linspace(0, n - 1, min(n, MAX_POINTS)).round().astype(int))
    points = [(float(quantiles[i]), float(values[i])) for i in shown]
    return Normality(correlation=correlation, w=w, p=p, points=points)


def _shapiro(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    from scipy.stats import shapiro  # noqa: PLC0415  (importing scipy.stats costs a second)

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # its warning about a tiny range does not apply: values are scaled
        found = shapiro(values / np.abs(values).max())
    return float(found.statistic), float(found.pvalue)
