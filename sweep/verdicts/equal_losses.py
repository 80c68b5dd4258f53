"""Distinct seeds of an arm with bit-identical losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class EqualLosses:
    """Runs of one arm that have the same loss to the last bit."""

    arm: str
    seeds: Sequence[int]
    loss: float


def find_equal_losses(runs: pd.DataFrame) -> list[EqualLosses]:
    """Find them among runs with the columns `arm`, `seed`, `loss` and `status`."""
    from analysis.duplicates import equal_losses

    done = runs[runs["status"] == "done"]
    found = []
    for arm, rows in done.groupby("arm", sort=False):
        seeds, losses = rows["seed"].tolist(), rows["loss"].tolist()
        found += [
            EqualLosses(arm=str(arm), seeds=[seeds[i] for i in group], loss=losses[group[0]])
            for group in equal_losses(losses)
        ]
    return found
