"""What it costs to pair, or not to pair, runs with equal seeds; and to choose after a look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_least, at_most
from benchmarks.simulation import ALPHA

Floats = NDArray[np.float64]
STUDIES_EACH = 5
"""Studies of one arm per simulated study of the other gates: they are quick."""
LOOKED = "the choice was made after a look at the correlation: docs/pairs.md"
UNPAIRED = "equal seeds with a correlation below zero, taken as unpaired: docs/pairs.md"


def pairs(settings: Settings) -> list[Line]:
    """Errors of the paired and the unpaired t, and of a choice by the correlation or by p."""
    studies = STUDIES_EACH * settings.studies
    return [
        *(line for n in (3, 5, 7, 20) for r in (0.0, 0.3, 0.9) for line in _errors(studies, n, r)),
        *_errors(studies, 5, -0.3)[:1],
        at_most("unpaired, 5 seeds, correlation -0.3", _rates(studies, 5, -0.3)[1], 0.06, UNPAIRED),
        *(
            at_least(f"power of 1.5 sd, 5 seeds, correlation {r:g}, {name}", rate, least)
            for r, floors in ((0.0, (0.40, 0.48)), (0.9, (0.99, 0.55)))
            for name, rate, least in zip(
                ("paired", "unpaired"), _rates(studies, 5, r, effect=1.5), floors, strict=False
            )
        ),
    ]


def _errors(studies: int, n: int, r: float) -> list[Line]:
    paired, unpaired, by_correlation, by_p = _rates(studies, n, r)
    where = f"{n} seeds, correlation {r:g}"
    return [
        at_most(f"paired, {where}", paired, 0.06),
        at_most(f"unpaired, {where}", unpaired, 0.06),
        at_most(f"chosen by the correlation, {where}", by_correlation, 0.06, LOOKED),
        at_most(f"the smaller p, {where}", by_p, 0.06, LOOKED),
    ]


def _rates(studies: int, n: int, r: float, effect: float = 0.0) -> tuple[Rate, Rate, Rate, Rate]:
    """Rates of p < alpha: paired t, Welch's t, one of them chosen by the gain, the smaller p."""
    generator = np.random.default_rng(14)
    x, y = _correlated(generator, (studies, n), r)
    difference = x - y + effect
    mean, var_x, var_y = difference.mean(axis=1), x.var(axis=1, ddof=1), y.var(axis=1, ddof=1)
    var_pair = difference.var(axis=1, ddof=1)
    paired = _p(mean, var_pair / n, np.full(studies, n - 1.0))
    welch_df = (var_x + var_y) ** 2 / (var_x**2 + var_y**2) * (n - 1)
    unpaired = _p(mean, (var_x + var_y) / n, welch_df)
    chosen = np.where(var_x + var_y > var_pair, paired, unpaired)
    tests = (paired, unpaired, chosen, np.minimum(paired, unpaired))
    first, second, third, fourth = (Rate.of(p < ALPHA) for p in tests)
    return first, second, third, fourth


def _correlated(
    generator: np.random.Generator, shape: tuple[int, int], r: float
) -> tuple[Floats, Floats]:
    """Two arrays of standard normal values with correlation `r`."""
    x, z = generator.standard_normal((2, *shape))
    return x, r * x + np.sqrt(1 - r**2) * z


def _p(mean: Floats, squared_error: Floats, df: Floats) -> Floats:
    """Two-sided p of a mean of zero."""
    return np.asarray(2.0 * stdtr(df, -np.abs(mean) / np.sqrt(squared_error)), float)
