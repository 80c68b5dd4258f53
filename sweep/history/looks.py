"""Looks at a study: the seeds that were planned for each arm when its first result could be seen.

They are recorded when a plan is stored, from the plan that the study had before it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What had been looked at before a plan."""

    arms: Mapping[str, PlannedLook]
    """By arm of the plan."""
    former: Mapping[str, PlannedLook]
    """Of arms that the plan lacks, by the key of their recipe: they may come back."""

    @property
    def json(self) -> dict[str, Any]:
        """The keys that `PlanContent.from_json` reads."""
        both = {"looks": self.arms, "former_looks": self.former}
        return {
            name: {each: look.json for each, look in looks.items()}
            for name, looks in both.items()
            if looks or name == "looks"
        }


def looks_before(connection: Connection, new: PlanContent, digest: str) -> Looks | None:
    """The looks at a study before its new plan; call it before the plan's arms are stored.

    None if the study has this plan, whose hash is `digest`, already: it is not extended.

    An arm that was looked at under an earlier plan keeps that look. An arm of the plan before this
    one is looked at if one of its runs has a result: its planned seeds are those of that plan. None
    of them count if seeds stand for other random streams now, or if the arm had been seen already.
    """
    row = connection.execute(select(studies.c.plan_hash).where(studies.c.name == new.study))
    before = None if row.scalar() == digest else last_plan(connection, new.study)
    if before is None:
        return None
    found = {**before.former_looks, **_looks_at(connection, before)}
    if (before.vary, before.hold) != (new.vary, new.hold):
        found = dict.fromkeys(found, PlannedLook(seeds=[], baseline=[]))
    keys = {name: _key(new, name) for name in new.arms if name != new.baseline}
    return Looks(
        arms={name: found[key] for name, key in keys.items() if key in found},
        former={key: look for key, look in found.items() if key not in keys.values()},
    )


def _looks_at(connection: Connection, plan: PlanContent) -> dict[str, PlannedLook]:
    """The looks at the arms of a study's present plan, by the key of their recipe."""
    planned, seen = _seeds(connection, plan.study)
    found = {}
    for arm in plan.arms:
        look = (plan.looks or {}).get(arm)
        later = look.later_plans + 1 if look else 0
        if arm == plan.baseline or not (look or seen.get(arm)):
            continue
        if look is None:
            was_seen = bool((plan.existed or {}).get(arm))
            seeds, baseline = planned[arm], planned[plan.baseline]
            is_open = was_seen or plan.race_start is not None  # a race fixes no seeds
            look = PlannedLook(seeds=[] if is_open else seeds, baseline=baseline)
        now = sorted({*look.seen, *seen.get(arm, [])})
        found[_key(plan, arm)] = replace(look, seen=now, later_plans=later)
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
            for arm in _common_arms(before, current) - found.keys():
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


def _common_arms(before: PlanContent, now: PlanContent) -> set[str]:
    """The arms of the plan of now, but its baseline, whose recipes the plan before has."""
    keys = {_key(before, name) for name in before.arms}
    return {name for name in now.arms if name != now.baseline and _key(now, name) in keys}


def _key(plan: PlanContent, arm: str) -> str:
    """Identifies an arm by its recipe; an arm of an import, which has none, by its name."""
    recipe: Any = plan.arms[arm]
    if not isinstance(recipe, Mapping):
        return arm
    return hashlib.sha256(json.dumps(flat_recipe(recipe), sort_keys=True).encode()).hexdigest()[:16]


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
