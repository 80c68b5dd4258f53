"""Trapezoid rules for averages over a normal deviate and over an estimated standard error.

The rule converges geometrically for smooth functions such as the normal density.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv, gammaincinv, ndtr

Floats = NDArray[np.float64]


def normal_rule(step: float = 1 / 16) -> tuple[Floats, Floats]:
    """Points from -8 to 8, and the weights of an average over the standard normal distribution."""
    deviates = np.arange(-8.0, 8.0 + step, step)
    return deviates, np.exp(-(deviates**2) / 2) * step / math.sqrt(2 * math.pi)


DEVIATES, WEIGHTS = normal_rule()
_TAIL = ndtr(-np.abs(DEVIATES))


@lru_cache(maxsize=512)
def relative_errors(df: float) -> Floats:
    """Ratios of estimated to true standard error at `DEVIATES`: sqrt(chi-square quantile / df)."""
    half = df / 2
    quantile = np.where(DEVIATES < 0, gammaincinv(half, _TAIL), gammainccinv(half, _TAIL))
    errors = np.asarray(np.sqrt(quantile / half), float)
    errors.setflags(write=False)  # shared by every caller with this df
    return errors
