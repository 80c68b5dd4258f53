"""The further seeds that a budget allows, seed by seed, so that all arms get equally many."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

Cell = tuple[str, int]
"""An arm and a seed."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The costs of runs, and the limits on them; a limit of None is none."""

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
        each = or_average(self.seconds, {arm for arm, _ in cells})
        return sum(each[arm] for arm, _ in cells) / self.slots <= self.max_seconds


def or_average(seconds: Mapping[str, float], arms: Iterable[str]) -> dict[str, float]:
    """The seconds of a run of each arm; an arm without a timed run is taken for an average one."""
    mean = sum(seconds.values()) / len(seconds)
    return {arm: seconds.get(arm, mean) for arm in arms}


def affordable_seeds(wanted: Mapping[str, Sequence[int]], costs: Costs) -> dict[str, list[int]]:
    """The first of the `wanted` seeds of each arm, as many as fit; arms without any are left out."""
    kept: dict[str, list[int]] = {}
    cells, trained = set[Cell](), set(costs.trained)
    rounds = zip_longest(*([(arm, seed) for seed in seeds] for arm, seeds in wanted.items()))
    for arm, seed in (each for some in rounds for each in some if each):
        more = cells | ({(costs.baseline, seed), (arm, seed)} - trained)
        if not costs.fits(more):
            break
        cells = more
        kept.setdefault(arm, []).append(seed)
    return kept
