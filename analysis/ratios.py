"""Fieller's interval of the ratio of two means."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ratio_interval(
    x: float, y: float, covariance: Floats, quantile: float
) -> tuple[float, float] | None:
    """The ratios r for which a t test does not reject that the mean x - r y is zero.

    `covariance`: of the two means, shape (2, 2). `quantile`: of t, either sign. None if y does not
    differ from zero at that level, where the interval has no end (Fieller 1954, J. R. Statist. Soc.
    B 16, 175-185).
    """
    q = quantile**2
    (var_x, cov), (_, var_y) = covariance.tolist()
    a, half_b, c = y**2 - q * var_y, x * y - q * cov, x**2 - q * var_x
    if a <= 0:
        return None
    root = math.sqrt(max(half_b**2 - a * c, 0.0))
    return (half_b - root) / a, (half_b + root) / a
