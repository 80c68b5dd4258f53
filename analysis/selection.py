"""Intervals of effects that were chosen because they are significant.

An arm is chosen because its |t| exceeds a critical value, so its estimate is too large on average, most
where it exceeds it by little. The interval here is that of the effect given that it did: the normal
distribution truncated at the critical value is inverted (Fithian, Sun and Taylor 2014,
arXiv:1410.2597). It is the usual t interval for an effect that is far beyond the critical value, and
reaches to zero and beyond for one that is barely beyond. Its lower end is no lower than that of a
simultaneous interval (Andrews, Kitagawa and McCloskey 2024, "Inference on winners", Q. J. Econ. 139).

Arrays broadcast; "size" is the effect in the direction in which it was found, so it is positive.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr, ndtri, stdtr, stdtrit

Floats = NDArray[np.float64]

SIMULTANEOUS = 0.001
"""Error of the simultaneous interval, two-sided, over the arms that could have been chosen."""
MAX_DF = 1e6
"""Degrees of freedom beyond this are as good as infinite."""
TINY = 1e-300
"""The smallest tail probability."""
_BISECTION_STEPS = 60


@dataclass(frozen=True, kw_only=True)
class SelectedSizes:
    """Sizes of effects given that they were chosen, in the unit of the effects."""

    low: Floats
    median: Floats
    high: Floats


def selected_sizes(
    t: ArrayLike, critical: ArrayLike, df: ArrayLike, arms: int, alpha: float
) -> SelectedSizes:
    """The median and the 1 - alpha interval of sizes, in standard errors.

    `t`: |t| of the chosen effects, beyond their `critical` values, with `df` degrees of freedom;
    `arms`: how many could have been chosen.
    """
    d = np.minimum(np.asarray(df, float), MAX_DF)
    found, least = np.asarray(t, float), np.asarray(critical, float)
    z = _normal_deviate(found, d)
    bar = np.minimum(_normal_deviate(least, d), z)
    floor = z + ndtri(SIMULTANEOUS / (2 * max(arms, 1)))

    def size(share: float) -> Floats:
        shift = np.maximum(_quantile(z, bar, share), floor) - z
        return np.asarray(found + stdtrit(d, ndtr(shift)), float)

    return SelectedSizes(low=size(alpha / 2), median=size(0.5), high=size(1 - alpha / 2))


def _normal_deviate(t: Floats, df: Floats) -> Floats:
    """The normal value with the same tail as a t value."""
    tail = np.asarray(stdtr(df, -t), float)
    return -np.asarray(ndtri(np.maximum(tail, TINY)), float)


def _quantile(z: Floats, bar: Floats, share: float) -> Floats:
    """The mean at which a normal value beyond `bar` exceeds `z` with probability `share`."""
    low, high = z - 40.0, z + 10.0
    for _ in range(_BISECTION_STEPS):
        middle = (low + high) / 2
        is_low = log_ndtr(middle - z) - log_ndtr(middle - bar) < np.log(share)
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return np.asarray(high, float)


def interval_of_sum(
    lows: Floats, medians: Floats, highs: Floats, correlations: Floats
) -> tuple[float, float]:
    """The interval of a sum from those of its terms, by the method of variance estimates recovery.

    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702. `correlations`: of the estimates,
    shape (terms, terms).
    """
    below, above = medians - lows, highs - medians
    centre = float(medians.sum())
    return (
        centre - math.sqrt(max(float(below @ correlations @ below), 0.0)),
        centre + math.sqrt(max(float(above @ correlations @ above), 0.0)),
    )
