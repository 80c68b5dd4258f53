"""Drift of a machine: whether runs that ended one after the other have similar losses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Factor = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The level of each run, and the number of runs of each level."""

FEWEST_RUNS = 8
"""Runs below which a correlation over their order says nothing."""
MANY_RUNS = 2000
"""Runs above which `FEW_SIMULATIONS` have to do."""
SIMULATIONS, FEW_SIMULATIONS = 999, 99
MAX_ROUNDS = 100


@dataclass(frozen=True, kw_only=True)
class RunOrder:
    """The lag-1 correlation of runs in the order in which they ended."""

    runs: int
    correlation: float
    """Of what arm and seed leave unexplained."""
    expected: float
    """Its mean without drift. It is below zero: what is left adds to zero in every arm and seed, so
    that neighbours of one seed tend to have opposite signs."""
    p: float
    """Two-sided, by simulation of normal noise that is independent from run to run."""


def run_order(runs: pd.DataFrame) -> RunOrder | None:
    """The lag-1 correlation of a study's done runs.

    `runs` has the columns arm, seed, loss and finished (any increasing number; NaN if unknown), one
    row per run. Arm and seed are taken out first, since runs are often queued by them: drift over
    whole arms or seeds is not seen. None below `FEWEST_RUNS` runs, or if nothing is left unexplained.
    """
    known = runs.dropna(subset=["loss", "finished"]).sort_values("finished", kind="stable")
    n, losses = len(known), known["loss"].to_numpy(float)
    if n < FEWEST_RUNS:
        return None
    factors = [_factor(known[name]) for name in ("arm", "seed")]
    left = _residuals(losses, factors)
    if float(np.abs(left).max()) <= 1e-12 * float(np.abs(losses).max()):
        return None
    found = _lag_1(left)
    generator = np.random.default_rng(0)
    draws = SIMULATIONS if n <= MANY_RUNS else FEW_SIMULATIONS
    noise = (generator.standard_normal(n) for _ in range(draws))
    others = np.array([_lag_1(_residuals(each, factors)) for each in noise])
    expected = float(others.mean())
    hits = int((np.abs(others - expected) >= abs(found - expected)).sum())
    return RunOrder(runs=n, correlation=found, expected=expected, p=(hits + 1) / (draws + 1))


def _lag_1(values: Floats) -> float:
    """Of values whose mean is zero."""
    return float(values[:-1] @ values[1:] / (values @ values))


def _factor(levels: pd.Series) -> Factor:
    codes, _ = pd.factorize(levels)
    return codes, np.bincount(codes)


def _residuals(values: Floats, factors: Sequence[Factor]) -> Floats:
    """Values less the least-squares effects of the factors, shape (n,).

    Means of the levels of each factor are taken off in turn (backfitting), which is least squares
    once it has converged, and takes one round if every arm has every seed.
    """
    left = values - values.mean()
    for _ in range(MAX_ROUNDS):
        before = left
        for codes, count in factors:
            left = left - (np.bincount(codes, weights=left) / count)[codes]
        if float(np.abs(left - before).max()) <= 1e-9 * float(np.abs(values).max()):
            break
    return np.asarray(left, float)
