"""Arms that a study has tried and no longer has: a question that was asked cannot be taken back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Text, case, cast, func, select

from sweep.history.changes import Content, flat_recipe
from sweep.store.schema import arms, planned_runs, runs
from sweep.store.store import Store


@dataclass(frozen=True, kw_only=True)
class WithdrawnArm:
    """An arm of an earlier plan, with another recipe than any that the study has now."""

    arm: str
    n_done: int
    n_diverged: int
    n_failed: int
    mean: float | None
    """Of the test losses of the runs that are done, nats per token."""
    in_family: bool
    """Whether it counts as a question: it has results, and was compared with the same baseline."""
    reason: str
    """Why it does, or does not."""


def find_withdrawn(
    store: Store, study: str, current: Content, plans: Sequence[Content]
) -> list[WithdrawnArm]:
    """Arms of all the study's plans that ran and are not in the current one, by their recipes.

    An arm that was renamed is still there. One whose recipe was changed is another arm.
    """
    gone = _gone(current, plans)
    if not gone:
        return []
    results = _results(store, study)
    baseline = _key(_baseline(current))
    found = []
    for key, (name, base) in gone.items():
        result = results.get(key)
        if result is None:
            continue
        same = base == baseline
        reason = (
            "it was tried against the baseline of now"
            if same
            else "it was tried against another baseline"
        )
        found.append(WithdrawnArm(arm=name, **result, in_family=same, reason=reason))
    return found


def _gone(current: Content, plans: Sequence[Content]) -> dict[str, tuple[str, str]]:
    """By recipe: the latest name, and the baseline that it was compared with."""
    kept = {_key(recipe) for recipe in current["arms"].values()}
    gone: dict[str, tuple[str, str]] = {}
    for plan in plans:
        for name, recipe in plan["arms"].items():
            key = _key(recipe)
            if key not in kept and recipe != _baseline(plan):
                gone[key] = (name, _key(_baseline(plan)))
    return gone


def _baseline(plan: Content) -> Any:  # noqa: ANN401  (JSON)
    return plan["arms"].get(plan.get("baseline", "baseline"))


def _key(recipe: Any) -> str:  # noqa: ANN401  (JSON)
    return json.dumps(flat_recipe(recipe), sort_keys=True)


def _results(store: Store, study: str) -> dict[str, dict[str, Any]]:
    """How runs on a corpus of the study ended, by recipe, whichever study asked."""
    corpora = (
        select(runs.c.corpus_hash).select_from(planned_runs).where(arms.c.study == study).distinct()
    )
    counts = {
        f"n_{state}": func.sum(case((runs.c.state == state, 1), else_=0))
        for state in ("done", "diverged", "failed")
    }
    query = (
        select(
            func.max(cast(runs.c.recipe, Text)).label("recipe"),
            func.avg(runs.c.test_loss).label("mean"),
            *(column.label(name) for name, column in counts.items()),
        )
        .where(runs.c.repeat_of.is_(None), runs.c.corpus_hash.in_(corpora))
        .group_by(runs.c.family)
    )
    with store.begin() as connection:
        rows = connection.execute(query).mappings().all()
    return {_key(json.loads(row["recipe"])): _tally(row) for row in rows if _ended(row)}


def _ended(row: RowMapping) -> bool:
    return any(row[f"n_{state}"] for state in ("done", "diverged", "failed"))


def _tally(row: RowMapping) -> dict[str, Any]:
    numbers = {name: int(row[name]) for name in ("n_done", "n_diverged", "n_failed")}
    return {**numbers, "mean": row["mean"]}
