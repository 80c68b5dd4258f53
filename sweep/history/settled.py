"""Seeds that `sweep settle` gave to arms: later plans of the study's file keep them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweep.design.plan import Plan
from sweep.errors import StudyError
from sweep.history.history import read_again, with_tuned
from sweep.store.plan_content import PlanContent
from sweep.store.rows import StudyRow
from sweep.store.store import Store


def with_search_result(store: Store | None, plan: Plan) -> Plan:
    """A plan with the best values of its study's search, if the search has ended as it stands now."""
    study = store.study_if_any(plan.study.name) if store else None
    if store is None or study is None or study.imported or plan.study.search is None:
        return plan
    tuned = store.plan(study).tuned
    ended = tuned is not None and tuned.search == plan.study.search.content()
    return with_tuned(plan, tuned) if ended else plan


def with_settled_seeds(store: Store | None, plan: Plan) -> Plan:
    """A plan with the seeds that `sweep settle` has added to its study.

    An arm that has another recipe now, or whose seeds stand for other random streams, has none.
    """
    study = store.study_if_any(plan.study.name) if store else None
    if store is None or study is None or study.imported:
        return plan
    return plan.with_settled(_kept(store.plan(study), plan))


def _kept(stored: PlanContent, plan: Plan) -> Mapping[str, Sequence[int]]:
    design = plan.study.design
    if (list(stored.vary), stored.hold) != (sorted(set(design.vary)), design.hold):
        return {}
    recipes = {arm.name: json.loads(arm.identity) for arm in plan.arms}
    return {
        arm: seeds
        for arm, seeds in stored.settled.items()
        if recipes.get(arm) == stored.arms.get(arm)
    }


def judged_plan(store: Store, study: StudyRow, path: Path, then: str) -> Plan:
    """Read the plan of a study's verdicts from its file, with the seeds that were added.

    Raises StudyError if the file has changed; `then` says what `sweep run` of it does.
    """
    plan = read_again(path, store.plan(study))
    if plan.hash != study.plan_hash:
        raise StudyError(
            f"{path} has changed since its verdicts were reached; `sweep run {path}` {then}"
        )
    return plan
