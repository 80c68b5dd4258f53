"""Runs of one arm with equal losses: a seed that had no effect, or one run under two names."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .digits import resolution

MIN_DECIMALS = 5
"""Losses that are written with fewer decimals are often equal by rounding."""
MAX_DECIMALS = 15
MAX_BY_CHANCE = 0.05
"""Equal losses are no sign if this many pairs of them are expected among losses of this spread."""


def equal_losses(losses: ArrayLike) -> list[list[int]]:
    """Groups of places whose losses are equal bit for bit, shape (runs,) in any unit.

    Empty if rounding explains it: losses with fewer than `MIN_DECIMALS` decimals, or so many runs
    that equal ones are expected.
    """
    values = np.asarray(losses, float)
    distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    if distinct.size == values.size or _expected(values, distinct) > MAX_BY_CHANCE:
        return []
    return [np.flatnonzero(place == group).tolist() for group in np.flatnonzero(counts > 1)]


def decimals(values: ArrayLike) -> int:
    """The number of decimals that values are written with; `MAX_DECIMALS` if they need more."""
    digit = resolution(values)
    return round(-math.log10(digit)) if digit else MAX_DECIMALS


def _expected(values: NDArray[np.float64], distinct: NDArray[np.float64]) -> float:
    """Pairs of equal values that rounding makes of normal ones: pairs x unit / (2 sqrt(pi) sd)."""
    written = decimals(distinct)
    if written < MIN_DECIMALS:
        return math.inf
    spread = float(distinct.std(ddof=1)) if distinct.size > 1 else 0.0
    pairs = values.size * (values.size - 1) / 2
    unit = 10.0**-written
    return pairs * unit / (2 * math.sqrt(math.pi) * spread) if spread > 0 else 0.0
