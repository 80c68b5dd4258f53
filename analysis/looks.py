"""Looks: which seeds were planned for an arm when its first result could be seen.

A fixed-sample test holds at one look, at the seeds that were planned before it. A plan that was
extended after its look is judged in two parts: the fixed-sample verdict on the seeds of the look,
at alpha, and for the arms that it leaves open the e-value over all seeds, at alpha / 2, which
holds at every later look (`analysis.anytime`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import lgamma
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Basis = Literal["planned", "looks", "provisional"]
"""What a verdict rests on: the planned seeds; the e-value over all seeds, valid at every look; or
planned seeds of which some have not ended yet."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """The plan for one arm when its first result could be seen. Seeds are values of `seed`."""

    seeds: frozenset[Any]
    """The planned seeds of the arm. None: no fixed-sample verdict is possible any more."""
    baseline: frozenset[Any]
    """Those of the baseline."""
    extension: int = 1
    """Number of plans since, the present one included."""
    dropped: int = 0
    """Seeds that had a result and are no longer in the plan."""

    def log_choices(self, n: int) -> float:
        """Log of the number of ways to choose n seeds of these and the dropped ones.

        Seeds that were dropped after a look may have been chosen by their results. The e-value of
        the best choice is at most the sum over all choices, so that sum / number is an e-value.
        """
        return lgamma(n + self.dropped + 1) - lgamma(n + 1) - lgamma(self.dropped + 1)


def runs_of_looks(runs: pd.DataFrame, looks: Mapping[str, Look], baseline: str) -> pd.DataFrame:
    """The runs with the seeds of each arm's look; all runs of an arm without one.

    The baseline has the seeds of all looks; all of its runs if an arm has none. Raises ValueError
    if `runs` has no column `seed`.
    """
    rows = _rows_by_arm(runs)
    planned = {arm: look.seeds for arm, look in looks.items()}
    if looks and not rows.keys() - looks.keys() - {baseline}:
        planned[baseline] = frozenset[Any]().union(*(look.baseline for look in looks.values()))
    keep = np.ones(len(runs), bool)
    for arm in planned.keys() & rows.keys():
        keep[rows[arm]] = runs["seed"].iloc[rows[arm]].isin(planned[arm])
    return runs[keep]


def lost_looks(runs: pd.DataFrame, looks: Mapping[str, Look]) -> frozenset[str]:
    """The arms whose look has seeds that are not among the runs: it cannot be judged any more."""
    rows = _rows_by_arm(runs)
    seeds = {arm: frozenset(runs["seed"].iloc[rows.get(arm, [])].tolist()) for arm in looks}
    return frozenset(
        arm for arm, look in looks.items() if not look.seeds or not look.seeds <= seeds[arm]
    )


def _rows_by_arm(runs: pd.DataFrame) -> dict[str, NDArray[np.intp]]:
    """The places of each arm's rows. Raises ValueError if `runs` has no column `seed`."""
    if "seed" not in runs.columns:
        raise ValueError(
            f"a plan with looks needs the column 'seed'; the runs have {list(runs.columns)}"
        )
    found = runs.groupby("arm", sort=False).indices
    return {str(arm): np.asarray(places, np.intp) for arm, places in found.items()}


def without(looks: Mapping[str, Look], arms: Iterable[str]) -> dict[str, Look]:
    """The looks of the other arms."""
    left_out = set(arms)
    return {arm: look for arm, look in looks.items() if arm not in left_out}
