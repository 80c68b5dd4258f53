"""What binary numbers keep of the decimals that were written, and what is only their rounding."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SURE_DIGITS = 15
"""A decimal of up to so many digits survives the way into a double and back (C's DBL_DIG)."""
MOST_DECIMALS = 22
"""10^22 is the largest power of ten that is a double."""


def centred(values: ArrayLike) -> Floats:
    """Values less the first of them, shape (n,), as if they had never been rounded to binary."""
    x = np.asarray(values, float)
    return difference(x, x[0])


def difference(values: ArrayLike, others: ArrayLike) -> Floats:
    """Values less others, which broadcast to shape (n,), as if they had never been rounded.

    1000000000000.4 - 1000000000000.3 is 0.1 here and 0.0999755859375 in doubles. Values are read as
    decimals where all of them have up to `SURE_DIGITS` digits at one number of decimals, which is
    then what a file said; those that were computed have more and are taken as the doubles they are.
    """
    x, y = np.asarray(values, float), np.asarray(others, float)
    # What has fewer decimals has as many zeros more, so that the most there can be are enough.
    unit = _finest_unit(max(_largest(x), _largest(y)))
    if unit is not None:
        whole, whole_others = np.rint(x * unit), np.rint(y * unit)
        if _written(x, whole, unit) and _written(y, whole_others, unit):
            # Whole numbers and their difference are exact, and the quotient is rounded once.
            return np.asarray((whole - whole_others) / unit, float)
    return np.asarray(x - y, float)


def _finest_unit(largest: float) -> float | None:
    """The largest power of ten by which a value keeps no more than `SURE_DIGITS` digits."""
    if largest == 0:
        return 1.0
    decimals = min(SURE_DIGITS - 1 - math.floor(math.log10(largest)), MOST_DECIMALS)
    while decimals >= 0:
        if np.rint(largest * 10.0**decimals) < 10.0**SURE_DIGITS:
            return 10.0**decimals
        decimals -= 1
    return None


def rounding(scale: float) -> float:
    """The spread that numbers near `scale` can have by rounding alone, in their unit."""
    return 4.0 * float(np.finfo(float).eps) * scale


def _largest(values: Floats) -> float:
    return float(np.abs(values).max(initial=0.0))


def _written(values: Floats, whole: Floats, unit: float) -> bool:
    return bool((whole / unit == values).all())
