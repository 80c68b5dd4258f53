"""The trials of a search, as the store has them: their states and values follow from their runs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from statistics import fmean
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from sweep.metrics.metric import Direction
from sweep.searching.problem import Problem
from sweep.store.rows import TrialRow
from sweep.store.schema import arms, members, runs, trials
from sweep.store.select_in import select_in
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.study.names import trials_name


class Outcome(Enum):
    """How far a trial is."""

    RUNNING = auto()
    """At least one of its runs has not ended."""
    COMPLETE = auto()
    """All of its runs have a result; a diverged one makes it infinitely bad."""
    PRUNED = auto()
    """It was stopped because its curve was bad."""
    FAILED = auto()
    """A run failed for good, or was cancelled."""
    REFUSED = auto()
    """Its values give no valid recipe."""


class Standing(NamedTuple):
    """The part of a trial that changes while it runs."""

    number: int
    outcome: Outcome
    value: float | None


class TrialRun(NamedTuple):
    """A run of a trial."""

    run_id: str
    seed: int
    state: RunState
    loss: float | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One setting that was tried."""

    number: int
    arm: str
    """The arm that is tuned."""
    name: str
    """Its arm in the study of the trials."""
    values: Mapping[str, Any]
    sampler_state: Mapping[str, Any]
    outcome: Outcome
    value: float | None
    """Mean result of its runs; infinite if one diverged, None if there is none."""
    pruned_at: int | None
    asked: float
    runs: Sequence[TrialRun]

    @property
    def is_over(self) -> bool:
        """True if no run of it is to come."""
        return self.outcome is not Outcome.RUNNING

    @property
    def standing(self) -> Standing:
        """What changes while it runs."""
        return Standing(self.number, self.outcome, self.value)


def trials_of(store: Store, problem: Problem) -> list[Trial]:
    """Return the trials of a search that were asked for so far, in that order."""
    return read_trials(store, trials_name(problem.study.name), problem.key, problem.direction)


def read_trials(store: Store, study: str, key: str, direction: Direction) -> list[Trial]:
    """Return the trials of one arm's search, in the order in which they were asked for."""
    query = select(trials).where(trials.c.study == study, trials.c.search == key)
    with store.begin() as connection:
        rows = [TrialRow(**row) for row in connection.execute(query.order_by("number")).mappings()]
        found = _runs(connection, study, [row.name for row in rows])
    return [_trial(row, found.get(row.name, []), direction) for row in rows]


def _runs(connection: Connection, study: str, names: Sequence[str]) -> dict[str, list[TrialRun]]:
    query = (
        select(arms.c.name, runs.c.id, members.c.seed, runs.c.state, runs.c.test_loss)
        .select_from(arms.join(members).join(runs))
        .where(arms.c.study == study)
    )
    found: dict[str, list[TrialRun]] = defaultdict(list)
    for row in select_in(connection, query, arms.c.name, names):
        name, *run = [*row.values()]
        found[str(name)].append(TrialRun._make(run))
    return found


def _trial(row: TrialRow, found: Sequence[TrialRun], direction: Direction) -> Trial:
    outcome = _outcome(row, found)
    return Trial(
        number=row.number,
        arm=row.arm,
        name=row.name,
        values=row.field_values,
        sampler_state=row.sampler_state,
        outcome=outcome,
        value=_value(found, direction) if outcome is Outcome.COMPLETE else None,
        pruned_at=row.pruned_at,
        asked=row.asked,
        runs=found,
    )


def _outcome(row: TrialRow, found: Sequence[TrialRun]) -> Outcome:
    states = {run.state for run in found}
    if row.refused is not None:
        return Outcome.REFUSED
    if any(state.is_open for state in states):
        return Outcome.RUNNING
    if states <= {RunState.DONE, RunState.DIVERGED}:
        return Outcome.COMPLETE if found else Outcome.FAILED
    return Outcome.FAILED if row.pruned_at is None else Outcome.PRUNED


def _value(found: Sequence[TrialRun], direction: Direction) -> float:
    """Mean of the losses; a run that diverged is worse than any other."""
    losses = [run.loss for run in found if run.loss is not None]
    if len(losses) < len(found):
        return math.inf if direction is Direction.MINIMIZE else -math.inf
    return fmean(losses)


def best_trial(found: Sequence[Trial], direction: Direction) -> Trial | None:
    """Return the complete trial with the best value, the earliest of equals; None if there is none."""
    sign = 1 if direction is Direction.MINIMIZE else -1
    complete = [each for each in found if each.value is not None and math.isfinite(each.value)]
    return min(complete, key=lambda each: sign * (each.value or 0.0), default=None)
