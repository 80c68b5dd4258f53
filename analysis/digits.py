"""What binary numbers keep of the decimals that were written, and what is only their rounding."""

from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike, NDArray

SURE_DIGITS = 15
"""A decimal of up to so many digits survives the way into a double and back (C's DBL_DIG)."""


def centred(values: ArrayLike) -> NDArray[np.float64]:
    """Values less the first of them, shape (n,), as if they had never been rounded to binary.

    1000000000000.4 - 1000000000000.3 is 0.1 here and 0.0999755859375 in doubles. A value is read
    as its shortest decimal where that has up to `SURE_DIGITS` digits, which is then what a file
    said; one that was computed has more and is taken as the double that it is.
    """
    decimals = [_written(value) for value in np.asarray(values, float).tolist()]
    return np.array([float(each - decimals[0]) for each in decimals], float)


def rounding(scale: float) -> float:
    """The spread that numbers near `scale` can have by rounding alone, in their unit."""
    return 4.0 * float(np.finfo(float).eps) * scale


def _written(value: float) -> Decimal:
    shortest = Decimal(repr(value))
    return shortest if len(shortest.as_tuple().digits) <= SURE_DIGITS else Decimal(value)
