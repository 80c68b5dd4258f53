"""Correlation of two series of losses, with Fisher's interval."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .digits import centred

MIN_PAIRS = 3
"""Pairs below which no correlation is computed: two always give -1 or 1."""


def correlation(x: ArrayLike, y: ArrayLike) -> float | None:
    """Pearson correlation of two series, shape (n,) each.

    None below `MIN_PAIRS` values, or if a series does not vary.
    """
    if np.size(x) < MIN_PAIRS:
        return None
    a, b = (centred(np.asarray(side, float)) for side in (x, y))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return None if norm == 0 else float(np.clip((a @ b) / norm, -1.0, 1.0))


def fisher_interval(r: float, n: int, alpha: float) -> tuple[float, float]:
    """The 1 - alpha interval of a correlation `r` of `n` pairs (Fisher 1921, Metron 1, 3-32).

    artanh(r) is roughly normal with variance 1 / (n - 3). Three pairs say nothing: -1 to 1.
    """
    if n <= MIN_PAIRS:
        return -1.0, 1.0
    margin = -float(ndtri(alpha / 2)) / float(np.sqrt(n - 3))
    z = float(np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15)))
    return float(np.tanh(z - margin)), float(np.tanh(z + margin))
