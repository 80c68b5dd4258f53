"""Drift of a machine: whether runs that ended one after the other have similar losses."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_RUNS = 8
"""Runs below which a correlation over their order says nothing."""
SHUFFLES = 9_999


@dataclass(frozen=True, kw_only=True)
class RunOrder:
    """The lag-1 correlation of runs in the order in which they ended."""

    runs: int
    correlation: float
    """Of what arm and seed leave unexplained. About -1 / runs without any drift."""
    p: float
    """Two-sided, by shuffling the order."""


def run_order(runs: pd.DataFrame) -> RunOrder | None:
    """The lag-1 correlation of a study's done runs.

    `runs` has the columns arm, seed, loss and finished (any increasing number; NaN if unknown), one
    row per run. Arm and seed are taken out first, since runs are often queued by them. None below
    `FEWEST_RUNS` runs, or if nothing is left unexplained.
    """
    known = runs.dropna(subset=["loss", "finished"]).sort_values("finished", kind="stable")
    if len(known) < FEWEST_RUNS:
        return None
    left = _residuals(known)
    left -= left.mean()
    total = float(left @ left)
    if total <= len(left) * (1e-12 * float(np.abs(known["loss"]).max())) ** 2:
        return None
    found = float(left[:-1] @ left[1:]) / total
    shuffled = np.random.default_rng(0).permuted(np.tile(left, (SHUFFLES, 1)), axis=1)
    others = (shuffled[:, :-1] * shuffled[:, 1:]).sum(axis=1) / total
    centre = float(others.mean())
    hits = int((np.abs(others - centre) >= abs(found - centre) - 1e-12).sum())
    return RunOrder(runs=len(left), correlation=found, p=(hits + 1) / (SHUFFLES + 1))


def _residuals(runs: pd.DataFrame) -> Floats:
    """Losses less the least-squares effects of arm and seed, shape (n,)."""
    columns = [runs["arm"].astype("category").cat.codes, runs["seed"].astype("category").cat.codes]
    dummies = [np.eye(int(codes.max()) + 1)[codes.to_numpy()] for codes in columns]
    x, y = np.hstack(dummies), runs["loss"].to_numpy(float)
    return np.asarray(y - x @ np.linalg.lstsq(x, y, rcond=None)[0], float)
