"""The further seeds that a budget allows, seed by seed, so that all arms get equally many."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

Cell = tuple[str, int]
"""An arm and a seed."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What runs cost, and how much may be spent. None for no limit."""

    baseline: str
    trained: Collection[Cell]
    """Runs that have a result already."""
    slots: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of a run by arm; empty if no run was timed."""
    max_runs: int | None = None
    max_seconds: float | None = None

    def fits(self, cells: Collection[Cell]) -> bool:
        """True if these runs are within the limits."""
        if self.max_runs is not None and len(cells) > self.max_runs:
            return False
        if self.max_seconds is None or not self.seconds:
            return True
        mean = sum(self.seconds.values()) / len(self.seconds)
        total = sum(self.seconds.get(arm, mean) for arm, _ in cells)
        return total / self.slots <= self.max_seconds


def affordable_seeds(wanted: Mapping[str, Sequence[int]], costs: Costs) -> dict[str, list[int]]:
    """The first of the `wanted` seeds of each arm, as many as fit; arms without any are left out."""
    kept: dict[str, list[int]] = {}
    cells: set[Cell] = set()
    rounds = zip_longest(*([(arm, seed) for seed in seeds] for arm, seeds in wanted.items()))
    for arm, seed in (each for some in rounds for each in some if each):
        pair = {(costs.baseline, seed), (arm, seed)}
        if not costs.fits(cells | (pair - set(costs.trained))):
            break
        cells |= pair - set(costs.trained)
        kept.setdefault(arm, []).append(seed)
    return kept
