"""Store the plan of a study before its first run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from sweep.design.plan import Arm, Plan
from sweep.errors import StudyError
from sweep.history.existed import existed_before
from sweep.history.looks import Looks, looks_before
from sweep.store.plan_content import PlanContent
from sweep.store.schema import arms, members, plans, studies
from sweep.store.store import Store


def save_plan(store: Store, plan: Plan, path: Path, run_ids: Mapping[tuple[str, int], str]) -> None:
    """Store a study's plan, its arms, and their runs.

    `run_ids` has the runs, which exist already, by arm and seed; of a race, those so far. Raises
    StudyError if the name belongs to an imported study, to a stack (for a study), or to a study (for
    a stack).
    """
    name = plan.study.name
    with store.write() as connection:
        existed = existed_before(store, connection, name, run_ids)
        record = {} if existed is None else {"existed": existed}
        looks = looks_before(connection, PlanContent.from_json(plan.content()), plan.hash)
        _save_study(connection, plan, path)
        save_content(connection, plan.hash, {**plan.content(), **record}, looks)
        connection.execute(delete(arms).where(arms.c.study == name))
        for position, arm in enumerate(plan.arms):
            arm_id = save_arm(connection, name, position, arm)
            rows = [
                {"arm_id": arm_id, "seed": seed, "run_id": run_ids[arm.name, seed]}
                for seed in arm.specs
                if (arm.name, seed) in run_ids
            ]
            connection.execute(insert(members), rows)
        store.write_study_file(connection, name)


def add_members(store: Store, plan: Plan, run_ids: Mapping[tuple[str, int], str]) -> bool:
    """Add runs, which exist already, to a study that has this plan; False if it has another one.

    Two schedulers may add the same ones.
    """
    name = plan.study.name
    with store.write() as connection:
        row = connection.execute(select(studies.c.plan_hash).where(studies.c.name == name))
        if row.scalar() != plan.hash:
            return False
        query = select(arms.c.name, arms.c.id).where(arms.c.study == name)
        ids = {row.name: row.id for row in connection.execute(query)}
        known = select(members.c.arm_id, members.c.seed).where(members.c.arm_id.in_(ids.values()))
        there = {(arm_id, seed) for arm_id, seed in connection.execute(known)}
        rows = [
            {"arm_id": ids[arm], "seed": seed, "run_id": run_id}
            for (arm, seed), run_id in run_ids.items()
            if (ids[arm], seed) not in there
        ]
        if rows:
            connection.execute(insert(members), rows)
            store.write_study_file(connection, name)
    return True


def save_content(
    connection: Connection,
    digest: str,
    content: Mapping[str, Any],
    looks: Looks | None,
) -> None:
    """Store the JSON of a plan with the looks before it; only these, if the study had it before.

    `looks`: what `looks_before` returned; with None, those on record stay.
    """
    study = content["study"]
    same = (plans.c.study == study) & (plans.c.hash == digest)
    known = connection.execute(select(plans.c.content).where(same)).scalar()
    record = (looks or Looks(arms={}, former={})).json
    if known is None:
        values = {"study": study, "hash": digest, "content": {**content, **record}}
        connection.execute(insert(plans).values(**values, stored=time.time()))
    elif looks:
        merged = {name: {**known.get(name, {}), **found} for name, found in record.items()}
        connection.execute(update(plans).where(same).values(content={**known, **merged}))


def _save_study(connection: Connection, plan: Plan, path: Path) -> None:
    name = plan.study.name
    row = {"path": str(path), "plan_hash": plan.hash, "last_run": time.time()}
    known = connection.execute(select(studies).where(studies.c.name == name)).first()
    if known is None:
        connection.execute(insert(studies).values(name=name, **row))
        return
    if known.imported:
        raise StudyError(
            f"a study {name!r} was imported from {known.path}; give the one in {path} another name"
        )
    _check_kind(connection, known, plan, path)
    connection.execute(update(studies).where(studies.c.name == name).values(**row))


def save_arm(connection: Connection, study: str, position: int, arm: Arm) -> int:
    """Store an arm; returns its id."""
    added = connection.execute(
        insert(arms).values(
            study=study,
            name=arm.name,
            position=position,
            interventions=list(arm.interventions),
            changes=arm.changes,
        )
    )
    (arm_id,) = added.inserted_primary_key or (None,)
    assert arm_id is not None  # noqa: S101  (the key is an integer that the database counts)
    return int(arm_id)


def _check_kind(connection: Connection, known: Row[Any], plan: Plan, path: Path) -> None:
    """Raise StudyError if a stack would replace a study, or a study a stack."""
    same = (plans.c.study == known.name) & (plans.c.hash == known.plan_hash)
    content = connection.execute(select(plans.c.content).where(same)).scalar_one()
    stack = PlanContent.from_json(content).stack
    if bool(stack) == bool(plan.stack):
        return
    if stack:
        raise StudyError(
            f"{known.name!r} is the name of a stack that `sweep stack {stack.of}` made; give the "
            f"study in {path} another name"
        )
    raise StudyError(
        f"the stack would be called {known.name!r}, which is the name of the study in {known.path}; "
        "give that study another name"
    )
