"""Looks at a study: the seeds that were planned for each arm when its first result could be seen.

They are recorded when a plan is stored, from the plan that the study had before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from math import inf
from typing import Any

from sqlalchemy import Connection, select

from sweep.store.plan_content import PlanContent, PlannedLook
from sweep.store.schema import arms, members, plans, runs, studies
from sweep.store.states import FINISHED
from sweep.store.store import Store
from sweep.trainers.stored_recipes import flat_recipe

Seeds = Mapping[str, list[int]]
"""Seeds by arm."""


def looks_before(
    connection: Connection, new: PlanContent, digest: str
) -> dict[str, PlannedLook] | None:
    """The looks at the arms of a study's new plan, before its arms are replaced.

    None if the study has this plan, whose hash is `digest`, already: it is not extended.

    An arm that was looked at under an earlier plan keeps that look. An arm of the plan before this
    one is looked at if one of its runs has a result: its planned seeds are those of that plan. None
    of them count if seeds stand for other random streams now.
    """
    row = connection.execute(select(studies.c.plan_hash).where(studies.c.name == new.study))
    before = None if row.scalar() == digest else last_plan(connection, new.study)
    if before is None:
        return None
    planned, seen = _seeds(connection, new.study)
    same_streams = (before.vary, before.hold) == (new.vary, new.hold)
    known = before.looks or {}
    found = {}
    for arm, old in _known_arms(before, new).items():
        if old not in known and not seen.get(old):
            continue
        look = known.get(old) or PlannedLook(
            seeds=planned.get(old, []), baseline=planned.get(before.baseline, [])
        )
        now = sorted({*look.seen, *seen.get(old, [])})
        found[arm] = PlannedLook(
            seeds=look.seeds if same_streams else [],
            baseline=look.baseline if same_streams else [],
            seen=now if same_streams else [],
        )
    return found


def recorded_looks(store: Store, study: str, current: PlanContent) -> Mapping[str, PlannedLook]:
    """The looks before a study's plan; of a plan that has no record of them, by times.

    Versions before 0.2.0 recorded none. There, an arm was looked at under the first plan with one
    of whose seeds it had a run that finished before the next plan was stored.
    """
    if current.looks is not None or current.imported:
        return current.looks or {}
    rows = store.plans(study)
    if len(rows) < 2:
        return {}
    finished: dict[str, dict[int, float]] = defaultdict(dict)
    for planned in store.study_runs(study):
        if planned.run.state in FINISHED and planned.run.finished is not None:
            finished[planned.arm][planned.seed] = planned.run.finished
    found: dict[str, PlannedLook] = {}
    for row, following in pairwise(rows):
        before = PlanContent.from_json(row.content)
        if (before.vary, before.hold) == (current.vary, current.hold):
            for arm in _known_arms(before, current).keys() - found.keys():
                seen = [s for s in before.seeds if finished[arm].get(s, inf) < following.stored]
                if seen:
                    found[arm] = PlannedLook(seeds=before.seeds, baseline=before.seeds, seen=seen)
    return found


def last_plan(connection: Connection, study: str) -> PlanContent | None:
    """The plan that a study has; None for a new study."""
    query = (
        select(plans.c.content)
        .join(studies, (studies.c.name == plans.c.study) & (studies.c.plan_hash == plans.c.hash))
        .where(studies.c.name == study)
    )
    content = connection.execute(query).scalar()
    return None if content is None else PlanContent.from_json(content)


def _known_arms(before: PlanContent, new: PlanContent) -> dict[str, str]:
    """For each arm of the new plan but the baseline: its name in the plan before, if it is there.

    Arms are compared by recipe; those of an import, which has none, by name.
    """
    names = {_key(before, name): name for name in before.arms}
    keys = {name: _key(new, name) for name in new.arms if name != new.baseline}
    return {name: names[key] for name, key in keys.items() if key in names}


def _key(plan: PlanContent, arm: str) -> str:
    recipe: Any = plan.arms[arm]
    return repr(sorted(flat_recipe(recipe).items())) if isinstance(recipe, Mapping) else arm


def _seeds(connection: Connection, study: str) -> tuple[Seeds, Seeds]:
    """The planned seeds of each arm, and those with a result: done or diverged."""
    query = (
        select(arms.c.name, members.c.seed, runs.c.state)
        .select_from(arms.join(members).join(runs))
        .where(arms.c.study == study)
        .order_by(members.c.seed)
    )
    planned: dict[str, list[int]] = defaultdict(list)
    seen: dict[str, list[int]] = defaultdict(list)
    for arm, seed, state in connection.execute(query):
        planned[arm].append(seed)
        if state in FINISHED:
            seen[arm].append(seed)
    return planned, seen
