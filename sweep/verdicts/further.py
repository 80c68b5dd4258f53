"""The further seeds that a budget allows, seed by seed, so that all arms get equally many."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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


def affordable_seeds(
    wanted: Mapping[str, Sequence[int]], costs: Costs, *, together: bool = False
) -> dict[str, list[int]]:
    """The first of the `wanted` seeds of each arm, as many as fit; arms without any are left out.

    `together`: a seed is for all arms that want it, or for none.
    """
    kept: dict[str, list[int]] = {}
    cells, trained = set[Cell](), set(costs.trained)
    for batch in _by_seed(wanted) if together else _in_turn(wanted):
        needed = {*batch, *((costs.baseline, seed) for _, seed in batch)}
        more = cells | (needed - trained)
        if not costs.fits(more):
            break
        cells = more
        for arm, seed in batch:
            kept.setdefault(arm, []).append(seed)
    return kept


def _in_turn(wanted: Mapping[str, Sequence[int]]) -> Iterator[Sequence[Cell]]:
    rounds = zip_longest(*([(arm, seed) for seed in seeds] for arm, seeds in wanted.items()))
    yield from ([each] for some in rounds for each in some if each)


def _by_seed(wanted: Mapping[str, Sequence[int]]) -> Iterator[Sequence[Cell]]:
    for seed in sorted({seed for seeds in wanted.values() for seed in seeds}):
        yield [(arm, seed) for arm, seeds in wanted.items() if seed in seeds]
