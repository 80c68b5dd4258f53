"""Races: arms get further seeds until they are decided, and then no more.

After each round, in which every arm of the race and the baseline have one seed more, all arms are
judged by their e-values at alpha, over the whole family. Arms that are decided leave with the seeds
that they have; their runs with further seeds, if there are any, do not count. So the state of a race
follows from the results alone, in whatever order they came, and verdicts do not change any more.

If a fixed sample was looked at before the race, its verdicts stay, and the others are judged at
alpha / 2, as those of any plan that is extended (`analysis.looking`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from .arm_verdict import ArmVerdict, Judgement
from .decision import Verdict
from .looking import (
    DECIDED,
    JudgeOnce,
    by_e_values,
    first_look,
    is_open,
    later_rules,
    merged,
)
from .looks import lost_looks
from .rules import Plan

CLOSED = frozenset({"done", "diverged", "failed", "cancelled"})
"""Statuses of runs that a look does not wait for."""
LEAVES = DECIDED | {"identical"}
"""Verdicts with which an arm leaves a race."""
Cell = tuple[str, Any]
"""An arm and a seed."""


@dataclass(frozen=True, kw_only=True)
class RaceLook:
    """One look at a race."""

    seeds: int
    """Seeds of the arms that were in the race."""
    arms: Mapping[str, ArmVerdict]
    """These arms, with those that left at this look."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far a race has come."""

    look: int = 0
    """Seeds of the last look at which all runs of the race had ended; 0 before the first."""
    left: Mapping[str, int] = field(default_factory=dict)
    """Arms that have left the race, with their seeds; 0 for those that a fixed sample decided."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """Verdicts of these arms; "undecided" or "unstable" if an arm has no result to judge."""
    wanted: Sequence[Cell] = ()
    """All runs of the round that has not ended, the baseline's first; empty if the race is over."""
    active: Sequence[str] = ()
    """Arms that are still in the race."""
    looks: Sequence[RaceLook] = ()
    """All looks, the first one first."""
    judgement: Judgement
    """The verdicts at the last look; before the first, on the runs there are."""


def judge_race(runs: pd.DataFrame, plan: Plan, judge_once: JudgeOnce) -> Judgement:
    """Judge a race at its last look; `judge_once` judges one look. For the runs, see `verdict.judge`."""
    everything = judge_once(runs, plan)
    found = {row.arm: row for row in follow_race(runs, plan, judge_once).judgement.arms}
    arms = (merged(row, found[row.arm]) for row in everything.arms[1:])
    return replace(everything, arms=(everything.arms[0], *arms))


def follow_race(runs: pd.DataFrame, plan: Plan, judge_once: JudgeOnce) -> Standing:
    """The state of a race after the runs so far, look by look."""
    fixed = _decided_before(runs, plan, judge_once)
    rules = later_rules(plan, fixed, tuple(arm for arm in plan.arms if arm not in fixed))
    course = _Course(rules, _statuses(runs), fixed)
    looks: list[RaceLook] = []
    judged = None
    while course.can_look():
        judged = judge_once(course.runs_of_look(runs), rules)
        racing = {row.arm: row for row in judged.arms if row.arm in course.active}
        looks.append(RaceLook(seeds=course.next, arms=racing))
        course.look(judged)
    if judged is None:
        judged = judge_once(runs[runs["arm"].isin([rules.baseline, *rules.arms])], rules)
    rows = {row.arm: by_e_values(row) for row in judged.arms} | fixed
    return Standing(
        look=looks[-1].seeds if looks else 0,
        left={**course.left, **dict.fromkeys(fixed, 0)},
        verdicts={arm: rows[arm].verdict or "undecided" for arm in {**course.left, **fixed}},
        wanted=list(course.round()),
        active=course.active,
        looks=looks,
        judgement=replace(judged, arms=(judged.arms[0], *(rows[arm] for arm in plan.arms))),
    )


def _decided_before(runs: pd.DataFrame, plan: Plan, judge_once: JudgeOnce) -> dict[str, ArmVerdict]:
    """The rows of arms that were decided on a fixed sample before the race."""
    looked_at = {arm for arm, look in plan.looks.items() if look.seeds}
    unfixed = (set(plan.arms) - looked_at) | lost_looks(runs, plan.looks)
    rows = first_look(runs, plan, judge_once, frozenset(unfixed))
    rows.pop(plan.baseline, None)
    return {arm: row for arm, row in rows.items() if row.basis == "planned" and not is_open(row)}


def _statuses(runs: pd.DataFrame) -> dict[Cell, str]:
    rows = zip(runs["arm"].tolist(), runs["seed"].tolist(), runs["status"].tolist(), strict=True)
    return {(arm, seed): str(status) for arm, seed, status in rows}


class _Course:
    """The looks of a race, one after the other."""

    def __init__(self, rules: Plan, statuses: Mapping[Cell, str], fixed: Iterable[str]) -> None:
        assert rules.race  # noqa: S101  (for the type checker)
        self._race = rules.race
        self._rules = rules
        self._statuses = statuses
        self.left = {arm: len(self._race.seeds[arm]) for arm in fixed if arm in rules.arms}
        """Seeds of the arms that have left."""
        self.next = rules.race.start
        """Seeds of the next look."""

    @property
    def active(self) -> list[str]:
        """The arms that have not left."""
        return [arm for arm in self._rules.arms if arm not in self.left]

    def round(self) -> Iterator[Cell]:
        """The runs that the next look needs: seed by seed, the baseline first."""
        racing = {
            arm: self._race.seeds[arm][: self.next]
            for arm in self.active
            if len(self._race.seeds[arm]) >= self.next
        }
        wanted = {seed for seeds in racing.values() for seed in seeds}
        for seed in self._race.seeds[self._rules.baseline]:
            if seed in wanted:
                yield self._rules.baseline, seed
                yield from ((arm, seed) for arm, seeds in racing.items() if seed in seeds)

    def can_look(self) -> bool:
        """True if there is a next look, and all of its runs have ended."""
        cells = list(self.round())
        return bool(cells) and all(self._statuses.get(cell) in CLOSED for cell in cells)

    def runs_of_look(self, runs: pd.DataFrame) -> pd.DataFrame:
        """The runs that the next look judges: all of the baseline, and each arm's seeds."""
        has = {
            arm: set(self._race.seeds[arm][: self.left.get(arm, self.next)])
            for arm in self._rules.arms
        }
        has[self._rules.baseline] = set(self._race.seeds[self._rules.baseline])
        cells = zip(runs["arm"].tolist(), runs["seed"].tolist(), strict=True)
        keep = [arm in has and seed in has[arm] for arm, seed in cells]
        return runs[keep]

    def look(self, judged: Judgement) -> None:
        """Let the arms leave that this look decides, or that have nothing to judge."""
        nothing = not judged.arms[0].n_done
        for row in judged.arms[1:]:
            if row.arm not in self.left and (row.verdict in LEAVES or nothing or not row.n_done):
                self.left[row.arm] = self.next
        self.next += 1
