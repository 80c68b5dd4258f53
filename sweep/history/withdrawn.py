"""Arms that a study has tried and no longer has. They still count in the family of tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Text, case, cast, func, select

from sweep.store.plan_content import PlanContent
from sweep.store.schema import arms, planned_runs, runs
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.trainers.stored_recipes import flat_recipe


@dataclass(frozen=True, kw_only=True)
class WithdrawnArm:
    """An arm of an earlier plan with a recipe that no arm of the current plan has."""

    arm: str
    n_done: int
    n_diverged: int
    n_failed: int
    mean: float | None
    """Mean test loss of the runs that are done, nats per token."""
    in_family: bool
    """True if it counts as a question: it was compared with the baseline of the current plan."""


class RunCounts(NamedTuple):
    """How the runs of a recipe ended."""

    n_done: int
    n_diverged: int
    n_failed: int
    mean: float | None
    """Mean test loss of the runs that are done, nats per token."""


class _LastUse(NamedTuple):
    """The last plan that had a recipe."""

    arm: str
    baseline: str
    """Key of the plan's baseline recipe."""


def find_withdrawn(
    store: Store, current: PlanContent, plans: Sequence[PlanContent]
) -> list[WithdrawnArm]:
    """Arms of any of a study's `plans` that have run and are not in the current one.

    Arms are compared by their recipes: a renamed arm is the same arm, and an arm with another
    recipe is another arm.
    """
    removed = _removed(current, plans)
    if not removed:
        return []
    counts = _run_counts(store, current.study)
    baseline = _key(current.arms.get(current.baseline))
    return [
        WithdrawnArm(arm=use.arm, in_family=use.baseline == baseline, **counts[key]._asdict())
        for key, use in removed.items()
        if key in counts
    ]


def questions_withdrawn(store: Store, current: PlanContent) -> int:
    """Number of withdrawn arms that count in the family of a study's current plan."""
    plans = [PlanContent.from_json(row.content) for row in store.plans(current.study)]
    return sum(arm.in_family for arm in find_withdrawn(store, current, plans))


def _removed(current: PlanContent, plans: Sequence[PlanContent]) -> dict[str, _LastUse]:
    """The last use of each recipe that is not in the current plan, by the recipe's key."""
    kept = {_key(recipe) for recipe in current.arms.values()}
    removed: dict[str, _LastUse] = {}
    for plan in plans:
        baseline = plan.arms.get(plan.baseline)
        for name, recipe in plan.arms.items():
            key = _key(recipe)
            if key not in kept and recipe != baseline and name not in plan.budgets:
                removed[key] = _LastUse(name, _key(baseline))
    return removed


def _key(recipe: Any) -> str:  # noqa: ANN401  (JSON)
    return json.dumps(flat_recipe(recipe), sort_keys=True)


def _run_counts(store: Store, study: str) -> dict[str, RunCounts]:
    """How runs on the study's corpora ended, by recipe; runs of other studies included."""
    corpora = (
        select(runs.c.corpus_hash).select_from(planned_runs).where(arms.c.study == study).distinct()
    )
    ended = (
        func.sum(case((runs.c.state == state, 1), else_=0))
        for state in (RunState.DONE, RunState.DIVERGED, RunState.FAILED)
    )
    query = (
        select(func.max(cast(runs.c.recipe, Text)), *ended, func.avg(runs.c.test_loss))
        .where(runs.c.repeat_of.is_(None), runs.c.corpus_hash.in_(corpora))
        .group_by(runs.c.family)
    )
    with store.begin() as connection:
        rows = connection.execute(query).all()
    return {
        _key(json.loads(recipe)): RunCounts(int(done), int(diverged), int(failed), mean)
        for recipe, done, diverged, failed, mean in rows
        if done or diverged or failed
    }
