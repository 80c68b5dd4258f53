"""Exact differences of decimal losses, and the size of rounding errors.

A loss that a file gives as a decimal, such as 3.412, is read as the nearest double. The difference
of two such doubles shows their rounding: 3.412 - 3.398 is 0.01400000000000023. Here it is 0.014, as
a reader of the file computes it. Reports give effects to the last digit, and NIST's certified
results for values with thirteen constant leading digits can be met in no other way. Losses that
were computed, with all their binary digits, are subtracted as they are.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DECIMAL_DIGITS = 15
"""A decimal with at most this many digits is recovered exactly from its double (C's DBL_DIG)."""
MAX_DECIMALS = 22
"""10^22 is the largest power of ten that is a double."""
_FIRST = 100


def centred(values: ArrayLike) -> Floats:
    """Values minus the first one, shape (n,), without the rounding of decimals to binary."""
    x = np.asarray(values, float)
    return difference(x, x[0])


def difference(values: ArrayLike, others: ArrayLike) -> Floats:
    """Values minus others, which broadcast to shape (n,), without the rounding of decimals.

    Values are taken for decimals if all of them have at most `DECIMAL_DIGITS` digits; otherwise
    they are subtracted as doubles.
    """
    x, y = np.asarray(values, float), np.asarray(others, float)
    # The most decimals that fit: values with fewer decimals end in zeros.
    unit = _finest_unit(max(_largest(x), _largest(y)))
    if unit is not None:
        whole, whole_others = np.rint(x * unit), np.rint(y * unit)
        if _is_decimal(x, whole, unit) and _is_decimal(y, whole_others, unit):
            # Whole numbers and their difference are exact; only the quotient is rounded.
            return np.asarray((whole - whole_others) / unit, float)
    return np.asarray(x - y, float)


def _finest_unit(largest: float) -> float | None:
    """The largest power of ten at which a value times it has at most `DECIMAL_DIGITS` digits."""
    if largest == 0:
        return 1.0
    decimals = min(DECIMAL_DIGITS - 1 - math.floor(math.log10(largest)), MAX_DECIMALS)
    while decimals >= 0:
        if np.rint(largest * 10.0**decimals) < 10.0**DECIMAL_DIGITS:
            return 10.0**decimals
        decimals -= 1
    return None


def resolution(values: ArrayLike) -> float:
    """The size of the last digit that losses were written with: 0.001 for losses such as 3.412.

    0 for losses with all their digits, and if there are none. It is at most 1.
    """
    x = np.asarray(values, float)
    finest = _finest_unit(_largest(x)) if x.size else None
    unit = 1.0
    while finest is not None and unit <= finest:
        # Losses with all their digits are found out by the first few.
        if _is_multiple(x[:_FIRST], unit) and _is_multiple(x, unit):
            return 1.0 / unit
        unit *= 10.0
    return 0.0


def rounding(scale: float) -> float:
    """The largest spread of numbers near `scale` that rounding alone explains, in their unit."""
    return 4.0 * float(np.finfo(float).eps) * scale


def _largest(values: Floats) -> float:
    return float(np.abs(values).max(initial=0.0))


def _is_multiple(values: Floats, unit: float) -> bool:
    """True if all values are decimals in units of 1 / unit."""
    return _is_decimal(values, np.rint(values * unit), unit)


def _is_decimal(values: Floats, whole: Floats, unit: float) -> bool:
    return bool((whole / unit == values).all())
